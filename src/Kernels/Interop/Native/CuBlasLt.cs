using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace NativeEngine.Kernels.Interop.Native;

internal enum cublasLtMatmulDescAttributes_t
{
    CUBLASLT_MATMUL_DESC_TRANSA = 3,
    CUBLASLT_MATMUL_DESC_TRANSB = 4,
    CUBLASLT_MATMUL_DESC_EPILOGUE = 7,
    CUBLASLT_MATMUL_DESC_BIAS_POINTER = 8,
    CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE = 26,
}

internal enum cublasLtEpilogue_t
{
    CUBLASLT_EPILOGUE_BIAS = 4,
}

internal enum cublasLtMatrixLayoutAttribute_t
{
    CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT = 5,
    CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET = 6,
}

internal enum cublasLtMatmulPreferenceAttributes_t
{
    CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES = 1,
    CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES = 5,
    CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES = 6,
    CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES = 7,
    CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES = 8,
}

/// <summary>An algorithm, opaque.</summary>
[InlineArray(8)]
internal struct cublasLtMatmulAlgo_t
{
    private ulong data;
}

/// <summary>An algorithm that fits, and what it needs.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct cublasLtMatmulHeuristicResult_t
{
    public cublasLtMatmulAlgo_t algo;
    public nuint workspaceSize;
    public cublasStatus_t state;
    public float wavesCount;
    public Reserved reserved;

    [InlineArray(4)]
    internal struct Reserved
    {
        private int data;
    }
}

/// <summary>Products whose algorithm is chosen once and kept.</summary>
internal static unsafe partial class CuBlasLt
{
    [LibraryImport(Libraries.CuBlasLt)]
    public static partial cublasStatus_t cublasLtCreate(nint* handle);

    [LibraryImport(Libraries.CuBlasLt)]
    public static partial cublasStatus_t cublasLtDestroy(nint handle);

    [LibraryImport(Libraries.CuBlasLt)]
    public static partial cublasStatus_t cublasLtMatmulDescCreate(nint* descriptor, cublasComputeType_t computeType, cudaDataType scaleType);

    [LibraryImport(Libraries.CuBlasLt)]
    public static partial cublasStatus_t cublasLtMatmulDescDestroy(nint descriptor);

    [LibraryImport(Libraries.CuBlasLt)]
    public static partial cublasStatus_t cublasLtMatmulDescSetAttribute(nint descriptor, cublasLtMatmulDescAttributes_t attribute, void* value, nuint bytes);

    [LibraryImport(Libraries.CuBlasLt)]
    public static partial cublasStatus_t cublasLtMatrixLayoutCreate(nint* layout, cudaDataType type, ulong rows, ulong columns, long ld);

    [LibraryImport(Libraries.CuBlasLt)]
    public static partial cublasStatus_t cublasLtMatrixLayoutDestroy(nint layout);

    [LibraryImport(Libraries.CuBlasLt)]
    public static partial cublasStatus_t cublasLtMatrixLayoutSetAttribute(nint layout, cublasLtMatrixLayoutAttribute_t attribute, void* value, nuint bytes);

    [LibraryImport(Libraries.CuBlasLt)]
    public static partial cublasStatus_t cublasLtMatmulPreferenceCreate(nint* preference);

    [LibraryImport(Libraries.CuBlasLt)]
    public static partial cublasStatus_t cublasLtMatmulPreferenceDestroy(nint preference);

    [LibraryImport(Libraries.CuBlasLt)]
    public static partial cublasStatus_t cublasLtMatmulPreferenceSetAttribute(
        nint preference, cublasLtMatmulPreferenceAttributes_t attribute, void* value, nuint bytes);

    [LibraryImport(Libraries.CuBlasLt)]
    public static partial cublasStatus_t cublasLtMatmulAlgoGetHeuristic(
        nint handle, nint descriptor, nint layoutA, nint layoutB, nint layoutC, nint layoutD, nint preference,
        int requested, cublasLtMatmulHeuristicResult_t* results, int* returned);

    [LibraryImport(Libraries.CuBlasLt)]
    public static partial cublasStatus_t cublasLtMatmul(
        nint handle, nint descriptor, void* alpha, nint a, nint layoutA, nint b, nint layoutB, void* beta, nint c, nint layoutC, nint d, nint layoutD,
        cublasLtMatmulAlgo_t* algorithm, nint workspace, nuint workspaceBytes, nint stream);
}
