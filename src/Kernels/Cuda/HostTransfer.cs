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
        foreach (Piece piece in Pieces(y))
        {
            PinnedMemory block = blocks[next];
            read[next].Synchronize();
            values.Slice((int)(piece.From / size), (int)(piece.Bytes / size)).CopyTo(Span<T>(block, piece));
            if (piece.Rows == 1)
            {
                stream.Upload(piece.Address, block.Handle, piece.Bytes);
            }
            else
            {
                stream.CopyRows(piece.OnDevice, piece.OnHost(block), piece.RowBytes, piece.Rows);
            }

            read[next].Record(stream);
            next ^= 1;
        }
    }

    /// <summary>values = x, when the stream has come that far.</summary>
    public void Download<T>(Span<T> values, Tensor x) where T : unmanaged
    {
        int size = Unsafe.SizeOf<T>();
        foreach (Piece piece in Pieces(x))
        {
            PinnedMemory block = blocks[next];
            if (piece.Rows == 1)
            {
                stream.Download(block.Handle, piece.Address, piece.Bytes);
            }
            else
            {
                stream.CopyRows(piece.OnHost(block), piece.OnDevice, piece.RowBytes, piece.Rows);
            }

            stream.Synchronize();
            Span<T>(block, piece).CopyTo(values.Slice((int)(piece.From / size), (int)(piece.Bytes / size)));
        }
    }

    /// <inheritdoc/>
    public void Dispose() => owned.Dispose();

    private static unsafe Span<T> Span<T>(PinnedMemory block, Piece piece) where T : unmanaged => new((void*)block.Handle, (int)(piece.Bytes / sizeof(T)));

    /// <summary>Parts of <paramref name="tensor"/> that fit a block: rows together, or a part of one row.</summary>
    private static IEnumerable<Piece> Pieces(Tensor tensor)
    {
        int size = tensor.DType.Size();
        long rowBytes = tensor.Columns * size, rows = tensor.Rows, pitch = tensor.RowStride * size;
        if (tensor.IsContiguous)
        {
            (rowBytes, rows) = (rowBytes * rows, 1);
        }

        long width = Math.Min(rowBytes, BlockBytes), height = width < rowBytes ? 1 : Math.Max(1, BlockBytes / Math.Max(width, 1));
        for (long row = 0; row < rows; row += height)
        {
            for (long column = 0; column < rowBytes; column += width)
            {
                yield return new Piece(
                    tensor.Address + checked((nint)(row * pitch + column)), pitch,
                    Math.Min(width, rowBytes - column), Math.Min(height, rows - row), row * rowBytes + column);
            }
        }
    }

    /// <param name="Address">on the device</param>
    /// <param name="Pitch">bytes from one row to the next there</param>
    /// <param name="RowBytes">of one row</param>
    /// <param name="Rows">how many</param>
    /// <param name="From">where it begins among the bytes of the host, which have no gaps</param>
    private readonly record struct Piece(nint Address, long Pitch, long RowBytes, long Rows, long From)
    {
        public long Bytes => RowBytes * Rows;

        public PitchedRows OnDevice => new(Address, Pitch, OnDevice: true);

        public PitchedRows OnHost(PinnedMemory block) => new(block.Handle, RowBytes, OnDevice: false);
    }
}
