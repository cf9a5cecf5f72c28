namespace NativeEngine.Kernels.Tests;

/// <summary>The gradient table: a row for every op that has a backward op.</summary>
internal static class GradientCases
{
    private const DType F64 = DType.F64;

    public static IEnumerable<GradientCase> All =>
        Products().Concat(Pointwise()).Concat(Norms()).Concat(Positions()).Concat(Attention()).Concat(Mlp()).Concat(Loss());

    private static IEnumerable<GradientCase> Products()
    {
        yield return new(Op.Gemm, "5x7 = 5x9 (7x9)^T", [OpCases.Out(F64, 5, 7)], [OpCases.In(F64, 5, 9), OpCases.In(F64, 7, 9)],
            (b, y, x) => b.Gemm(y[0], x[0], x[1], transposeB: true),
            (b, g, dy, _, x) =>
            {
                b.Gemm(g[0], dy, x[1]);
                b.Gemm(g[1], dy, x[0], transposeA: true);
            });
    }

    private static IEnumerable<GradientCase> Pointwise()
    {
        const int N = 4, D = 21;
        Operand[] y = [OpCases.Out(F64, N, D)];
        yield return new(Op.AddColumnSums, "of AddBias", y, [OpCases.In(F64, D), OpCases.In(F64, N, D)],
            (b, y, x) =>
            {
                b.Copy(y[0], x[1]);
                b.AddBias(y[0], x[0]);
            },
            (b, g, dy, _, _) =>
            {
                b.AddColumnSums(g[0], dy);
                b.Copy(g[1], dy);
            });
        yield return new(Op.Dropout, "its own gradient", y, [OpCases.In(F64, N, D)],
            (b, y, x) => b.Dropout(y[0], x[0], 0.4, 11), (b, g, dy, _, _) => b.Dropout(g[0], dy, 0.4, 11));
    }

    private static IEnumerable<GradientCase> Norms()
    {
        const int N = 3, D = 11;
        Operand[] y = [OpCases.Out(F64, N, D)];
        Operand x = OpCases.Spread(F64, N, D, 2), gain = OpCases.In(F64, D), bias = OpCases.In(F64, D);
        foreach (int width in new[] { D, D + 5 })
        {
            yield return new(Op.RmsNormBackward, $"width {width} of {D}", y, [x, gain],
                (b, y, x) => b.RmsNorm(y[0], x[0], x[1], 0.1, width), (b, g, dy, _, x) => b.RmsNormBackward(g[0], g[1], dy, x[0], x[1], 0.1, width));
            yield return new(Op.RmsNormBackward, $"no gain, width {width} of {D}", y, [x],
                (b, y, x) => b.RmsNorm(y[0], x[0], null, 0.1, width), (b, g, dy, _, x) => b.RmsNormBackward(g[0], null, dy, x[0], null, 0.1, width));
        }

        yield return new(Op.LayerNormBackward, "gain and bias", y, [x, gain, bias],
            (b, y, x) => b.LayerNorm(y[0], x[0], x[1], x[2], 0.1), (b, g, dy, _, x) => b.LayerNormBackward(g[0], g[1], g[2], dy, x[0], x[1], 0.1));
        yield return new(Op.LayerNormBackward, "no gain, no bias", y, [x],
            (b, y, x) => b.LayerNorm(y[0], x[0], null, null, 0.1), (b, g, dy, _, x) => b.LayerNormBackward(g[0], null, null, dy, x[0], null, 0.1));
    }

