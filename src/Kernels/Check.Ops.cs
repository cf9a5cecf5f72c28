namespace NativeEngine.Kernels;

/// <summary>What each op demands of the types and shapes of its arguments, the same on every device.</summary>
internal static partial class Check
{
    /// <summary>Arguments of <see cref="IBackend.Copy"/>.</summary>
    public static void Copy(Tensor y, Tensor x)
    {
        SameSize(Op.Copy, y, x);
        That(y.DType.IsFloat() == x.DType.IsFloat(), Op.Copy, "there is no conversion between floats and integers", y, x);
    }

    /// <summary>Arguments of <see cref="IBackend.Uniform"/>.</summary>
    public static void Uniform(IBackend backend, Tensor y) =>
        SameFloats(backend, Op.Uniform, y);

    /// <summary>Arguments of <see cref="IBackend.Transpose"/>.</summary>
    public static void Transpose(IBackend backend, Tensor y, Tensor x)
    {
        SameFloats(backend, Op.Transpose, y, x);
        That(y.Rows == x.Columns && y.Columns == x.Rows, Op.Transpose, "y must have the columns of x as rows", y, x);
    }

    /// <summary>Arguments of <see cref="IBackend.AllFinite"/>.</summary>
    public static void AllFinite(IBackend backend, Tensor x) =>
        SameFloats(backend, Op.AllFinite, x);

    /// <summary>Arguments of <see cref="IBackend.Gemm"/>; returns the number of products and their extents.</summary>
    public static (long Batch, long M, long N, long K) Gemm(
        IBackend backend, Tensor c, Tensor a, Tensor b, bool transposeA, bool transposeB, Tensor? bias)
    {
        int rank = c.Shape.Rank;
        if (rank is not (2 or 3) || a.Shape.Rank != rank || b.Shape.Rank != rank || !Multiplies(backend, c.DType, a.DType, b.DType))
        {
            throw new ArgumentException($"Gemm: {c} = {a} x {b}: {backend.Name} multiplies three matrices, or three batches of them, of one type (others: see IBackend)");
        }

        long batch = rank == 3 ? c.Shape[0] : 1;
        long m = c.Shape[rank - 2], n = c.Columns, k = transposeA ? a.Shape[rank - 2] : a.Columns;
        if (a.Shape[rank - 2] != (transposeA ? k : m) || a.Columns != (transposeA ? m : k)
            || b.Shape[rank - 2] != (transposeB ? n : k) || b.Columns != (transposeB ? k : n)
            || (rank == 3 && (a.Shape[0] != batch || b.Shape[0] != batch)))
        {
            throw new ArgumentException($"Gemm: the shapes of {c} = {a}{(transposeA ? "^T" : "")} x {b}{(transposeB ? "^T" : "")} do not fit");
        }

        That(bias is null || bias.DType == c.DType, Op.Gemm, "the bias must have the type of the result", c, bias);
        OnePerColumn(Op.Gemm, c, bias);
        return (batch, m, n, k);
    }

    /// <summary>Arguments of <see cref="IBackend.Gram"/>.</summary>
    public static void Gram(IBackend backend, Tensor h, Tensor x)
    {
        if (h.DType != DType.F64 || !backend.Supports(Op.Gram, x.DType) || h.Shape.Rank != 2 || h.Rows != x.Columns || h.Columns != x.Columns)
        {
            throw new ArgumentException($"Gram: {h} += {x}^T {x}: an F64 matrix (D,D) and a narrower one (N,D) that {backend.Name} multiplies are needed");
        }
    }

    /// <summary>Arguments of <see cref="IBackend.SymEig"/>.</summary>
    public static void SymEig(Tensor values, Tensor vectors, Tensor a)
    {
        SquareF64(Op.SymEig, a, vectors);
        if (values.DType != DType.F64 || values.Shape.Count != a.Rows || !values.IsContiguous)
        {
            throw new ArgumentException($"SymEig: {values} does not hold the eigenvalues of {a}");
        }
    }

    /// <summary>Arguments of <see cref="IBackend.Qr"/>.</summary>
    public static void Qr(Tensor q, Tensor a) => SquareF64(Op.Qr, a, q);

