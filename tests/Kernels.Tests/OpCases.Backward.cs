namespace NativeEngine.Kernels.Tests;

/// <summary>Gradients.</summary>
internal static partial class OpCases
{
    private static IEnumerable<OpCase> Backward(DType t) =>
        NormsBackward(t).Concat(PositionsBackward(t)).Concat(MlpBackward(t)).Concat(LossBackward(t));

    private static IEnumerable<OpCase> NormsBackward(DType t)
    {
        foreach ((int n, int d) in Sizes.Append((2100, 33)))
        {
            Operand gain = Spread(t, 1, d, 1, 4);
            yield return new(Op.AddColumnSums, t, $"{n}x{d}", [In(Sum(t), d), In(t, n, d)],
                (b, x) => b.AddColumnSums(x[0], x[1]), v => OpReference.AddColumnSums(v[0], v[1], n, d));
            yield return new(Op.RmsNormBackward, t, $"{n}x{d} width {d + 7}", [In(t, n, d), In(Sum(t), d), Spread(t, n, d, 2, 2), Spread(t, n, d, 3, 3), gain],
                (b, x) => b.RmsNormBackward(x[0], x[1], x[2], x[3], x[4], Eps, d + 7),
                v => OpReference.RmsNormBackward(v[0], v[1], v[2], v[3], v[4], n, d, Eps, d + 7))
            { Outputs = 2 };
            yield return new(Op.RmsNormBackward, t, $"{n}x{d} no gain", [In(t, n, d), Spread(t, n, d, 2, 2), Spread(t, n, d, 3, 3)],
                (b, x) => b.RmsNormBackward(x[0], null, x[1], x[2], null, Eps, d),
                v => OpReference.RmsNormBackward(v[0], null, v[1], v[2], null, n, d, Eps, d));
            yield return new(Op.LayerNormBackward, t, $"{n}x{d}", [In(t, n, d), In(Sum(t), d), In(Sum(t), d), Spread(t, n, d, 2, 2), Spread(t, n, d, 3, 3), gain],
                (b, x) => b.LayerNormBackward(x[0], x[1], x[2], x[3], x[4], x[5], Eps),
                v => OpReference.LayerNormBackward(v[0], v[1], v[2], v[3], v[4], v[5], n, d, Eps))
            { Outputs = 3 };
            yield return new(Op.LayerNormBackward, t, $"{n}x{d} frozen", [In(t, n, d), Spread(t, n, d, 2, 2), Spread(t, n, d, 3, 3), gain],
                (b, x) => b.LayerNormBackward(x[0], null, null, x[1], x[2], x[3], Eps),
                v => OpReference.LayerNormBackward(v[0], null, null, v[1], v[2], v[3], n, d, Eps));
            yield return new(Op.LayerNormBackward, t, $"{n}x{d} no gain, only bias", [In(t, n, d), In(Sum(t), d), Spread(t, n, d, 2, 2), Spread(t, n, d, 3, 3)],
                (b, x) => b.LayerNormBackward(x[0], null, x[1], x[2], x[3], null, Eps),
                v => OpReference.LayerNormBackward(v[0], null, v[1], v[2], v[3], null, n, d, Eps))
            { Outputs = 2 };
        }
    }

    private static IEnumerable<OpCase> PositionsBackward(DType t)
    {
        foreach ((int n, int d) in Sizes)
        {
            const int Rows = 19;
            yield return new(Op.EmbedBackward, t, $"{n}x{d}", [In(Sum(t), Rows, d), In(t, n, d), Integers(n, i => i * 7 % (Rows - 1))],
                (b, x) => b.EmbedBackward(x[0], x[1], x[2]), v => OpReference.EmbedBackward(v[0], v[1], v[2], n, d));
        }

        foreach ((int n, int heads, int headDim, int half) in RopeSizes)
        {
            yield return new(Op.Rope, t, $"back, {n} rows, {heads} heads of {headDim}, {half} angles",
                [In(t, n, heads * headDim), In(Sum(t), n + 5, half), In(Sum(t), n + 5, half), Integers(n, i => n + 4 - i)],
                (b, x) => b.Rope(x[0], x[1], x[2], x[3], headDim, back: true),
                v => OpReference.Rope(v[0], v[1], [.. v[2].Select(sin => -sin)], v[3], n, heads, headDim, half));
        }
    }

    private static IEnumerable<OpCase> MlpBackward(DType t)
    {
        foreach (Activation f in Enum.GetValues<Activation>())
        {
            foreach ((int n, int d) in Sizes)
            {
                yield return new(Op.ActivateBackward, t, $"{f} {n}x{d}", [Out(t, n, d), In(t, n, d), Spread(t, n, d, 3, 2)],
                    (b, x) => b.ActivateBackward(x[0], x[1], x[2], f), v => Each(v[0], i => v[1][i] * OpReference.Slope(v[2][i], f)));
                yield return new(Op.ActivateBackward, t, $"{f} {n}x{d} in place", [In(t, n, d), Spread(t, n, d, 30, 2)],
                    (b, x) => b.ActivateBackward(x[0], x[0], x[1], f), v => Each(v[0], i => v[0][i] * OpReference.Slope(v[1][i], f)));
                yield return new(Op.ActivateGatedBackward, t, $"{f} {n}x{d}", [Out(t, n, d), Out(t, n, d), In(t, n, d), Spread(t, n, d, 3, 2), Spread(t, n, d, 1, 3)],
                    (b, x) => b.ActivateGatedBackward(x[0], x[1], x[2], x[3], x[4], f),
                    v => OpReference.ActivateGatedBackward(v[0], v[1], v[2], v[3], v[4], f))
                { Outputs = 2 };
                yield return new(Op.ActivateGatedBackward, t, $"{f} {n}x{d} into gate and up", [Spread(t, n, d, 3), Spread(t, n, d, 1, 2), Spread(t, n, d, 1, 3)],
                    (b, x) => b.ActivateGatedBackward(x[0], x[1], x[2], x[0], x[1], f),
                    v => OpReference.ActivateGatedBackward(v[0], v[1], v[2], [.. v[0]], [.. v[1]], f))
                { Outputs = 2 };
            }
        }
    }

    private static IEnumerable<OpCase> LossBackward(DType t)
    {
        foreach ((int n, int d) in Sizes.Append((2, 5003)))
        {
            yield return new(Op.CrossEntropy, t, $"{n}x{d}", [Out(DType.F64, n), Spread(t, n, d, 8), Integers(n, i => i % 5 == 4 ? -100 : i * 11 % d)],
                (b, x) => b.CrossEntropy(x[0], x[1], x[2], 0.37), v => OpReference.CrossEntropy(v[0], v[1], v[2], 0.37, n, d))
            { Outputs = 2 };
        }
    }
}