    private static IEnumerable<GradientCase> Positions()
    {
        const int N = 6, HeadDim = 7, Half = 3;
        Operand ids = OpCases.Integers(N, i => i * 2 % 5);
        yield return new(Op.EmbedBackward, "6 rows of a table of 5", [OpCases.Out(F64, N, 9)], [OpCases.In(F64, 5, 9), ids],
            (b, y, x) => b.Embed(y[0], x[0], x[1]), (b, g, dy, _, x) => b.EmbedBackward(g[0], dy, x[1]))
        { Variables = 1 };
        Operand Angles(Func<double, double> f) => new(F64, new(5, Half), i => f(i * 0.7));
        yield return new(Op.Rope, "back", [OpCases.Out(F64, N, 2 * HeadDim)], [OpCases.In(F64, N, 2 * HeadDim), Angles(Math.Cos), Angles(Math.Sin), ids],
            (b, y, x) =>
            {
                b.Copy(y[0], x[0]);
                b.Rope(y[0], x[1], x[2], x[3], HeadDim);
            },
            (b, g, dy, _, x) =>
            {
                b.Copy(g[0], dy);
                b.Rope(g[0], x[1], x[2], x[3], HeadDim, back: true);
            })
        { Variables = 1 };
    }

    private static IEnumerable<GradientCase> Mlp()
    {
        const int N = 3, F = 19;
        Operand[] y = [OpCases.Out(F64, N, F)];
        foreach (Activation f in Enum.GetValues<Activation>())
        {
            yield return new(Op.ActivateBackward, $"{f}", y, [OpCases.Spread(F64, N, F, 2)],
                (b, y, x) => b.Activate(y[0], x[0], f), (b, g, dy, _, x) => b.ActivateBackward(g[0], dy, x[0], f));
            yield return new(Op.ActivateGatedBackward, $"{f}", y, [OpCases.Spread(F64, N, F, 2), OpCases.In(F64, N, F)],
                (b, y, x) => b.ActivateGated(y[0], x[0], x[1], f), (b, g, dy, _, x) => b.ActivateGatedBackward(g[0], g[1], dy, x[0], x[1], f));
        }
    }

    /// <summary>CrossEntropy weighs every row alike, so its gradient is multiplied by dy here.</summary>
    private static IEnumerable<GradientCase> Loss()
    {
        const int N = 4, V = 21;
        Operand targets = OpCases.Integers(N, i => i == 2 ? -1 : i * 5);
        yield return new(Op.CrossEntropy, "one row ignored", [OpCases.Out(F64, N)], [OpCases.Spread(F64, N, V, 2), targets],
            (b, y, x) => b.TokenLogProb(y[0], x[0], x[1]),
            (b, g, dy, y, x) =>
            {
                b.Copy(g[0], x[0]);
                for (int n = 0; n < N; n++)
                {
                    b.CrossEntropy(y[0].Reshape(new(N, 1)).RowRange(n, 1), g[0].RowRange(n, 1), x[1].Reshape(new(N, 1)).RowRange(n, 1), -dy.AsSpan<double>()[n]);
                }
            })
        { Variables = 1 };
    }

    private static IEnumerable<GradientCase> Attention()
    {
        const int Batch = 2, Length = 19;
        var dims = new AttentionDims(4, 2, 5, Length, 0.4);
        Operand[] results = [OpCases.Out(F64, Batch, Length, 20), OpCases.Out(F64, Batch, 4, Length)];
        Operand[] inputs = [OpCases.In(F64, Batch, Length, 20, 1), OpCases.In(F64, Batch, Length, 10, 2), OpCases.In(F64, Batch, Length, 10, 3)];
        yield return new(Op.Attention, "causal", results, inputs,
            (b, y, x) => b.Attention(y[0], y[1], x[0], x[1], x[2], null, null, dims),
            (b, g, dy, y, x) => b.AttentionBackward(g[0], g[1], g[2], dy, y[0], y[1], x[0], x[1], x[2], null, null, dims));
        yield return new(Op.Attention, "masked documents", results, [.. inputs, OpCases.Mask(Batch, Length), OpCases.Documents(Batch, Length, Length)],
            (b, y, x) => b.Attention(y[0], y[1], x[0], x[1], x[2], x[3], x[4], dims),
            (b, g, dy, y, x) => b.AttentionBackward(g[0], g[1], g[2], dy, y[0], y[1], x[0], x[1], x[2], x[3], x[4], dims))
        { Variables = 3 };
    }
}