    /// <summary>Arguments of <see cref="IBackend.CholeskySolve"/>.</summary>
    public static void CholeskySolve(Tensor b, Tensor a)
    {
        SquareF64(Op.CholeskySolve, a, a);
        if (b.DType != DType.F64 || b.Shape.Rank != 2 || b.Columns != a.Columns)
        {
            throw new ArgumentException($"CholeskySolve: the rows of {b} are no right-hand sides of {a}: an F64 matrix (N,D) is needed");
        }
    }

    /// <summary>Throws where the <paramref name="minor"/>-th leading minor of <paramref name="a"/> is not positive; 0 is none.</summary>
    public static void PositiveDefinite(long minor, Tensor a)
    {
        if (minor != 0)
        {
            throw new EngineException("NE10104", $"CholeskySolve: the matrix {a.Shape} is not positive definite, minor {minor}")
            {
                Hint = "more calibration text gives a better conditioned matrix",
            };
        }
    }

    /// <summary>Arguments of <see cref="IBackend.ZeroMasked"/>.</summary>
    public static void ZeroMasked(Tensor y, Tensor mask)
    {
        if (mask.DType != DType.I32 || mask.Columns != y.Rows)
        {
            throw new ArgumentException($"ZeroMasked: mask {mask} does not fit y {y}");
        }
    }

    /// <summary>Arguments of <see cref="IBackend.AddBias"/>.</summary>
    public static void AddBias(IBackend backend, Tensor y, Tensor b)
    {
        SameFloats(backend, Op.AddBias, y, b);
        OnePerColumn(Op.AddBias, y, b);
    }

    /// <summary>Arguments of <see cref="IBackend.Add"/>.</summary>
    public static void Add(IBackend backend, Tensor y, Tensor x)
    {
        SameFloats(backend, Op.Add, y, x);
        SameSize(Op.Add, y, x);
    }

    /// <summary>Arguments of <see cref="IBackend.AddColumnSums"/>.</summary>
    public static void AddColumnSums(IBackend backend, Tensor b, Tensor x)
    {
        SameFloats(backend, Op.AddColumnSums, x);
        Accumulators(Op.AddColumnSums, x, b);
        OnePerColumn(Op.AddColumnSums, x, b);
    }

    /// <summary>Arguments of <see cref="IBackend.Dropout"/>.</summary>
    public static void Dropout(IBackend backend, Tensor y, Tensor x, double rate)
    {
        SameFloats(backend, Op.Dropout, y, x);
        SameSize(Op.Dropout, y, x);
        That(rate is >= 0 and < 1, Op.Dropout, $"the rate must be in [0, 1), it is {rate}", y, x);
    }

    /// <summary>Arguments of <see cref="IBackend.RmsNorm"/>.</summary>
    public static void RmsNorm(IBackend backend, Tensor y, Tensor x, Tensor? gain, long width)
    {
        SameFloats(backend, Op.RmsNorm, y, x, gain);
        SameSize(Op.RmsNorm, y, x);
        OnePerColumn(Op.RmsNorm, x, gain);
        That(width > 0, Op.RmsNorm, "the width must be positive", x);
    }

    /// <summary>Arguments of <see cref="IBackend.LayerNorm"/>.</summary>
    public static void LayerNorm(IBackend backend, Tensor y, Tensor x, Tensor? gain, Tensor? bias)
    {
        SameFloats(backend, Op.LayerNorm, y, x, gain, bias);
        SameSize(Op.LayerNorm, y, x);
        OnePerColumn(Op.LayerNorm, x, gain);
        OnePerColumn(Op.LayerNorm, x, bias);
    }

    /// <summary>Arguments of <see cref="IBackend.RmsNormBackward"/>.</summary>
    public static void RmsNormBackward(IBackend backend, Tensor dx, Tensor? dgain, Tensor dy, Tensor x, Tensor? gain, long width)
    {
        SameFloats(backend, Op.RmsNormBackward, dx, dy, x, gain);
        Accumulators(Op.RmsNormBackward, x, dgain);
        SameSize(Op.RmsNormBackward, dx, dy, x);
        OnePerColumn(Op.RmsNormBackward, x, dgain);
        OnePerColumn(Op.RmsNormBackward, x, gain);
        That(width > 0, Op.RmsNormBackward, "the width must be positive", x);
    }

