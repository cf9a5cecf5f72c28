using NativeEngine.Kernels;
using NativeEngine.Spec;

namespace NativeEngine.Model;

/// <summary>
/// The one forward for every family: it switches on the fields of <see cref="ModelSpec"/> and on nothing else.
/// B sequences of T tokens, N = B T rows; D residual width; Q, K widths of query and key heads; F MLP width; V vocabulary.
/// </summary>
internal sealed class Forward(IBackend backend, ModelSpec spec, DType dtype) : IDisposable
{
    private readonly RopeTable? rope = spec.Rope is null ? null : new RopeTable(backend, spec.Rope, dtype.Accumulator());

    /// <summary>Rows of logits that exist at once. A GPU needs more of them to be worth the head's weights, which every block reads.</summary>
    internal int HeadRows => backend.IsHost ? 512 : 2048;

    /// <summary>Residual stream at the first layer's input. (N,D)</summary>
    public Tensor Embed(OuterWeights w, TokenBatch batch)
    {
        Tensor x = Alloc(batch.Ids.Columns, w.Embed.Columns);
        try
        {
            backend.Embed(x, w.Embed, batch.Ids);
            if (w.Position is not null)
            {
                using Tensor p = Alloc(x.Rows, x.Columns);
                backend.Embed(p, w.Position, batch.Positions);
                backend.Add(x, p);
            }

            return x;
        }
        catch
        {
            x.Dispose();
            throw;
        }
    }

    /// <summary>One decoder layer; takes x over and returns the residual stream behind it. (N,D) to (N,D')</summary>
    public Tensor Layer(LayerWeights w, int l, Tensor x, TokenBatch batch, KvCache? cache = null)
    {
        Tensor behind = x;
        try
        {
            foreach (Station s in w.Stations)
            {
                behind = s.Shortcut is null ? x : Alloc(x.Rows, s.Shortcut.Columns);
                Run(s, w.Shape, l, behind, x, batch, cache);
                if (behind != x)
                {
                    x.Dispose();
                }

                x = behind;
            }

            return x;
        }
        catch
        {
            behind.Dispose();
            x.Dispose();
            throw;
        }
    }

    /// <summary>One decoder layer that keeps what its backward needs, x included, in <paramref name="kept"/>: the same bits as <see cref="Layer"/>. (N,D) to (N,D')</summary>
    public Tensor LayerKept(LayerWeights w, int l, Tensor x, TokenBatch batch, LayerActivations kept)
    {
        foreach (Station s in w.Stations)
        {
            StationActivations act = kept.Add(x);
            x = Alloc(x.Rows, s.Shortcut?.Columns ?? x.Columns);
            try
            {
                Run(s, w.Shape, l, x, batch, null, act);
            }
            catch
            {
                x.Dispose();
                throw;
            }
        }

        return x;
    }

    /// <summary>u = S(x) + sub-block(norm(x)); u may be x when the station has no shortcut. (N,D') (N,D)</summary>
    public void Run(Station s, LayerShape shape, int l, Tensor u, Tensor x, TokenBatch batch, KvCache? cache = null)
    {
        using var passing = new StationActivations { Input = x, ForBackward = false };
        Run(s, shape, l, u, batch, cache, passing);
    }

    private void Run(Station s, LayerShape shape, int l, Tensor u, TokenBatch batch, KvCache? cache, StationActivations act)
    {
        Tensor x = act.Input;
        act.Normed = Alloc(x.Rows, x.Columns);
        ApplyNorm(act.Normed, x, s.Norm);
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
            AddAttention(u, s, shape, l, batch, cache, act);
        }

