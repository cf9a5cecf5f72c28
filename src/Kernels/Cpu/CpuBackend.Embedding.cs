using System.Numerics;

namespace NativeEngine.Kernels.Cpu;

public sealed partial class CpuBackend
{
    /// <inheritdoc/>
    public void Embed(Tensor y, Tensor table, Tensor ids)
    {
        bool stored = table.DType == DType.BF16 && y.DType == DType.F32;
        Check.Embed(this, y, table, ids);
        Check.InRange(Op.Embed, ids, 0, table.Rows);
        if (stored)
        {
            EmbedStored(y, table, ids);
        }
        else if (y.DType == DType.F32)
        {
            Embed<float>(y, table, ids);
        }
        else
        {
            Embed<double>(y, table, ids);
        }
    }

    /// <inheritdoc/>
    public void EmbedBackward(Tensor dtable, Tensor dy, Tensor ids)
    {
        Check.EmbedBackward(this, dtable, dy, ids);
        Check.InRange(Op.EmbedBackward, ids, 0, dtable.Rows);
        if (dy.DType == DType.F32)
        {
            EmbedBackward<float>(dtable, dy, ids);
        }
        else
        {
            EmbedBackward<double>(dtable, dy, ids);
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

    private void EmbedStored(Tensor y, Tensor table, Tensor ids) => ForRows(y.Rows, y.Columns, (first, end) =>
    {
        ReadOnlySpan<int> id = ids.AsSpan<int>();
        for (long n = first; n < end; n++)
        {
            Bfloat16.ToSingle(table.Row<ushort>(id[(int)n]), y.Row<float>(n));
        }
    });

    /// <summary>A piece owns every sixteenth row of the table, so that each is added to in the order of n, and frequent ids fall apart.</summary>
    private void EmbedBackward<T>(Tensor dtable, Tensor dy, Tensor ids) where T : unmanaged, INumber<T>
    {
        const int Pieces = 16;
        team.For(Pieces, piece =>
        {
            ReadOnlySpan<int> id = ids.AsSpan<int>();
            for (int n = 0; n < id.Length; n++)
            {
                if (id[n] % Pieces == piece)
                {
                    Span<T> row = dtable.Row<T>(id[n]);
                    RowMath.Add(row, dy.Row<T>(n));
                }
            }
        });
    }
}