    /// <summary>Arguments of <see cref="IBackend.LayerNormBackward"/>.</summary>
    public static void LayerNormBackward(IBackend backend, Tensor dx, Tensor? dgain, Tensor? dbias, Tensor dy, Tensor x, Tensor? gain)
    {
        SameFloats(backend, Op.LayerNormBackward, dx, dy, x, gain);
        Accumulators(Op.LayerNormBackward, x, dgain, dbias);
        SameSize(Op.LayerNormBackward, dx, dy, x);
        OnePerColumn(Op.LayerNormBackward, x, dgain);
        OnePerColumn(Op.LayerNormBackward, x, dbias);
        OnePerColumn(Op.LayerNormBackward, x, gain);
    }

    /// <summary>Arguments of <see cref="IBackend.Embed"/>.</summary>
    public static void Embed(IBackend backend, Tensor y, Tensor table, Tensor ids)
    {
        SameFloats(backend, Op.Embed, y, IsStoredWeight(backend, table.DType) && y.DType == DType.F32 ? null : table);
        That(y.Columns == table.Columns, Op.Embed, "y and the table must have the same columns", y, table);
        OnePerRow(Op.Embed, y, ids);
    }

    /// <summary>Arguments of <see cref="IBackend.EmbedBackward"/>.</summary>
    public static void EmbedBackward(IBackend backend, Tensor dtable, Tensor dy, Tensor ids)
    {
        SameFloats(backend, Op.EmbedBackward, dy);
        Accumulators(Op.EmbedBackward, dy, dtable);
        That(dtable.Columns == dy.Columns, Op.EmbedBackward, "the table and dy must have the same columns", dtable, dy);
        OnePerRow(Op.EmbedBackward, dy, ids);
    }

    /// <summary>Arguments of <see cref="IBackend.Rope"/>.</summary>
    public static void Rope(IBackend backend, Tensor x, Tensor cos, Tensor sin, Tensor positions, int headDim)
    {
        SameFloats(backend, Op.Rope, x);
        Accumulators(Op.Rope, x, cos, sin);
        SameSize(Op.Rope, cos, sin);
        That(headDim > 0 && x.Columns % headDim == 0, Op.Rope, $"the columns must be heads of {headDim}", x);
        That(2 * cos.Columns <= headDim, Op.Rope, $"a head of {headDim} must hold two halves of the rotated dimensions", x, cos);
        OnePerRow(Op.Rope, x, positions);
    }

    /// <summary>Arguments of <see cref="IBackend.Attention"/>.</summary>
    public static void Attention(IBackend backend, Tensor y, Tensor? logSumExp, Tensor q, Tensor k, Tensor v, Tensor? mask, Tensor? first, AttentionDims dims)
    {
        SameFloats(backend, Op.Attention, y, q, k, v);
        Accumulators(Op.Attention, q, logSumExp);
        SameSize(Op.Attention, y, q);
        SameSize(Op.Attention, k, v);
        AttentionSizes(Op.Attention, logSumExp, q, k, v, mask, first, dims);
    }

    /// <summary>Arguments of <see cref="IBackend.AttentionBackward"/>.</summary>
    public static void AttentionBackward(
        IBackend backend, Tensor dq, Tensor dk, Tensor dv, Tensor dy, Tensor y, Tensor logSumExp, Tensor q, Tensor k, Tensor v, Tensor? mask, Tensor? first, AttentionDims dims)
    {
        SameFloats(backend, Op.AttentionBackward, dq, dk, dv, dy, y, q, k, v);
        Accumulators(Op.AttentionBackward, q, logSumExp);
        SameSize(Op.AttentionBackward, dq, dy, y, q);
        SameSize(Op.AttentionBackward, dk, dv, k, v);
        AttentionSizes(Op.AttentionBackward, logSumExp, q, k, v, mask, first, dims);
        That(
            q.Shape[1] == dims.Keys && k.Shape[1] == dims.Keys,
            Op.AttentionBackward, $"there must be as many queries as keys in use ({dims.Keys}) and no more rows of keys", q, k);
    }

