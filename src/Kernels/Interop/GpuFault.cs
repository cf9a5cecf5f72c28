namespace NativeEngine.Kernels.Interop;

/// <summary>
/// Remembers that the GPU context of this process is lost. From then on every call fails on the device, and some hang, so none is made:
/// not for work, not to rescue results, not to free anything.
/// </summary>
internal static class GpuFault
{
    private static volatile CudaException? first;

    /// <summary>Whether a fault has been seen.</summary>
    public static bool IsLatched => first is not null;

    /// <summary>Throws the fault again, if there was one.</summary>
    public static void ThrowIfLatched()
    {
        if (first is { } fault)
        {
            throw new CudaException(fault);
        }
    }

    /// <summary>Latches; the first fault stays.</summary>
    public static void Latch(CudaException fault) => Interlocked.CompareExchange(ref first, fault, null);

    /// <summary>For tests, whose fault is only played.</summary>
    internal static void Forget() => first = null;
}
