using System.Runtime.InteropServices;

namespace NativeEngine.Kernels.Interop.Native;

/// <summary>Ranges in the time line of a profiler. The library is optional: ask <see cref="NativeLibs"/> first.</summary>
internal static unsafe partial class Nvtx
{
    [LibraryImport(Libraries.Nvtx)]
    public static partial int nvtxRangePushA(byte* message);

    [LibraryImport(Libraries.Nvtx)]
    public static partial int nvtxRangePop();
}
