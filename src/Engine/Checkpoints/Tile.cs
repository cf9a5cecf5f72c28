using NativeEngine.Kernels;

namespace NativeEngine.Checkpoints;

/// <summary>A part of a tensor that is small enough to be staged, and contiguous in a file that holds the whole tensor row by row.</summary>
/// <param name="View">the part of the tensor, as a matrix</param>
/// <param name="Element">elements in front of it in the file</param>
internal readonly record struct Tile(Tensor View, long Element)
{
    /// <summary>Bytes of the largest staging block, and of the largest single read or write.</summary>
    public const int StagingBytes = 16 << 20;

    /// <summary>Cuts <paramref name="tensor"/> into tiles of at most <paramref name="elements"/> elements: whole rows where a row fits.</summary>
    public static IEnumerable<Tile> Cover(Tensor tensor, long elements)
    {
        Tensor matrix = tensor.IsContiguous ? tensor.Reshape(new Shape(tensor.Shape.Count)) : tensor;
        long columns = Math.Min(matrix.Columns, elements);
        long rows = columns == 0 ? matrix.Rows : columns < matrix.Columns ? 1 : elements / columns;
        for (long row = 0; row < matrix.Rows; row += rows)
        {
            Tensor band = matrix.RowRange(row, Math.Min(rows, matrix.Rows - row));
            for (long column = 0; column < matrix.Columns; column += columns)
            {
                yield return new Tile(band.ColumnRange(column, Math.Min(columns, matrix.Columns - column)), row * matrix.Columns + column);
            }
        }
    }
}
