using System.Runtime.InteropServices;
using System.Text;
using NativeEngine.Kernels.Interop;
using NativeEngine.Kernels.Interop.Native;
using static NativeEngine.Kernels.Interop.Native.Nvtx;

namespace NativeEngine.Kernels;

/// <summary>A named range in the time line of a profiler: <c>using (new ProfilerRange("slice"))</c>. Nothing where the NVTX library is missing or has no such functions.</summary>
public sealed unsafe class ProfilerRange : IDisposable
{
    private static readonly bool IsPresent = NativeLibs.Process.TryLoad(Libraries.Nvtx, []) is { } library
        && NativeLibrary.TryGetExport(library.Handle, nameof(nvtxRangePushA), out _) && NativeLibrary.TryGetExport(library.Handle, nameof(nvtxRangePop), out _);

    /// <summary>Begins the range; ranges of one thread nest.</summary>
    public ProfilerRange(string name)
    {
        if (IsPresent)
        {
            fixed (byte* text = Encoding.UTF8.GetBytes(name + '\0'))
            {
                _ = nvtxRangePushA(text);
            }
        }
    }

    /// <summary>Ends the range.</summary>
    public void Dispose()
    {
        if (IsPresent)
        {
            _ = nvtxRangePop();
        }
    }
}
