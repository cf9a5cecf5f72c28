namespace NativeEngine.Cuda.Tests;

/// <summary>What becomes of a call that fails.</summary>
internal enum Ending
{
    /// <summary>An exception.</summary>
    Thrown,

    /// <summary>An exception, or where something is given back, that stays on the device.</summary>
    ThrownOrKept,

    /// <summary>No exception: what should have been given back stays on the device, and the double may report it.</summary>
    Kept,

    /// <summary>The call is only made about the failure of another, which is told with less text.</summary>
    Told,
}

/// <summary>How a native call fails, and what the engine makes of it.</summary>
/// <param name="Name">the C function</param>
/// <param name="Status">what it returns</param>
/// <param name="Code">of the exception</param>
/// <param name="Facts">what the facts of the first failure begin with</param>
/// <param name="Ending">what becomes of it</param>
internal sealed record InjectedCall(string Name, int Status, string Code, string Facts = "", Ending Ending = Ending.Thrown)
{
    private const string OfSmallProduct = "F32(4,4) x F32(4,4)";

    private static readonly InjectedCall[] Calls =
    [
        // == driver: 304 is an error of the operating system ==
        Driver("cuInit"),
        Driver("cuGetErrorName", ending: Ending.Told),
        Driver("cuGetErrorString", ending: Ending.Told),
        Driver("cuDeviceGetCount"),
        Driver("cuDeviceGet", "device 0"),
        Driver("cuDeviceGetName"),
        Driver("cuDeviceTotalMem_v2"),
        Driver("cuDeviceGetAttribute"),
        new("cuDevicePrimaryCtxRetain", 46, "NE8003", "device 0"),
        Driver("cuDevicePrimaryCtxRelease_v2", ending: Ending.Kept),
        Driver("cuCtxSetCurrent", ending: Ending.ThrownOrKept),
        Driver("cuCtxSynchronize", ending: Ending.ThrownOrKept),
        Driver("cuMemGetInfo_v2"),
        new("cuMemAlloc_v2", 2, "NE7002", "33,554,432 bytes needed, "),
        Driver("cuMemFree_v2", ending: Ending.Kept),
        new("cuMemHostAlloc", 2, "NE7002", "4,194,304 bytes of pinned host memory needed, "),
        Driver("cuMemFreeHost", ending: Ending.Kept),
        Driver("cuMemcpyHtoDAsync_v2", "64 bytes"),
        Driver("cuMemcpyDtoHAsync_v2", "64 bytes"),
        Driver("cuMemcpyDtoDAsync_v2", "4,096 bytes"),
        Driver("cuMemcpy2DAsync_v2", "4 rows of 16 bytes, pitch 16 to 32"),
        Driver("cuMemsetD8Async", "4,096 bytes"),
        Driver("cuStreamCreate"),
        Driver("cuStreamDestroy_v2", ending: Ending.Kept),
        Driver("cuStreamSynchronize"),
        Driver("cuStreamQuery"),
        Driver("cuStreamWaitEvent"),
        Driver("cuEventCreate"),
        Driver("cuEventDestroy_v2", ending: Ending.Kept),
        Driver("cuEventRecord"),
        Driver("cuEventQuery"),
        Driver("cuEventSynchronize"),
        Driver("cuEventElapsedTime"),
        new("cuModuleLoadData", 209, "NE8003", "kernels for F64, "),
        Driver("cuModuleUnload", ending: Ending.Kept),
        new("cuModuleGetFunction", 500, "NE1001", "kernel transpose_forward"),
        Driver("cuFuncGetAttribute", "kernel scale, CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK"),
        Driver("cuFuncSetAttribute", "kernel scale, 65,536 bytes of shared memory"),
        Driver("cuOccupancyMaxActiveBlocksPerMultiprocessor", "kernel scale, 32 threads"),
        new("cuLaunchKernel", 701, "NE1001", "kernel transpose_forward, grid 1 x 1 x 1, block 256 x 1 x 1, 0 bytes of shared memory"),

        // == cuBLAS and cuBLASLt: 3 is no memory, 14 an internal error ==
        new("cublasCreate_v2", 3, "NE7002"),
        Blas("cublasDestroy_v2", ending: Ending.Kept),
        Blas("cublasSetStream_v2"),
        Blas("cublasSetWorkspace_v2", "33,554,432 bytes"),
        Blas("cublasSetMathMode"),
        Blas("cublasSetAtomicsMode"),
        Blas("cublasGemmStridedBatchedEx_64", "F64 2 x 2 x 2, batch 1, F64 x F64"),
        Blas("cublasDsyrk_v2_64", "2 x 2 x 2"),
        new("cublasLtCreate", 3, "NE7002"),
        Blas("cublasLtDestroy", ending: Ending.Kept),
        new("cublasLtMatmulDescCreate", 3, "NE7002"),
        Blas("cublasLtMatmulDescDestroy", ending: Ending.Kept),
        Blas("cublasLtMatmulDescSetAttribute", "CUBLASLT_MATMUL_DESC_TRANSA = CUBLAS_OP_N"),
        new("cublasLtMatrixLayoutCreate", 3, "NE7002", "F32(4,4), stride 4"),
        Blas("cublasLtMatrixLayoutDestroy", ending: Ending.Kept),
        Blas("cublasLtMatrixLayoutSetAttribute", "CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT = 1"),
        new("cublasLtMatmulPreferenceCreate", 3, "NE7002"),
        Blas("cublasLtMatmulPreferenceDestroy", ending: Ending.Kept),
        Blas("cublasLtMatmulPreferenceSetAttribute", "CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES = 33554432"),
        Blas("cublasLtMatmulAlgoGetHeuristic", OfSmallProduct),
        Blas("cublasLtMatmul", $"{OfSmallProduct} to F32(4,4)"),

        // == cuSOLVER: 2 is no memory, 7 an internal error ==
        new("cusolverDnCreate", 2, "NE7002"),
        Solver("cusolverDnDestroy", ending: Ending.Kept),
        Solver("cusolverDnSetStream"),
        new("cusolverDnCreateParams", 2, "NE7002"),
        Solver("cusolverDnDestroyParams", ending: Ending.Kept),
        Solver("cusolverDnXsyevd_bufferSize", "n 2"),
        Solver("cusolverDnXsyevd", "n 2"),
        Solver("cusolverDnXsyevBatched_bufferSize", "n 2"),
        Solver("cusolverDnXsyevBatched", "n 2"),
        Solver("cusolverDnXpotrf_bufferSize", "n 2"),
        Solver("cusolverDnXpotrf", "n 2"),
        Solver("cusolverDnXpotrs", "n 2, 2 columns"),
        Solver("cusolverDnXgeqrf_bufferSize", "n 2"),
        Solver("cusolverDnXgeqrf", "n 2"),
        Solver("cusolverDnDorgqr_bufferSize", "n 2"),
        Solver("cusolverDnDorgqr", "n 2"),

        // == NVRTC: 1 is no memory, 6 an error in the source, 11 an internal error ==
        Compiler("nvrtcGetNumSupportedArchs", ""),
        Compiler("nvrtcGetSupportedArchs", ""),
        new("nvrtcCreateProgram", 1, "NE7002", "scale.cu"),
        Compiler("nvrtcDestroyProgram", "", Ending.Kept),
        new("nvrtcCompileProgram", 6, "NE8004", "scale.cu, --gpu-architecture=sm_90"),
        Compiler("nvrtcGetProgramLogSize"),
        Compiler("nvrtcGetProgramLog"),
        Compiler("nvrtcGetCUBINSize"),
        Compiler("nvrtcGetCUBIN"),
        Compiler("nvrtcGetPTXSize"),
        Compiler("nvrtcGetPTX"),
    ];

    /// <summary>By name.</summary>
    public static IReadOnlyDictionary<string, InjectedCall> All { get; } = Calls.ToDictionary(call => call.Name);

    /// <summary>The call that the exception names.</summary>
    public string Told => Ending == Ending.Told ? "cuStreamCreate" : Name;

    /// <summary>CUDASIM_FAIL for the n-th time that the call is made.</summary>
    public string Rule(int n) => FormattableString.Invariant($"{Name}@{n}={Status}") + (Ending == Ending.Told ? $",{Told}@{n}={Status}" : "");

    private static InjectedCall Driver(string name, string facts = "", Ending ending = Ending.Thrown) => new(name, 304, "NE9002", facts, ending);

    private static InjectedCall Blas(string name, string facts = "", Ending ending = Ending.Thrown) => new(name, 14, "NE9002", facts, ending);

    private static InjectedCall Solver(string name, string facts = "", Ending ending = Ending.Thrown) => new(name, 7, "NE9002", facts, ending);

    private static InjectedCall Compiler(string name, string facts = "scale.cu", Ending ending = Ending.Thrown) => new(name, 11, "NE8003", facts, ending);
}
