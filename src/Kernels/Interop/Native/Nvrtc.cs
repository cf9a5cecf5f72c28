using System.Runtime.InteropServices;

namespace NativeEngine.Kernels.Interop.Native;

/// <summary>What a call of NVRTC returns.</summary>
internal enum nvrtcResult
{
    NVRTC_SUCCESS = 0,
    NVRTC_ERROR_OUT_OF_MEMORY = 1,
    NVRTC_ERROR_PROGRAM_CREATION_FAILURE = 2,
    NVRTC_ERROR_INVALID_INPUT = 3,
    NVRTC_ERROR_INVALID_PROGRAM = 4,
    NVRTC_ERROR_INVALID_OPTION = 5,
    NVRTC_ERROR_COMPILATION = 6,
    NVRTC_ERROR_BUILTIN_OPERATION_FAILURE = 7,
    NVRTC_ERROR_INTERNAL_ERROR = 11,
}

/// <summary>The run-time compiler of CUDA C++. It needs neither a driver nor a device.</summary>
internal static unsafe partial class Nvrtc
{
    [LibraryImport(Libraries.Nvrtc)]
    public static partial nvrtcResult nvrtcGetNumSupportedArchs(int* count);

    [LibraryImport(Libraries.Nvrtc)]
    public static partial nvrtcResult nvrtcGetSupportedArchs(int* architectures);

    [LibraryImport(Libraries.Nvrtc)]
    public static partial nvrtcResult nvrtcCreateProgram(nint* program, byte* source, byte* name, int headerCount, byte** headers, byte** includeNames);

    [LibraryImport(Libraries.Nvrtc)]
    public static partial nvrtcResult nvrtcDestroyProgram(nint* program);

    [LibraryImport(Libraries.Nvrtc)]
    public static partial nvrtcResult nvrtcCompileProgram(nint program, int optionCount, byte** options);

    [LibraryImport(Libraries.Nvrtc)]
    public static partial nvrtcResult nvrtcGetProgramLogSize(nint program, nuint* bytes);

    [LibraryImport(Libraries.Nvrtc)]
    public static partial nvrtcResult nvrtcGetProgramLog(nint program, byte* log);

    [LibraryImport(Libraries.Nvrtc)]
    public static partial nvrtcResult nvrtcGetCUBINSize(nint program, nuint* bytes);

    [LibraryImport(Libraries.Nvrtc)]
    public static partial nvrtcResult nvrtcGetCUBIN(nint program, byte* cubin);

    [LibraryImport(Libraries.Nvrtc)]
    public static partial nvrtcResult nvrtcGetPTXSize(nint program, nuint* bytes);

    [LibraryImport(Libraries.Nvrtc)]
    public static partial nvrtcResult nvrtcGetPTX(nint program, byte* ptx);
}
