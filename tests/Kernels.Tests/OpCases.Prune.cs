namespace NativeEngine.Kernels.Tests;

/// <summary>Importance and deletion.</summary>
internal static partial class OpCases
{
    private static IEnumerable<OpCase> Prune(DType t) => Saliencies(t).Concat(Deletions(t));

    private static IEnumerable<OpCase> Saliencies(DType t)
    {
        foreach ((int n, int d) in Sizes)
        {
            yield return new(Op.AddSquares, t, $"{n}x{d}", [In(Sum(t), n, d), Spread(t, n, d, 2, 2)],
                (b, x) => b.AddSquares(x[0], x[1], 0.3), v => Each(v[0], i => v[0][i] + 0.3 * v[1][i] * v[1][i]));
        }

        (int N, int D)[] sizes = [(1, 1), (3, 31), (33, 64), (130, 75)];
        foreach ((int n, int d) in sizes)
        {
            foreach (Saliency saliency in Enum.GetValues<Saliency>())
            {
                foreach (bool columns in new[] { false, true })
                {
                    DType[] stored = t == DType.F32 ? [t, DType.BF16] : [t];
                    foreach (DType weight in stored)
                    {
                        yield return new(Op.AddSaliency, t, $"{saliency} {(columns ? "columns" : "rows")} of {weight} {n}x{d}",
                            [In(DType.F64, columns ? d : n), In(weight, n, d), Spread(Sum(t), n, d, 2, 2), Spread(Sum(t), n, d, 3, 3)],
                            (b, x) => b.AddSaliency(x[0], x[1], x[2], x[3], saliency, columns),
                            v => OpReference.AddSaliency(v[0], v[1], v[2], v[3], saliency, columns, n, d));
                    }
                }
            }
        }
    }

    /// <summary>What lies behind the kept rows or columns is undefined, so it is cleared afterwards.</summary>
    private static IEnumerable<OpCase> Deletions(DType t)
    {
        DType[] types = t == DType.F32 ? [t, DType.BF16, DType.I32] : [t];
        foreach ((int n, int d) in Sizes)
        {
            foreach (DType type in types)
            {
                Operand kept = Kept(n), keptColumns = Kept(d);
                yield return new(Op.KeepRows, t, $"{type} {n}x{d}", [Spread(type, n, d, 100), kept],
                    (b, x) =>
                    {
                        b.KeepRows(x[0], x[1]);
                        b.Zero(x[0].RowRange(kept.Shape.Count, n - kept.Shape.Count));
                    },
                    v => OpReference.Keep(v[0], v[1], [.. Enumerable.Range(0, d)], n, d));
                yield return new(Op.KeepColumns, t, $"{type} {n}x{d}", [Spread(type, n, d, 100), keptColumns],
                    (b, x) =>
                    {
                        b.KeepColumns(x[0], x[1]);
                        b.Zero(x[0].ColumnRange(keptColumns.Shape.Count, d - keptColumns.Shape.Count));
                    },
                    v => OpReference.Keep(v[0], [.. Enumerable.Range(0, n)], v[1], n, d));
            }
        }
    }

    /// <summary>0, 2, 3, 5, 6, ...: every third index is dropped.</summary>
    private static Operand Kept(int n)
    {
        int[] kept = [.. Enumerable.Range(0, n).Where(i => i % 3 != 1)];
        return Integers(kept.Length, i => kept[i]);
    }
}