    /// <summary>Arguments of <see cref="IBackend.Activate"/>.</summary>
    public static void Activate(IBackend backend, Tensor y, Tensor x)
    {
        SameFloats(backend, Op.Activate, y, x);
        SameSize(Op.Activate, y, x);
    }

    /// <summary>Arguments of <see cref="IBackend.ActivateGated"/>.</summary>
    public static void ActivateGated(IBackend backend, Tensor y, Tensor gate, Tensor up)
    {
        SameFloats(backend, Op.ActivateGated, y, gate, up);
        SameSize(Op.ActivateGated, y, gate, up);
    }

    /// <summary>Arguments of <see cref="IBackend.ActivateBackward"/>.</summary>
    public static void ActivateBackward(IBackend backend, Tensor dx, Tensor dy, Tensor x)
    {
        SameFloats(backend, Op.ActivateBackward, dx, dy, x);
        SameSize(Op.ActivateBackward, dx, dy, x);
    }

    /// <summary>Arguments of <see cref="IBackend.ActivateGatedBackward"/>.</summary>
    public static void ActivateGatedBackward(IBackend backend, Tensor dgate, Tensor dup, Tensor dy, Tensor gate, Tensor up)
    {
        SameFloats(backend, Op.ActivateGatedBackward, dgate, dup, dy, gate, up);
        SameSize(Op.ActivateGatedBackward, dgate, dup, dy, gate, up);
    }

    /// <summary>Arguments of <see cref="IBackend.Softmax"/>.</summary>
    public static void Softmax(IBackend backend, Tensor y, Tensor x)
    {
        SameFloats(backend, Op.Softmax, y, x);
        SameSize(Op.Softmax, y, x);
    }

    /// <summary>Arguments of <see cref="IBackend.TokenLogProb"/>.</summary>
    public static void TokenLogProb(IBackend backend, Tensor y, Tensor logits, Tensor targets)
    {
        SameFloats(backend, Op.TokenLogProb, logits);
        OnePerRow(Op.TokenLogProb, logits, targets);
        OneDoublePerRow(Op.TokenLogProb, logits, y);
    }

    /// <summary>Arguments of <see cref="IBackend.CrossEntropy"/>.</summary>
    public static void CrossEntropy(IBackend backend, Tensor loss, Tensor logits, Tensor targets)
    {
        SameFloats(backend, Op.CrossEntropy, logits);
        OnePerRow(Op.CrossEntropy, logits, targets);
        OneDoublePerRow(Op.CrossEntropy, logits, loss);
    }

    /// <summary>Arguments of <see cref="IBackend.AddSaliency"/>.</summary>
    public static void AddSaliency(IBackend backend, Tensor scores, Tensor w, Tensor? g, Tensor? h, Saliency saliency, bool columns)
    {
        SameFloats(backend, Op.AddSaliency, w);
        Accumulators(Op.AddSaliency, w, g, h);
        SameSize(Op.AddSaliency, w, g ?? w, h ?? w);
        That(g is not null || saliency is Saliency.Magnitude or Saliency.Square or Saliency.SecondOrder, Op.AddSaliency, "this saliency needs g", w, g, h);
        That(h is not null || saliency is not (Saliency.SecondOrder or Saliency.Mixed), Op.AddSaliency, "this saliency needs h", w, g, h);
        if (columns)
        {
            OneDoublePerColumn(Op.AddSaliency, w, scores);
        }
        else
        {
            OneDoublePerRow(Op.AddSaliency, w, scores);
        }
    }

    /// <summary>Arguments of <see cref="IBackend.AddSquares"/>.</summary>
    public static void AddSquares(IBackend backend, Tensor y, Tensor x)
    {
        SameFloats(backend, Op.AddSquares, x);
        Accumulators(Op.AddSquares, x, y);
        SameSize(Op.AddSquares, y, x);
    }

