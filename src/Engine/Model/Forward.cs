using NativeEngine.Kernels;
using NativeEngine.Spec;

namespace NativeEngine.Model;

/// <summary>
/// The one forward for every family: it switches on the fields of <see cref="ModelSpec"/> and on nothing else.
/// B sequences of T tokens, N = B T rows; D residual width; Q, K widths of query and key heads; F MLP width; V vocabulary.
/// </summary>
public sealed class Forward(IBackend backend, ModelSpec spec, DType dtype) : IDisposable
{
    private const int HeadRows = 512; // rows of logits that exist at once

    private readonly RopeTable? rope = spec.Rope is null ? null : new RopeTable(backend, spec.Rope, dtype);

    /// <summary>Residual stream at the first layer's input. (N,D)</summary>
    public Tensor Embed(OuterWeights w, TokenBatch batch)
    {
        Tensor x = Alloc(batch.Ids.Columns, w.Embed.Columns);
        backend.Embed(x, w.Embed, batch.Ids);
        if (w.Position is not null)
        {
            using Tensor p = Alloc(x.Rows, x.Columns);
            backend.Embed(p, w.Position, batch.Positions);
            backend.Add(x, p);
        }

        return x;
    }

    /// <summary>One decoder layer; takes x over and returns the residual stream behind it. (N,D) to (N,D')</summary>
    public Tensor Layer(LayerWeights w, int l, Tensor x, TokenBatch batch, KvCache? cache = null)
    {
        foreach (Station s in w.Stations)
        {
            if (s.Shortcut is null)
            {
                Run(s, w.Shape, l, x, x, batch, cache);
                continue;
            }

            Tensor u = Alloc(x.Rows, s.Shortcut.Columns);
            Run(s, w.Shape, l, u, x, batch, cache);
            x.Dispose();
            x = u;
        }

        return x;
    }

    /// <summary>u = S(x) + sub-block(norm(x)); u may be x when the station has no shortcut. (N,D') (N,D)</summary>
    public void Run(Station s, LayerShape shape, int l, Tensor u, Tensor x, TokenBatch batch, KvCache? cache = null)
    {
        using Tensor n = Alloc(x.Rows, x.Columns);
        ApplyNorm(n, x, s.Norm);
        if (s.Shortcut is not null)
        {
            backend.Gemm(u, x, s.Shortcut);
        }
        else if (u != x)
        {
            backend.Copy(u, x);
        }

        if (s.Qkv is not null)
        {
            AddAttention(u, n, s, shape, l, batch, cache);
        }

        if (s.MlpIn is not null)
        {
            AddMlp(u, n, s);
        }
    }

    /// <summary>logits = head(norm(x)). (N,V) (N,D)</summary>
    public void Logits(Tensor logits, OuterWeights w, Tensor x)
    {
        using Tensor n = Alloc(x.Rows, x.Columns);
        ApplyNorm(n, x, w.NormFinal);
        Apply(logits, n, w.Head);
    }

    /// <summary>y[i] = log p(targets[i] | ...), in blocks of rows so that (N,V) never exists. F64(N) (N,D) I32(N)</summary>
    public void TokenLogProbs(Tensor y, OuterWeights w, Tensor x, Tensor targets)
    {
        using Tensor logits = Alloc(Math.Min(HeadRows, x.Rows), w.Head.Weight.Rows);
        for (long i = 0; i < x.Rows; i += HeadRows)
        {
            long rows = Math.Min(HeadRows, x.Rows - i);
            Tensor block = logits.RowRange(0, rows);
            Logits(block, w, x.RowRange(i, rows));
            backend.TokenLogProb(Slice(y), block, Slice(targets));
            Tensor Slice(Tensor t) => t.ColumnRange(i, rows).Reshape(new Shape(rows));
        }
    }

    /// <inheritdoc/>
    public void Dispose() => rope?.Dispose();

    /// <summary>u += W_o attention(rope(q), rope(k), v). (N,D') (N,D)</summary>
    private void AddAttention(Tensor u, Tensor n, Station s, LayerShape shape, int l, TokenBatch batch, KvCache? cache)
    {
        int total = batch.Start + batch.Length;
        using Tensor qkv = Alloc(n.Rows, s.Qkv!.Weight.Rows); // (N, Q + 2 K)
        Apply(qkv, n, s.Qkv);
        Tensor q = qkv.ColumnRange(0, shape.QueryWidth);
        Tensor k = qkv.ColumnRange(shape.QueryWidth, shape.KeyWidth);
        Tensor v = qkv.ColumnRange(shape.QueryWidth + shape.KeyWidth, shape.KeyWidth);
        if (rope is not null)
        {
            (Tensor cos, Tensor sin) = rope.For(total);
            backend.Rope(q, cos, sin, batch.Positions, shape.HeadDim);
            backend.Rope(k, cos, sin, batch.Positions, shape.HeadDim);
        }

        (Tensor keys, Tensor values) = cache?.Append(l, k, v, batch) ?? (Sequences(k), Sequences(v));
        using Tensor a = Alloc(n.Rows, shape.QueryWidth);
        var dims = new AttentionDims(shape.Heads, shape.KvHeads, shape.HeadDim, total, 1 / Math.Sqrt(shape.HeadDim));
        backend.Attention(Sequences(a), null, Sequences(q), keys, values, batch.Mask, null, dims);
        Accumulate(u, a, s.AttnOut!);
        Tensor Sequences(Tensor t) => t.Reshape(new Shape(batch.Sequences, batch.Length, t.Columns));
    }

    /// <summary>u += W_down f(W_up n), or W_down (f(W_gate n) * W_up n). (N,D') (N,D)</summary>
    private void AddMlp(Tensor u, Tensor n, Station s)
    {
        using Tensor h = Alloc(n.Rows, s.MlpIn!.Weight.Rows); // (N, F) or gate and up side by side
        Apply(h, n, s.MlpIn);
        if (!spec.GatedMlp)
        {
            backend.Activate(h, h, spec.Activation);
            Accumulate(u, h, s.MlpDown!);
            return;
        }

        long ffn = h.Columns / 2;
        using Tensor g = Alloc(n.Rows, ffn);
        backend.ActivateGated(g, h.ColumnRange(0, ffn), h.ColumnRange(ffn, ffn), spec.Activation);
        Accumulate(u, g, s.MlpDown!);
    }

    private void ApplyNorm(Tensor y, Tensor x, Norm norm)
    {
        if (spec.Norm == NormKind.Rms)
        {
            backend.RmsNorm(y, x, norm.Gain, spec.NormEps, spec.Hidden);
        }
        else
        {
            backend.LayerNorm(y, x, norm.Gain, norm.Bias, spec.NormEps);
        }
    }

    /// <summary>y = x W^T + b. (N,O) (N,I)</summary>
    private void Apply(Tensor y, Tensor x, Linear map)
    {
        backend.Gemm(y, x, map.Weight, transposeB: true);
        if (map.Bias is not null)
        {
            backend.AddBias(y, map.Bias);
        }
    }

    /// <summary>y += x W^T + b. (N,O) (N,I)</summary>
    private void Accumulate(Tensor y, Tensor x, Linear map)
    {
        backend.Gemm(y, x, map.Weight, transposeB: true, beta: 1);
        if (map.Bias is not null)
        {
            backend.AddBias(y, map.Bias);
        }
    }

    private Tensor Alloc(long rows, long columns) => backend.Alloc(dtype, new Shape(rows, columns));
}
