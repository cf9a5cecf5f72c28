using System.Runtime.CompilerServices;
using NativeEngine.Kernels.Interop;

namespace NativeEngine.Kernels.Cuda;

/// <summary>Copies between managed memory and the device through pinned blocks: while the device reads one, the next is filled.</summary>
internal sealed class HostTransfer : IDisposable
{
    private const int BlockBytes = 4 << 20;

    private readonly CudaStream stream;
    private readonly Owned owned = new();
    private readonly PinnedMemory[] blocks;
    private readonly CudaEvent[] read; // the device is done with the block of this number
    private int next;

    /// <summary>Copies in the order of <paramref name="stream"/>.</summary>
    public HostTransfer(CudaContext context, CudaStream stream)
    {
        this.stream = stream;
        try
        {
            blocks = [owned.Add(new PinnedMemory(context, BlockBytes)), owned.Add(new PinnedMemory(context, BlockBytes))];
            read = [owned.Add(new CudaEvent(context)), owned.Add(new CudaEvent(context))];
        }
        catch
        {
            owned.Dispose();
            throw;
        }
    }

    /// <summary>y = values; returns when the values were read, not when the device has them.</summary>
    public void Upload<T>(Tensor y, ReadOnlySpan<T> values) where T : unmanaged
    {
        int size = Unsafe.SizeOf<T>();
        foreach (Piece piece in Piece.Cover(y, BlockBytes))
        {
            PinnedMemory block = blocks[next];
            read[next].Synchronize();
            values.Slice((int)(piece.From / size), (int)(piece.Bytes / size)).CopyTo(Span<T>(block, piece));
            piece.ToDevice(stream, block);
            read[next].Record(stream);
            next ^= 1;
        }
    }

    /// <summary>values = x, when the stream has come that far.</summary>
    public void Download<T>(Span<T> values, Tensor x) where T : unmanaged
    {
        int size = Unsafe.SizeOf<T>();
        foreach (Piece piece in Piece.Cover(x, BlockBytes))
        {
            PinnedMemory block = blocks[next];
            piece.ToHost(stream, block);
            stream.Synchronize();
            Span<T>(block, piece).CopyTo(values.Slice((int)(piece.From / size), (int)(piece.Bytes / size)));
        }
    }

    /// <inheritdoc/>
    public void Dispose() => owned.Dispose();

    private static unsafe Span<T> Span<T>(PinnedMemory block, Piece piece) where T : unmanaged => new((void*)block.Handle, (int)(piece.Bytes / sizeof(T)));
}
