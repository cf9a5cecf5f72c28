using static NativeEngine.Kernels.Interop.Native.Cuda;

namespace NativeEngine.Kernels.Interop;

/// <summary>A mark in a stream, to wait for or to take the time at.</summary>
internal sealed unsafe class CudaEvent : CudaHandle
{
    /// <summary>A mark that is nowhere yet; one without <paramref name="timing"/> costs less.</summary>
    public CudaEvent(CudaContext context, bool timing = false) : base(context)
    {
        nint created;
        Gate.Check(cuEventCreate(&created, timing ? CU_EVENT_DEFAULT : CU_EVENT_DISABLE_TIMING));
        Own(created);
    }

    /// <summary>Sets the mark behind what was put on <paramref name="stream"/> so far.</summary>
    public void Record(CudaStream stream)
    {
        Gate.Check(cuEventRecord(handle, stream.Handle));
        GC.KeepAlive(stream);
    }

    /// <summary>Waits until the stream has come past the mark.</summary>
    public void Synchronize() => Gate.Check(cuEventSynchronize(handle));

    /// <summary>Seconds between two marks that were reached, both with timing.</summary>
    public double SecondsSince(CudaEvent start)
    {
        float milliseconds;
        Gate.Check(cuEventElapsedTime(&milliseconds, start.Handle, handle));
        GC.KeepAlive(start);
        return milliseconds / 1000.0;
    }

    /// <inheritdoc/>
    protected override bool Destroy() => Gate.Quietly(cuEventDestroy_v2(handle), this, nameof(cuEventDestroy_v2));
}
