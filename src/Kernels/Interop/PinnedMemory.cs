using static NativeEngine.Kernels.Interop.Native.Cuda;

namespace NativeEngine.Kernels.Interop;

/// <summary>A block of host memory that stays where it is, so that the device copies from and to it by itself.</summary>
internal sealed unsafe class PinnedMemory : CudaHandle
{
    /// <summary>Allocates <paramref name="bytes"/> bytes, more than none.</summary>
    /// <exception cref="CudaException">NE7002</exception>
    public PinnedMemory(CudaContext context, long bytes) : base(context)
    {
        void* address;
        Gate.Check(cuMemHostAlloc(&address, checked((nuint)bytes), CU_MEMHOSTALLOC_PORTABLE), $"{bytes:N0} bytes of pinned host memory needed");
        Own((nint)address);
        Bytes = bytes;
    }

    /// <summary>Its size.</summary>
    public long Bytes { get; }

    /// <inheritdoc/>
    protected override bool Destroy() => Context!.TrySynchronize() & Gate.Quietly(cuMemFreeHost((void*)handle), this, nameof(cuMemFreeHost));
}
