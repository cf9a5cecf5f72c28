namespace NativeEngine.Kernels.Tests;

/// <summary>The optimiser.</summary>
internal static partial class OpCases
{
    private static IEnumerable<OpCase> Optimiser(DType t)
    {
        AdamWStep[] steps = [new(0.1, 0.9, 0.999, 1e-8, 0, 1, 1), new(0.03, 0.8, 0.95, 1e-3, 0.2, 7, 0.4), new(1e-3, 0.9, 0.999, 1e-8, 0.01, 100_000, 2)];
        foreach ((int n, int d) in Sizes)
        {
            yield return new(Op.SumOfSquares, t, $"{n}x{d}", [Out(DType.F64, 1), In(t, n, d)],
                (b, x) => b.Upload<double>(x[0], [b.SumOfSquares(x[1])]), v => v[0][0] = v[1].Chunk(d).Sum(row => row.Sum(value => value * value))); // row by row: one long sum would err more than the op
            foreach (AdamWStep step in t == Sum(t) ? steps : [])
            {
                Operand v = Spread(t, n, d, 1, 4);
                yield return new(Op.AdamW, t, $"step {step.Step} {n}x{d}",
                    [Spread(t, n, d, 1, 2), Spread(t, n, d, 1, 3), v with { Value = i => v.Value(i) * v.Value(i) }, Spread(t, n, d, 2, 5)],
                    (b, x) => b.AdamW(x[0], x[3], x[1], x[2], step), v => OpReference.AdamW(v[0], v[3], v[1], v[2], step))
                { Outputs = 3 };
            }
        }
    }
}