        if (s.MlpIn is not null)
        {
            AddMlp(u, s, batch, act);
        }
    }

    /// <summary>logits = head(norm(x)), in the type of sums. (N,V) (N,D)</summary>
    public void Logits(Tensor logits, OuterWeights w, Tensor x)
    {
        using Tensor n = Alloc(x.Rows, x.Columns);
        ApplyNorm(n, x, w.NormFinal);
        Head(logits, n, w.Head);
    }

    /// <summary>y[i] = log p(targets[i] | ...), in blocks of rows so that (N,V) never exists. F64(N) (N,D) I32(N)</summary>
    public void TokenLogProbs(Tensor y, OuterWeights w, Tensor x, Tensor targets)
    {
        using Tensor logits = backend.Alloc(dtype.Accumulator(), new Shape(Math.Min(HeadRows, x.Rows), w.Head.Weight.Rows));
        for (long i = 0; i < x.Rows; i += logits.Rows)
        {
            long rows = Math.Min(logits.Rows, x.Rows - i);
            Tensor block = logits.RowRange(0, rows);
            Logits(block, w, x.RowRange(i, rows));
            backend.TokenLogProb(Slice(y), block, Slice(targets));
            Tensor Slice(Tensor t) => t.ColumnRange(i, rows).Reshape(new Shape(rows));
        }
    }

    /// <inheritdoc/>
    public void Dispose() => rope?.Dispose();

    /// <summary>u += W_o attention(rope(q), rope(k), v). (N,D')</summary>
    private void AddAttention(Tensor u, Station s, LayerShape shape, int l, TokenBatch batch, KvCache? cache, StationActivations act)
    {
        int total = batch.Start + batch.Length;
        Tensor qkv = act.Qkv = Alloc(u.Rows, s.Qkv!.Weight.Rows);
        Apply(qkv, act.Normed!, s, LinearSlot.Qkv, 0, batch, act);
        Tensor q = qkv.ColumnRange(0, shape.QueryWidth);
        Tensor k = qkv.ColumnRange(shape.QueryWidth, shape.KeyWidth);
        Tensor v = qkv.ColumnRange(shape.QueryWidth + shape.KeyWidth, shape.KeyWidth);
        Rope(q, k, shape, batch);
        (Tensor keys, Tensor values) = cache?.Append(l, k, v, batch) ?? (batch.BySequence(k), batch.BySequence(v));
        act.Attended = Alloc(u.Rows, shape.QueryWidth);
        act.LogSumExp = act.ForBackward ? backend.Alloc(dtype.Accumulator(), new Shape(batch.Sequences, shape.Heads, batch.Length)) : null;
        backend.Attention(batch.BySequence(act.Attended), act.LogSumExp, batch.BySequence(q), keys, values, batch.Mask, batch.First, shape.Attention(total));
        Apply(u, act.Attended, s, LinearSlot.AttnOut, 1, batch, act);
    }

    /// <summary>u += W_down f(W_up n), or W_down (f(W_gate n) * W_up n). (N,D')</summary>
    private void AddMlp(Tensor u, Station s, TokenBatch batch, StationActivations act)
    {
        Tensor h = act.MlpHidden = Alloc(u.Rows, s.MlpIn!.Weight.Rows);
        Apply(h, act.Normed!, s, LinearSlot.MlpIn, 0, batch, act);
        long ffn = s.MlpDown!.Weight.Columns;
        Tensor g = act.MlpActivated = Alloc(u.Rows, ffn);
        if (spec.GatedMlp)
        {
            backend.ActivateGated(g, h.ColumnRange(0, ffn), h.ColumnRange(ffn, ffn), spec.Activation);
        }
        else
        {
            backend.Activate(g, h, spec.Activation);
        }

        Apply(u, g, s, LinearSlot.MlpDown, 1, batch, act);
    }

    /// <summary>logits = n W^T + b. (N,V) (N,D)</summary>
    internal void Head(Tensor logits, Tensor n, Linear head) => backend.Gemm(logits, n, head.Weight, transposeB: true, bias: head.Bias);

    /// <summary>Turns q and k to their positions, or back; nothing for learned positions. (N,Q) (N,K)</summary>
    internal void Rope(Tensor q, Tensor k, LayerShape shape, TokenBatch batch, bool back = false)
    {
        if (rope is not null)
        {
            (Tensor cos, Tensor sin) = rope.For(batch.Start + batch.Length);
            backend.Rope(q, cos, sin, batch.Positions, shape.HeadDim, back);
            backend.Rope(k, cos, sin, batch.Positions, shape.HeadDim, back);
        }
    }

    /// <summary>y = norm(x). (N,D) (N,D)</summary>
    internal void ApplyNorm(Tensor y, Tensor x, Norm norm)
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

    /// <summary>y = x W^T + b + adapter(x) + beta y. (N,O) (N,I)</summary>
    private void Apply(Tensor y, Tensor x, Station s, LinearSlot slot, double beta, TokenBatch batch, StationActivations act)
    {
        Linear map = s[slot]!;
        backend.Gemm(y, x, map.Weight, transposeB: true, beta: beta, bias: map.Bias);
        if (map.Adapter is not { } adapter)
        {
            return;
        }

        Tensor t = act[slot] = Alloc(x.Rows, adapter.A.Rows);
        using Tensor? dropped = Dropped(x, adapter, batch);
        backend.Gemm(t, dropped ?? x, adapter.A, transposeB: true);
        for (int p = 0; p < adapter.Parts.Count; p++)
        {
            AdapterPart part = adapter.Parts[p];
            backend.Gemm(y.ColumnRange(part.From, part.B.Rows), t.ColumnRange(p * adapter.Rank, adapter.Rank), part.B, transposeB: true, alpha: adapter.Scale, beta: 1);
        }
    }

    /// <summary>What the adapter reads of x; null when that is x itself. (N,I)</summary>
    internal Tensor? Dropped(Tensor x, Adapter adapter, TokenBatch batch)
    {
        if (batch.Dropout is not ulong key || adapter.Dropout == 0)
        {
            return null;
        }

        Tensor dropped = Alloc(x.Rows, x.Columns);
        backend.Dropout(dropped, x, adapter.Dropout, key + adapter.Site, batch.DropoutRow);
        return dropped;
    }

    private Tensor Alloc(long rows, long columns) => backend.Alloc(dtype, new Shape(rows, columns));
}
