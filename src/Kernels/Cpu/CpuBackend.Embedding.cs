namespace NativeEngine.Kernels.Cpu;

public sealed partial class CpuBackend
{
    /// <inheritdoc/>
    public void Embed(Tensor y, Tensor table, Tensor ids)
    {
        Check.SameFloats(Op.Embed, y, table);
        Check.That(y.Columns == table.Columns, Op.Embed, "y and the table must have the same columns", y, table);
        Check.OnePerRow(Op.Embed, y, ids);
        Check.InRange(Op.Embed, ids, 0, table.Rows);
        if (y.DType == DType.F32)
        {
            Embed<float>(y, table, ids);
        }
        else
        {
            Embed<double>(y, table, ids);
        }
    }

    private void Embed<T>(Tensor y, Tensor table, Tensor ids) where T : unmanaged => ForRows(y.Rows, y.Columns, (first, end) =>
    {
        ReadOnlySpan<int> id = ids.AsSpan<int>();
        for (long n = first; n < end; n++)
        {
            table.Row<T>(id[(int)n]).CopyTo(y.Row<T>(n));
        }
    });
}