    /// <summary>What <see cref="IBackend.KeepRows"/> and <see cref="IBackend.KeepColumns"/> keep.</summary>
    public static void Kept(Op op, Tensor kept) => That(kept.DType == DType.I32 && kept.IsContiguous, op, "the indices must be I32, without gaps", kept);

    /// <summary>Arguments of <see cref="IBackend.SumOfSquares"/>.</summary>
    public static void SumOfSquares(IBackend backend, Tensor x) => SameFloats(backend, Op.SumOfSquares, x);

    /// <summary>Arguments of <see cref="IBackend.AdamW"/>.</summary>
    public static void AdamW(IBackend backend, Tensor w, Tensor g, Tensor m, Tensor v, AdamWStep step)
    {
        SameFloats(backend, Op.AdamW, w, g, m, v);
        SameSize(Op.AdamW, w, g, m, v);
        That(step.Step > 0, Op.AdamW, $"steps count from 1, this is {step.Step}", w, g, m, v);
    }

    /// <summary>A product of one type, of a stored weight, or one that mixes F32 with one 16-bit type where that is multiplied.</summary>
    private static bool Multiplies(IBackend backend, DType c, DType a, DType b)
    {
        DType[] narrow = [.. new[] { c, a, b }.Where(t => t != DType.F32).Distinct()];
        return narrow switch
        {
            [] => true,
            [DType.F64] => c == DType.F64 && a == DType.F64 && b == DType.F64,
            [var t] => backend.Supports(Op.Gemm, t) || (t == b && c == DType.F32 && a == DType.F32 && IsStoredWeight(backend, t)),
            _ => false,
        };
    }

    /// <summary>A type that weights may keep when everything around them is F32.</summary>
    private static bool IsStoredWeight(IBackend backend, DType dtype) => dtype == DType.BF16 || (dtype == DType.F16 && backend.Supports(Op.Gemm, dtype));

    private static void AttentionSizes(Op op, Tensor? logSumExp, Tensor q, Tensor k, Tensor v, Tensor? mask, Tensor? first, AttentionDims dims)
    {
        That(
            q.Shape.Rank == 3 && k.Shape.Rank == 3 && v.Shape.Rank == 3 && q.Shape[0] == k.Shape[0] && q.Shape[0] == v.Shape[0],
            op, "q, k and v must be (batch, position, heads x head size) with one batch size", q, k, v);
        That(
            dims.KvHeads > 0 && dims.HeadDim > 0 && dims.Heads % dims.KvHeads == 0
                && q.Columns == (long)dims.Heads * dims.HeadDim && k.Columns == (long)dims.KvHeads * dims.HeadDim,
            op, $"the columns must be {dims.Heads} query heads and {dims.KvHeads} kv heads of {dims.HeadDim}", q, k, v);
        That(
            q.Shape[1] <= dims.Keys && dims.Keys <= k.Shape[1],
            op, $"queries <= keys in use ({dims.Keys}) <= rows of the cache must hold", q, k, v);
        That(
            logSumExp is null || logSumExp.Shape == new Shape(q.Shape[0], dims.Heads, q.Shape[1]),
            op, $"logSumExp must be (batch, {dims.Heads} heads, queries)", q, logSumExp);
        That(
            mask is null || (mask.DType == DType.I32 && mask.Rows == q.Shape[0] && mask.Columns == dims.Keys),
            op, $"the mask must be I32(batch, {dims.Keys})", q, mask);
        That(
            first is null || (first.DType == DType.I32 && first.Rows == q.Shape[0] && first.Columns == q.Shape[1]),
            op, "first must be I32(batch, queries)", q, first);
    }

    private static void SquareF64(Op op, Tensor a, Tensor result)
    {
        if (a.DType != DType.F64 || result.DType != DType.F64 || a.Shape.Rank != 2 || a.Rows != a.Columns || result.Shape != a.Shape)
        {
            throw new ArgumentException($"{op}: {a} to {result}: F64 matrices (D,D) are needed");
        }
    }
}
