using NativeEngine.Kernels.Interop.Native;
using static NativeEngine.Kernels.Interop.Native.CuBlas;

namespace NativeEngine.Kernels.Interop;

/// <summary>cuBLAS on one stream, set so that the same call gives the same bits: a workspace of its own, no atomics. Column-major.</summary>
internal sealed unsafe class CuBlasHandle : CudaHandle
{
    private readonly DeviceMemory workspace;

    /// <summary>Runs on <paramref name="stream"/> with <paramref name="workspace"/>, which nobody else uses.</summary>
    public CuBlasHandle(CudaStream stream, DeviceMemory workspace) : base(stream)
    {
        this.workspace = workspace;
        nint created;
        Gate.CheckOpened(cublasCreate_v2(&created));
        Own(created, () =>
        {
            Gate.Check(cublasSetStream_v2(handle, stream.Handle));
            Gate.Check(cublasSetWorkspace_v2(handle, workspace.Handle, (nuint)workspace.Bytes), $"{workspace.Bytes:N0} bytes");
            Gate.Check(cublasSetAtomicsMode(handle, cublasAtomicsMode_t.CUBLAS_ATOMICS_NOT_ALLOWED));
            Gate.Check(cublasSetMathMode(handle, cublasMath_t.CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION));
        });
    }

    /// <summary>c = alpha op(a) op(b) + beta c, for every matrix of a batch; op transposes where asked. (m,n) (m,k) (k,n)</summary>
    public void Gemm(
        DeviceMatrix c, DeviceMatrix a, DeviceMatrix b, bool transposeA, bool transposeB, long m, long n, long k, double alpha, double beta, long batch = 1)
    {
        (Factor scaleA, Factor scaleC) = (new(alpha, c.DType), new(beta, c.DType));
        Gate.Check(
            cublasGemmStridedBatchedEx_64(
                handle, Operation(transposeA), Operation(transposeB), m, n, k, &scaleA, a.Address, a.Type, a.Stride, a.BatchStride,
                b.Address, b.Type, b.Stride, b.BatchStride, &scaleC, c.Address, c.Type, c.Stride, c.BatchStride,
                batch, Factor.ComputeType(c.DType), cublasGemmAlgo_t.CUBLAS_GEMM_DEFAULT),
            $"{c.DType} {m} x {n} x {k}, batch {batch}, {a.DType} x {b.DType}");
        GC.KeepAlive(workspace);
    }

    /// <inheritdoc/>
    protected override bool Destroy() => Gate.Quietly(cublasDestroy_v2(handle), this, nameof(cublasDestroy_v2));

    private static cublasOperation_t Operation(bool transpose) => transpose ? cublasOperation_t.CUBLAS_OP_T : cublasOperation_t.CUBLAS_OP_N;
}
