using NativeEngine.Kernels.Interop.Native;
using static NativeEngine.Kernels.Interop.Native.Cuda;

namespace NativeEngine.Kernels.Interop;

/// <summary>One side of a copy of rows.</summary>
/// <param name="Address">of the first row</param>
/// <param name="Pitch">bytes from one row to the next</param>
/// <param name="OnDevice">false for host memory</param>
internal readonly record struct PitchedRows(nint Address, long Pitch, bool OnDevice);

/// <summary>
/// Work that runs in order, without waiting for the default stream. Copies from and to pinned memory are asynchronous: neither side may be
/// touched before the stream has come that far.
/// </summary>
internal sealed unsafe class CudaStream : CudaHandle
{
    /// <summary>An empty stream.</summary>
    public CudaStream(CudaContext context) : base(context)
    {
        nint stream;
        Gate.Check(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
        Own(stream);
    }

    /// <summary>Waits until nothing is left to do.</summary>
    public void Synchronize() => Gate.Check(cuStreamSynchronize(handle));

    /// <summary>What comes next on this stream waits for <paramref name="event"/>.</summary>
    public void Wait(CudaEvent @event)
    {
        Gate.Check(cuStreamWaitEvent(handle, @event.Handle, CU_EVENT_WAIT_DEFAULT));
        GC.KeepAlive(@event);
    }

    /// <summary>Host to device.</summary>
    public void Upload(nint to, nint from, long bytes) => Gate.Check(cuMemcpyHtoDAsync_v2(to, (void*)from, checked((nuint)bytes), handle), $"{bytes:N0} bytes");

    /// <summary>Device to host.</summary>
    public void Download(nint to, nint from, long bytes) => Gate.Check(cuMemcpyDtoHAsync_v2((void*)to, from, checked((nuint)bytes), handle), $"{bytes:N0} bytes");

    /// <summary>Device to device.</summary>
    public void Copy(nint to, nint from, long bytes) => Gate.Check(cuMemcpyDtoDAsync_v2(to, from, checked((nuint)bytes), handle), $"{bytes:N0} bytes");

    /// <summary><paramref name="rows"/> rows of <paramref name="rowBytes"/> bytes, between any two places.</summary>
    public void CopyRows(PitchedRows to, PitchedRows from, long rowBytes, long rows)
    {
        CUDA_MEMCPY2D copy = new()
        {
            srcMemoryType = Kind(from),
            srcHost = from.Address, // of host and device, the one that is not of the memory's type is not read
            srcDevice = from.Address,
            srcPitch = checked((nuint)from.Pitch),
            dstMemoryType = Kind(to),
            dstHost = to.Address,
            dstDevice = to.Address,
            dstPitch = checked((nuint)to.Pitch),
            WidthInBytes = checked((nuint)rowBytes),
            Height = checked((nuint)rows),
        };
        Gate.Check(cuMemcpy2DAsync_v2(&copy, handle), $"{rows} rows of {rowBytes:N0} bytes, pitch {from.Pitch} to {to.Pitch}");
    }

    /// <summary>Sets every byte of device memory to <paramref name="value"/>.</summary>
    public void Fill(nint address, byte value, long bytes) => Gate.Check(cuMemsetD8Async(address, value, checked((nuint)bytes), handle), $"{bytes:N0} bytes");

    /// <inheritdoc/>
    protected override bool Destroy() => Gate.Quietly(cuStreamDestroy_v2(handle), this, nameof(cuStreamDestroy_v2));

    private static CUmemorytype Kind(PitchedRows rows) => rows.OnDevice ? CUmemorytype.CU_MEMORYTYPE_DEVICE : CUmemorytype.CU_MEMORYTYPE_HOST;
}
