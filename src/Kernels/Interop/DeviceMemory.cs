using NativeEngine.Kernels.Interop.Native;
using static NativeEngine.Kernels.Interop.Native.Cuda;

namespace NativeEngine.Kernels.Interop;

/// <summary>A block of device memory, not cleared.</summary>
internal sealed unsafe class DeviceMemory : CudaHandle
{
    /// <summary>Allocates <paramref name="bytes"/> bytes, more than none.</summary>
    /// <exception cref="CudaException">NE7002, with what is needed and what is free</exception>
    public DeviceMemory(CudaContext context, long bytes) : base(context)
    {
        nint address;
        CUresult status;
        Gate gate = Gate;
        do
        {
            status = cuMemAlloc_v2(&address, checked((nuint)bytes));
        }
        while (gate.MadeRoom(status));

        gate.Check(status, $"{bytes:N0} bytes needed", nameof(cuMemAlloc_v2));
        Own(address);
        Bytes = bytes;
    }

    /// <summary>Its size.</summary>
    public long Bytes { get; }

    /// <inheritdoc/>
    protected override bool Destroy() => Gate.Quietly(cuMemFree_v2(handle), this, nameof(cuMemFree_v2));
}
