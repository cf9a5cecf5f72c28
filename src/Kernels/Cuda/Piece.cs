using NativeEngine.Kernels.Interop;

namespace NativeEngine.Kernels.Cuda;

/// <summary>A part of a tensor that one pinned block holds: rows together, or a part of one row.</summary>
/// <param name="Address">on the device</param>
/// <param name="Pitch">bytes from one row to the next there</param>
/// <param name="RowBytes">of one row</param>
/// <param name="Rows">how many</param>
/// <param name="From">where it begins among the bytes of the host, which have no gaps</param>
internal readonly record struct Piece(nint Address, long Pitch, long RowBytes, long Rows, long From)
{
    /// <summary>Without gaps.</summary>
    public long Bytes => RowBytes * Rows;

    /// <summary>All of <paramref name="tensor"/>, in parts of at most <paramref name="blockBytes"/> bytes.</summary>
    public static IEnumerable<Piece> Cover(Tensor tensor, int blockBytes)
    {
        int size = tensor.DType.Size();
        long rowBytes = tensor.Columns * size, rows = tensor.Rows, pitch = tensor.RowStride * size;
        if (tensor.IsContiguous)
        {
            (rowBytes, rows) = (rowBytes * rows, 1);
        }

        long width = Math.Min(rowBytes, blockBytes), height = width < rowBytes ? 1 : Math.Max(1, blockBytes / Math.Max(width, 1));
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

    /// <summary>Puts the copy from <paramref name="block"/> on the stream.</summary>
    public void ToDevice(CudaStream stream, PinnedMemory block)
    {
        if (Rows == 1)
        {
            stream.Upload(Address, block.Handle, Bytes);
        }
        else
        {
            stream.CopyRows(OnDevice, OnHost(block), RowBytes, Rows);
        }
    }

    /// <summary>Puts the copy to <paramref name="block"/> on the stream.</summary>
    public void ToHost(CudaStream stream, PinnedMemory block)
    {
        if (Rows == 1)
        {
            stream.Download(block.Handle, Address, Bytes);
        }
        else
        {
            stream.CopyRows(OnHost(block), OnDevice, RowBytes, Rows);
        }
    }

    private PitchedRows OnDevice => new(Address, Pitch, OnDevice: true);

    private PitchedRows OnHost(PinnedMemory block) => new(block.Handle, RowBytes, OnDevice: false);
}
