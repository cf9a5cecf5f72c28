namespace NativeEngine.Kernels.Tests;

/// <summary>The gradient table: a row for every op that has a backward op.</summary>
internal static class GradientCases
{
    private const DType F64 = DType.F64;

    public static IEnumerable<GradientCase> All => Products().Concat(Attention());

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
