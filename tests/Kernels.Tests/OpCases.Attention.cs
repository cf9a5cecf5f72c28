namespace NativeEngine.Kernels.Tests;

internal static partial class OpCases
{
    private static IEnumerable<OpCase> Attention(DType t)
    {
        (int Batch, int Queries, int Capacity, AttentionDims Dims)[] sizes =
        [
            (1, 1, 1, new(1, 1, 1, 1, 1)),
            (2, 1, 40, new(4, 2, 32, 33, 0.2)),
            (1, 1, 300, new(8, 1, 64, 257, 0.125)),
            (3, 31, 31, new(3, 3, 20, 31, 0.3)),
            (2, 33, 50, new(6, 2, 33, 47, 0.2)),
            (1, 64, 64, new(2, 2, 64, 64, 0.125)),
            (1, 65, 130, new(4, 4, 16, 129, 0.25)),
            (2, 257, 257, new(4, 2, 32, 257, 0.17)),
            (1, 70, 600, new(2, 1, 128, 523, 0.09)),
            (1, 35, 35, new(3, 1, 80, 35, 0.11)),
            (2, 19, 40, new(2, 2, 96, 37, 0.1)),
            (1, 33, 33, new(2, 1, 256, 33, 0.0625)),
        ];
        foreach ((int batch, int queries, int capacity, AttentionDims dims) in sizes)
        {
            int width = dims.Heads * dims.HeadDim, kvWidth = dims.KvHeads * dims.HeadDim;
            string shapes = $"{batch}x{queries} of {dims.Keys} keys, {dims.Heads}/{dims.KvHeads} heads of {dims.HeadDim}";
            Operand y = Out(t, batch, queries, width), logSumExp = Out(Sum(t), batch, dims.Heads, queries);
            Operand q = In(t, batch, queries, width, 1), k = In(t, batch, capacity, kvWidth, 2), v = In(t, batch, capacity, kvWidth, 3);
            yield return new(Op.Attention, t, $"{shapes}, result alone", [y, q, k, v],
                (b, x) => b.Attention(x[0], null, x[1], x[2], x[3], null, null, dims),
                x => OpReference.Attention(x[0], null, x[1], x[2], x[3], null, null, batch, queries, capacity, dims));
            foreach ((string kind, Operand[] mask, Operand[] first) in Visible(batch, queries, dims.Keys))
            {
                T? MaskOf<T>(T[] x) where T : class => mask.Length == 0 ? null : x[5];
                T? FirstOf<T>(T[] x) where T : class => first.Length == 0 ? null : x[^1];
                yield return new(Op.Attention, t, shapes + kind, [y, logSumExp, q, k, v, .. mask, .. first],
                    (b, x) => b.Attention(x[0], x[1], x[2], x[3], x[4], MaskOf(x), FirstOf(x), dims),
                    x => OpReference.Attention(x[0], x[1], x[2], x[3], x[4], MaskOf(x), FirstOf(x), batch, queries, capacity, dims))
                { Outputs = 2 };
            }
        }
    }

    private static IEnumerable<OpCase> AttentionBackward(DType t)
    {
        (int Batch, AttentionDims Dims)[] sizes =
        [
            (1, new(1, 1, 1, 1, 1)),
            (2, new(4, 2, 32, 1, 0.2)),
            (3, new(3, 3, 20, 31, 0.3)),
            (2, new(6, 2, 33, 64, 0.2)),
            (1, new(2, 2, 80, 65, 0.125)),
            (2, new(4, 2, 32, 257, 0.17)),
            (1, new(2, 1, 128, 257, 0.09)),
            (1, new(1, 1, 16, 523, 0.25)),
            (1, new(4, 2, 64, 66, 0.125)),
            (2, new(2, 2, 96, 35, 0.1)),
            (1, new(2, 1, 256, 37, 0.0625)),
        ];
        foreach ((int batch, AttentionDims dims) in sizes)
        {
            int length = dims.Keys, width = dims.Heads * dims.HeadDim, kvWidth = dims.KvHeads * dims.HeadDim;
            Operand dq = Out(t, batch, length, width), dkv = Out(t, batch, length, kvWidth);
            Operand q = In(t, batch, length, width, 1), k = In(t, batch, length, kvWidth, 2), v = In(t, batch, length, kvWidth, 3), dy = In(t, batch, length, width, 4);
            var logs = new Shape(batch, dims.Heads, length);
            foreach ((string kind, Operand[] mask, Operand[] first) in Visible(batch, length, length))
            {
                T? MaskOf<T>(T[] x) where T : class => mask.Length == 0 ? null : x[9];
                T? FirstOf<T>(T[] x) where T : class => first.Length == 0 ? null : x[^1];
                var forward = new Lazy<double[][]>(() =>
                {
                    double[][] x = [new double[q.Shape.Count], new double[logs.Count], q.Values, k.Values, v.Values, .. mask.Concat(first).Select(operand => operand.Values)];
                    OpReference.Attention(x[0], x[1], x[2], x[3], x[4], mask.Length == 0 ? null : x[5], FirstOf(x), batch, length, length, dims);
                    return x;
                });
                Operand y = new(t, q.Shape, i => forward.Value[0][i]), logSumExp = new(Sum(t), logs, i => forward.Value[1][i]);
                yield return new(Op.AttentionBackward, t, $"{batch}x{length}, {dims.Heads}/{dims.KvHeads} heads of {dims.HeadDim}{kind}",
                    [dq, dkv, dkv, dy, y, logSumExp, q, k, v, .. mask, .. first],
                    (b, x) => b.AttentionBackward(x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7], x[8], MaskOf(x), FirstOf(x), dims),
                    x => OpReference.AttentionBackward(x[0], x[1], x[2], x[3], x[6], x[7], x[8], MaskOf(x), FirstOf(x), batch, length, dims))
                { Outputs = 3 };
            }
        }
    }

    /// <summary>The ways to hide keys, each with no or one mask, and no or one tensor of first keys.</summary>
    private static IEnumerable<(string Kind, Operand[] Mask, Operand[] First)> Visible(int batch, int queries, int keys) =>
    [
        ("", [], []),
        (", masked", [Mask(batch, keys)], []),
        (", documents", [], [Documents(batch, queries, keys)]),
        (", masked documents", [Mask(batch, keys)], [Documents(batch, queries, keys)]),
    ];

    /// <summary>Sequence b has 5 b + 2 padded keys in front, as far as that leaves any, and a hole behind; its first queries see nothing.</summary>
    public static Operand Mask(int batch, int keys) =>
        new(DType.I32, new(batch, keys), i => i % keys >= Math.Min(keys - 1, 5 * (i / keys) + 2) && i % keys % 13 != 12 ? 1 : 0);

    /// <summary>The first key of every query: sequence b holds documents of 40 b + 13 tokens, and every 17th query sees nothing.</summary>
    public static Operand Documents(int batch, int queries, int keys)
    {
        int First(int sequence, int query)
        {
            int position = keys - queries + query, document = 40 * sequence + 13;
            return query % 17 == 16 ? keys : position / document * document;
        }

        return new(DType.I32, new(batch, queries), i => First(i / queries, i % queries));
    }
}
