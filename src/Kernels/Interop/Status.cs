using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using NativeEngine.Kernels.Interop.Native;
using static NativeEngine.Kernels.Interop.Native.CUresult;

namespace NativeEngine.Kernels.Interop;

/// <summary>What follows from a status.</summary>
internal enum Verdict
{
    /// <summary>The engine called wrongly.</summary>
    Defect,

    /// <summary>The memory of the device, or pinned memory of the host, is used up. The context survives.</summary>
    OutOfMemory,

    /// <summary>This driver or this device cannot do it.</summary>
    Unusable,

    /// <summary>NVRTC refused the source.</summary>
    NotCompiled,

    /// <summary>It went wrong on the device.</summary>
    Failed,

    /// <summary>The context is lost, and with it every later call.</summary>
    Fault,
}

/// <summary>A status that is not success, read.</summary>
/// <param name="Value">the number</param>
/// <param name="Name">the name that its header gives it</param>
/// <param name="Text">what it means, where that is known</param>
/// <param name="Verdict">what follows</param>
internal readonly record struct Status(int Value, string Name, string? Text, Verdict Verdict)
{
    /// <summary>Reads a status of any of the libraries.</summary>
    public static Status Of<T>(T status) where T : unmanaged, Enum => (Enum)status switch
    {
        CUresult cuda => Of(cuda),
        cublasStatus_t blas => Of(status, Judge(blas)),
        cusolverStatus_t solver => Of(status, Judge(solver)),
        nvrtcResult compiler => Of(status, Judge(compiler)),
        _ => throw new ArgumentException($"{typeof(T).Name} is not the status of a library"),
    };

    private static Status Of(CUresult status)
    {
        Verdict verdict = Judge(status);
        return verdict == Verdict.Fault
            ? new((int)status, status.ToString(), FaultText(status), verdict) // without asking the driver: no call may be made any more
            : new((int)status, DriverText(status, name: true) ?? status.ToString(), DriverText(status, name: false), verdict);
    }

    private static Status Of<T>(T status, Verdict verdict) where T : unmanaged, Enum => new(Unsafe.BitCast<T, int>(status), status.ToString(), null, verdict);

    private static Verdict Judge(CUresult status) => status switch
    {
        CUDA_ERROR_OUT_OF_MEMORY => Verdict.OutOfMemory,
        CUDA_ERROR_ECC_UNCORRECTABLE or CUDA_ERROR_NVLINK_UNCORRECTABLE or CUDA_ERROR_CONTAINED or CUDA_ERROR_ILLEGAL_ADDRESS or CUDA_ERROR_LAUNCH_TIMEOUT
            or CUDA_ERROR_CONTEXT_IS_DESTROYED or CUDA_ERROR_ASSERT or (>= CUDA_ERROR_HARDWARE_STACK_ERROR and <= CUDA_ERROR_LAUNCH_FAILED)
            or CUDA_ERROR_TENSOR_MEMORY_LEAK => Verdict.Fault,
        CUDA_ERROR_STUB_LIBRARY or CUDA_ERROR_DEVICE_UNAVAILABLE or CUDA_ERROR_NO_DEVICE or CUDA_ERROR_INVALID_DEVICE or CUDA_ERROR_NO_BINARY_FOR_GPU
            or CUDA_ERROR_INVALID_PTX or CUDA_ERROR_UNSUPPORTED_PTX_VERSION or CUDA_ERROR_NOT_SUPPORTED or CUDA_ERROR_SYSTEM_DRIVER_MISMATCH
            or CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE => Verdict.Unusable,
        CUDA_ERROR_INVALID_VALUE or CUDA_ERROR_NOT_INITIALIZED or CUDA_ERROR_INVALID_IMAGE or CUDA_ERROR_INVALID_CONTEXT or CUDA_ERROR_INVALID_HANDLE
            or CUDA_ERROR_NOT_FOUND or CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES => Verdict.Defect,
        _ => Verdict.Failed,
    };

    private static Verdict Judge(cublasStatus_t status) => status switch
    {
        cublasStatus_t.CUBLAS_STATUS_ALLOC_FAILED => Verdict.OutOfMemory,
        cublasStatus_t.CUBLAS_STATUS_NOT_INITIALIZED or cublasStatus_t.CUBLAS_STATUS_ARCH_MISMATCH
            or cublasStatus_t.CUBLAS_STATUS_LICENSE_ERROR => Verdict.Unusable,
        cublasStatus_t.CUBLAS_STATUS_INVALID_VALUE or cublasStatus_t.CUBLAS_STATUS_NOT_SUPPORTED => Verdict.Defect,
        _ => Verdict.Failed,
    };

    private static Verdict Judge(cusolverStatus_t status) => status switch
    {
        cusolverStatus_t.CUSOLVER_STATUS_ALLOC_FAILED => Verdict.OutOfMemory,
        cusolverStatus_t.CUSOLVER_STATUS_NOT_INITIALIZED or cusolverStatus_t.CUSOLVER_STATUS_ARCH_MISMATCH => Verdict.Unusable,
        cusolverStatus_t.CUSOLVER_STATUS_INVALID_VALUE or cusolverStatus_t.CUSOLVER_STATUS_NOT_SUPPORTED
            or cusolverStatus_t.CUSOLVER_STATUS_INVALID_WORKSPACE => Verdict.Defect,
        _ => Verdict.Failed,
    };

    private static Verdict Judge(nvrtcResult status) => status switch
    {
        nvrtcResult.NVRTC_ERROR_OUT_OF_MEMORY => Verdict.OutOfMemory,
        nvrtcResult.NVRTC_ERROR_INVALID_OPTION or nvrtcResult.NVRTC_ERROR_COMPILATION => Verdict.NotCompiled,
        nvrtcResult.NVRTC_ERROR_BUILTIN_OPERATION_FAILURE or nvrtcResult.NVRTC_ERROR_INTERNAL_ERROR => Verdict.Unusable,
        _ => Verdict.Defect,
    };

    private static string FaultText(CUresult status) => status switch
    {
        CUDA_ERROR_ECC_UNCORRECTABLE => "the memory of the GPU has an uncorrectable error",
        CUDA_ERROR_NVLINK_UNCORRECTABLE => "the link between GPUs has an uncorrectable error",
        CUDA_ERROR_CONTAINED => "the GPU has contained an error of its hardware",
        CUDA_ERROR_ILLEGAL_ADDRESS => "a kernel accessed memory that it does not own",
        CUDA_ERROR_LAUNCH_TIMEOUT => "a kernel took longer than the driver allows",
        CUDA_ERROR_CONTEXT_IS_DESTROYED => "other code in this process has destroyed the context",
        CUDA_ERROR_ASSERT => "an assertion failed in a kernel",
        CUDA_ERROR_HARDWARE_STACK_ERROR => "the call stack of a kernel is broken",
        CUDA_ERROR_ILLEGAL_INSTRUCTION => "a kernel ran into an illegal instruction",
        CUDA_ERROR_MISALIGNED_ADDRESS => "a kernel accessed a misaligned address",
        CUDA_ERROR_INVALID_ADDRESS_SPACE => "a kernel accessed an address of the wrong kind of memory",
        CUDA_ERROR_INVALID_PC => "a kernel jumped out of its code",
        CUDA_ERROR_TENSOR_MEMORY_LEAK => "a kernel left tensor memory behind",
        _ => "a kernel failed",
    };

    private static unsafe string? DriverText(CUresult status, bool name)
    {
        if (NativeLibs.Process.TryLoad(Libraries.Driver, []) is null)
        {
            return null;
        }

        byte* text = null;
        CUresult found = name ? Native.Cuda.cuGetErrorName(status, &text) : Native.Cuda.cuGetErrorString(status, &text);
        return found == CUDA_SUCCESS ? Marshal.PtrToStringUTF8((nint)text) : null;
    }
}
