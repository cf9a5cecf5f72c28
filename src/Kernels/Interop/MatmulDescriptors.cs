using NativeEngine.Kernels.Interop.Native;
using static NativeEngine.Kernels.Interop.Native.CuBlasLt;
using static NativeEngine.Kernels.Interop.Native.cublasLtMatmulDescAttributes_t;
using static NativeEngine.Kernels.Interop.Native.cublasLtMatmulPreferenceAttributes_t;
using static NativeEngine.Kernels.Interop.Native.cublasLtMatrixLayoutAttribute_t;

namespace NativeEngine.Kernels.Interop;

/// <summary>What a product of cuBLASLt does: op(a) op(b), where asked with a bias.</summary>
internal sealed unsafe class MatmulDescriptor : CudaHandle
{
    /// <summary>A product with a result of <paramref name="result"/>; op transposes where asked.</summary>
    public MatmulDescriptor(CuBlasLtHandle lt, DType result, bool transposeA, bool transposeB) : base(lt)
    {
        nint created;
        Gate.Check(cublasLtMatmulDescCreate(&created, Factor.ComputeType(result), Factor.ScaleType(result)));
        Result = result;
        Own(created, () =>
        {
            Set(CUBLASLT_MATMUL_DESC_TRANSA, transposeA ? cublasOperation_t.CUBLAS_OP_T : cublasOperation_t.CUBLAS_OP_N);
            Set(CUBLASLT_MATMUL_DESC_TRANSB, transposeB ? cublasOperation_t.CUBLAS_OP_T : cublasOperation_t.CUBLAS_OP_N);
        });
    }

    /// <summary>Type of the result.</summary>
    public DType Result { get; }

    /// <summary>Adds a vector, one element for each row of the (column-major) result, to every column; the next call moves it.</summary>
    public void AddBias(nint address, DType dtype)
    {
        Set(CUBLASLT_MATMUL_DESC_EPILOGUE, cublasLtEpilogue_t.CUBLASLT_EPILOGUE_BIAS);
        Set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, address);
        Set(CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, DeviceMatrix.TypeOf(dtype));
    }

    /// <inheritdoc/>
    protected override bool Destroy() => Gate.Quietly(cublasLtMatmulDescDestroy(handle), this, nameof(cublasLtMatmulDescDestroy));

    private void Set<T>(cublasLtMatmulDescAttributes_t attribute, T value) where T : unmanaged =>
        Gate.Check(cublasLtMatmulDescSetAttribute(handle, attribute, &value, (nuint)sizeof(T)), $"{attribute} = {value}");
}

/// <summary>Shape and type of one matrix of a product, column-major.</summary>
internal sealed unsafe class MatrixLayout : CudaHandle
{
    private readonly string text;

    /// <summary><paramref name="batch"/> matrices of rows x columns, with the strides of <paramref name="matrix"/>.</summary>
    public MatrixLayout(CuBlasLtHandle lt, DeviceMatrix matrix, long rows, long columns, int batch = 1) : base(lt)
    {
        nint created;
        text = $"{matrix.DType}({rows},{columns})";
        Gate.Check(
            cublasLtMatrixLayoutCreate(&created, matrix.Type, checked((ulong)rows), checked((ulong)columns), matrix.Stride), $"{text}, stride {matrix.Stride}");
        Own(created, () =>
        {
            Set(CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, batch);
            Set(CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, matrix.BatchStride);
        });
    }

    /// <inheritdoc/>
    public override string ToString() => text;

    /// <inheritdoc/>
    protected override bool Destroy() => Gate.Quietly(cublasLtMatrixLayoutDestroy(handle), this, nameof(cublasLtMatrixLayoutDestroy));

    private void Set<T>(cublasLtMatrixLayoutAttribute_t attribute, T value) where T : unmanaged =>
        Gate.Check(cublasLtMatrixLayoutSetAttribute(handle, attribute, &value, (nuint)sizeof(T)), $"{attribute} = {value}");
}

/// <summary>What an algorithm may need.</summary>
internal sealed unsafe class MatmulPreference : CudaHandle
{
    /// <summary>At most <paramref name="workspaceBytes"/>, and addresses that are multiples of the alignments, in bytes.</summary>
    public MatmulPreference(CuBlasLtHandle lt, long workspaceBytes, uint alignmentA, uint alignmentB, uint alignmentC, uint alignmentD) : base(lt)
    {
        nint created;
        Gate.Check(cublasLtMatmulPreferenceCreate(&created));
        Own(created, () =>
        {
            Set(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, checked((nuint)workspaceBytes));
            Set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, alignmentA);
            Set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, alignmentB);
            Set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, alignmentC);
            Set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, alignmentD);
        });
    }

    /// <inheritdoc/>
    protected override bool Destroy() => Gate.Quietly(cublasLtMatmulPreferenceDestroy(handle), this, nameof(cublasLtMatmulPreferenceDestroy));

    private void Set<T>(cublasLtMatmulPreferenceAttributes_t attribute, T value) where T : unmanaged =>
        Gate.Check(cublasLtMatmulPreferenceSetAttribute(handle, attribute, &value, (nuint)sizeof(T)), $"{attribute} = {value}");
}
