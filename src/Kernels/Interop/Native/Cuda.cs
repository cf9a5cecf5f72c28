using System.Runtime.InteropServices;
using static NativeEngine.Kernels.Interop.Native.Libraries;

namespace NativeEngine.Kernels.Interop.Native;

/// <summary>
/// The driver API, with the names that the library exports (cuda.h renames some by macro: cuMemAlloc is cuMemAlloc_v2).
/// Handles and device addresses are nint; pointers are to host memory.
/// </summary>
internal static unsafe partial class Cuda
{
    public const uint CU_STREAM_NON_BLOCKING = 1;
    public const uint CU_EVENT_DEFAULT = 0;
    public const uint CU_EVENT_DISABLE_TIMING = 2;
    public const uint CU_EVENT_WAIT_DEFAULT = 0;
    public const uint CU_MEMHOSTALLOC_PORTABLE = 1;

    [LibraryImport(Driver)]
    public static partial CUresult cuInit(uint flags);

    [LibraryImport(Driver)]
    public static partial CUresult cuGetErrorName(CUresult error, byte** text);

    [LibraryImport(Driver)]
    public static partial CUresult cuGetErrorString(CUresult error, byte** text);

    // == devices and their primary contexts ==

    [LibraryImport(Driver)]
    public static partial CUresult cuDeviceGetCount(int* count);

    [LibraryImport(Driver)]
    public static partial CUresult cuDeviceGet(int* device, int ordinal);

    [LibraryImport(Driver)]
    public static partial CUresult cuDeviceGetName(byte* name, int length, int device);

    [LibraryImport(Driver)]
    public static partial CUresult cuDeviceTotalMem_v2(nuint* bytes, int device);

    [LibraryImport(Driver)]
    public static partial CUresult cuDeviceGetAttribute(int* value, CUdevice_attribute attribute, int device);

    [LibraryImport(Driver)]
    public static partial CUresult cuDevicePrimaryCtxRetain(nint* context, int device);

    [LibraryImport(Driver)]
    public static partial CUresult cuDevicePrimaryCtxRelease_v2(int device);

    [LibraryImport(Driver)]
    public static partial CUresult cuCtxSetCurrent(nint context);

    [LibraryImport(Driver)]
    public static partial CUresult cuCtxSynchronize();

    // == memory ==

    [LibraryImport(Driver)]
    public static partial CUresult cuMemGetInfo_v2(nuint* free, nuint* total);

    [LibraryImport(Driver)]
    public static partial CUresult cuMemAlloc_v2(nint* address, nuint bytes);

    [LibraryImport(Driver)]
    public static partial CUresult cuMemFree_v2(nint address);

    [LibraryImport(Driver)]
    public static partial CUresult cuMemHostAlloc(void** address, nuint bytes, uint flags);

    [LibraryImport(Driver)]
    public static partial CUresult cuMemFreeHost(void* address);

    [LibraryImport(Driver)]
    public static partial CUresult cuMemcpyHtoDAsync_v2(nint to, void* from, nuint bytes, nint stream);

    [LibraryImport(Driver)]
    public static partial CUresult cuMemcpyDtoHAsync_v2(void* to, nint from, nuint bytes, nint stream);

    [LibraryImport(Driver)]
    public static partial CUresult cuMemcpyDtoDAsync_v2(nint to, nint from, nuint bytes, nint stream);

    [LibraryImport(Driver)]
    public static partial CUresult cuMemcpy2DAsync_v2(CUDA_MEMCPY2D* copy, nint stream);

    [LibraryImport(Driver)]
    public static partial CUresult cuMemsetD8Async(nint address, byte value, nuint count, nint stream);

    // == streams and events ==

    [LibraryImport(Driver)]
    public static partial CUresult cuStreamCreate(nint* stream, uint flags);

    [LibraryImport(Driver)]
    public static partial CUresult cuStreamDestroy_v2(nint stream);

    [LibraryImport(Driver)]
    public static partial CUresult cuStreamSynchronize(nint stream);

    [LibraryImport(Driver)]
    public static partial CUresult cuStreamWaitEvent(nint stream, nint @event, uint flags);

    [LibraryImport(Driver)]
    public static partial CUresult cuEventCreate(nint* @event, uint flags);

    [LibraryImport(Driver)]
    public static partial CUresult cuEventDestroy_v2(nint @event);

    [LibraryImport(Driver)]
    public static partial CUresult cuEventRecord(nint @event, nint stream);

    [LibraryImport(Driver)]
    public static partial CUresult cuEventSynchronize(nint @event);

    [LibraryImport(Driver)]
    public static partial CUresult cuEventElapsedTime(float* milliseconds, nint start, nint end);

    // == modules and kernels ==

    [LibraryImport(Driver)]
    public static partial CUresult cuModuleLoadData(nint* module, void* image);

    [LibraryImport(Driver)]
    public static partial CUresult cuModuleUnload(nint module);

    [LibraryImport(Driver)]
    public static partial CUresult cuModuleGetFunction(nint* function, nint module, byte* name);

    [LibraryImport(Driver)]
    public static partial CUresult cuFuncGetAttribute(int* value, CUfunction_attribute attribute, nint function);

    [LibraryImport(Driver)]
    public static partial CUresult cuLaunchKernel(
        nint function, uint gridX, uint gridY, uint gridZ, uint blockX, uint blockY, uint blockZ, uint sharedBytes, nint stream, void** parameters, void** extra);
}
