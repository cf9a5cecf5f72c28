using NativeEngine.Kernels;
using NativeEngine.Spec;

namespace NativeEngine.Model;

/// <summary>
/// The one backward for every family, <see cref="Forward"/> line by line in reverse: dx is the gradient of the loss with respect to x.
/// Gradients of parameters add up, gradients of activations are assigned. N, D, Q, K, F, V as in <see cref="Forward"/>.
/// </summary>
/// <param name="backend">device</param>
/// <param name="spec">model</param>
/// <param name="dtype">of activations</param>
/// <param name="forward">what it is the backward of</param>
/// <param name="squares">weights of the examples where squares are wanted</param>
internal sealed class Backward(IBackend backend, ModelSpec spec, DType dtype, Forward forward, SquareScale squares)
{
    /// <summary>Loss of every token and the gradient of scale * sum(losses) behind the last layer. F64(N) (N,D) (N,D)</summary>
    public void Loss(Tensor loss, Tensor dx, OuterWeights w, Tensor x, LabelledBatch batch, double scale, OuterGradients? g)
    {
        using Tensor n = Alloc(x.Rows, x.Columns), dn = Alloc(x.Rows, x.Columns);
        var blockShape = new Shape(Math.Min(forward.HeadRows, x.Rows), w.Head.Weight.Rows);
        using Tensor logits = backend.Alloc(dtype.Accumulator(), blockShape);
        using Tensor? rounded = dtype == logits.DType ? null : backend.Alloc(dtype, blockShape);
        forward.ApplyNorm(n, x, w.NormFinal);
        for (long i = 0; i < x.Rows; i += logits.Rows)
        {
            long rows = Math.Min(logits.Rows, x.Rows - i);
            Tensor block = logits.RowRange(0, rows), input = n.RowRange(i, rows);
            forward.Head(block, input, w.Head);
            backend.CrossEntropy(Slice(loss), block, Slice(batch.Targets), scale);
            if (g?.HeadBias is not null)
            {
                backend.AddColumnSums(g.HeadBias, block);
            }

            if (rounded is not null)
            {
                backend.Copy(rounded.RowRange(0, rows), block);
                block = rounded.RowRange(0, rows);
            }

            backend.Gemm(dn.RowRange(i, rows), block, w.Head.Weight);
            if (g is not null)
            {
                backend.Gemm(g.Head, block, input, transposeA: true, beta: 1);
            }

            Tensor Slice(Tensor t) => t.ColumnRange(i, rows).Reshape(new Shape(rows));
        }

        backend.Zero(dx);
        Norm(dx, dn, x, w.NormFinal, g?.NormGain, g?.NormBias);
    }

    /// <summary>One decoder layer; takes dx over and returns the gradient in front of it. Uses <paramref name="act"/> up. (N,D') to (N,D)</summary>
    public Tensor Layer(LayerWeights w, Tensor dx, LabelledBatch batch, LayerActivations act, IReadOnlyList<StationGradients>? g)
    {
        try
        {
            for (int i = w.Stations.Count - 1; i >= 0; i--)
            {
                dx = Run(w.Stations[i], w.Shape, dx, batch, act.Stations[i], g?[i]);
            }

            return dx;
        }
        catch
        {
            dx.Dispose();
            throw;
        }
    }

    /// <summary>Adds to the gradients of the embedding and of learned positions. (N,D)</summary>
    public void Embed(Tensor dx, TokenBatch batch, OuterGradients g)
    {
        backend.EmbedBackward(g.Embed, dx, batch.Ids);
        if (g.Position is not null)
        {
            backend.EmbedBackward(g.Position, dx, batch.Positions);
        }
    }

    /// <summary>u = S(x) + sub-block(norm(x)): from du to dx. (N,D') to (N,D)</summary>
    private Tensor Run(Station s, LayerShape shape, Tensor du, LabelledBatch batch, StationActivations act, StationGradients? g)
    {
        Tensor x = act.Input;
        using Tensor dn = Alloc(x.Rows, x.Columns);
        double beta = 0; // a parallel block adds the MLP's share to attention's
        if (s.Qkv is not null)
        {
            Attention(dn, du, s, shape, batch, act, g);
            beta = 1;
        }

        if (s.MlpIn is not null)
        {
            Mlp(dn, beta, du, s, batch, act, g);
        }

        Tensor dx = s.Shortcut is null ? du : Alloc(x.Rows, x.Columns);
        try
        {
            if (s.Shortcut is not null)
            {
                backend.Gemm(dx, du, s.Shortcut, transposeB: true);
                if (g?.Shortcut is not null)
                {
                    backend.Gemm(g.Shortcut, x, du, transposeA: true, beta: 1);
                }

                du.Dispose();
            }

            Norm(dx, dn, x, s.Norm, g?.NormGain, g?.NormBias);
            return dx;
        }
        catch
        {
            dx.Dispose();
            throw;
        }
    }

    /// <summary>dn = gradient of W_o attention(rope(q), rope(k), v) with respect to n. (N,D) (N,D')</summary>
    private void Attention(Tensor dn, Tensor du, Station s, LayerShape shape, LabelledBatch batch, StationActivations act, StationGradients? g)
    {
        TokenBatch tokens = batch.Tokens;
        using Tensor da = Alloc(du.Rows, shape.QueryWidth), dqkv = Alloc(du.Rows, s.Qkv!.Weight.Rows);
        Apply(da, 0, du, act.Attended!, s, LinearSlot.AttnOut, batch, act, g);
        (Tensor q, Tensor k, Tensor v) = Parts(act.Qkv!);
        (Tensor dq, Tensor dk, Tensor dv) = Parts(dqkv);
        backend.AttentionBackward(
            tokens.BySequence(dq), tokens.BySequence(dk), tokens.BySequence(dv), tokens.BySequence(da), tokens.BySequence(act.Attended!), act.LogSumExp!,
            tokens.BySequence(q), tokens.BySequence(k), tokens.BySequence(v), tokens.Mask, tokens.First, shape.Attention(tokens.Length));
        forward.Rope(dq, dk, shape, tokens, back: true);
        Apply(dn, 0, dqkv, act.Normed!, s, LinearSlot.Qkv, batch, act, g);

        (Tensor, Tensor, Tensor) Parts(Tensor t) =>
            (t.ColumnRange(0, shape.QueryWidth), t.ColumnRange(shape.QueryWidth, shape.KeyWidth), t.ColumnRange(shape.QueryWidth + shape.KeyWidth, shape.KeyWidth));
    }

    /// <summary>dn = gradient of W_down f(W_up n), or W_down (f(W_gate n) * W_up n), + beta dn. (N,D) (N,D')</summary>
    private void Mlp(Tensor dn, double beta, Tensor du, Station s, LabelledBatch batch, StationActivations act, StationGradients? g)
    {
        Tensor h = act.MlpHidden!;
        long ffn = s.MlpDown!.Weight.Columns;
        using Tensor dg = Alloc(du.Rows, ffn);
        Apply(dg, 0, du, act.MlpActivated!, s, LinearSlot.MlpDown, batch, act, g);
        if (spec.GatedMlp)
        {
            Tensor gate = h.ColumnRange(0, ffn), up = h.ColumnRange(ffn, ffn);
            backend.ActivateGatedBackward(gate, up, dg, gate, up, spec.Activation);
            Apply(dn, beta, h, act.Normed!, s, LinearSlot.MlpIn, batch, act, g);
        }
        else
        {
            backend.ActivateBackward(dg, dg, h, spec.Activation);
            Apply(dn, beta, dg, act.Normed!, s, LinearSlot.MlpIn, batch, act, g);
        }
    }

    /// <summary>y = x W^T + b + adapter(x): dx = dy W + adapter's share + beta dx, and the gradients that are wanted. (N,I) (N,O) (N,I)</summary>
    private void Apply(Tensor dx, double beta, Tensor dy, Tensor x, Station s, LinearSlot slot, LabelledBatch batch, StationActivations act, StationGradients? g)
    {
        Linear map = s[slot]!;
        backend.Gemm(dx, dy, map.Weight, beta: beta);
        if (g?[slot] is { } gradient)
        {
            WeightGradient(gradient, dy, x, batch);
        }

        if (map.Adapter is { } adapter)
        {
            AdapterBackward(dx, dy, x, adapter, batch.Tokens, act[slot]!);
        }
    }

    private void AdapterBackward(Tensor dx, Tensor dy, Tensor x, Adapter adapter, TokenBatch tokens, Tensor t)
    {
        using Tensor dt = Alloc(t.Rows, t.Columns);
        for (int p = 0; p < adapter.Parts.Count; p++)
        {
            AdapterPart part = adapter.Parts[p];
            Tensor dyp = dy.ColumnRange(part.From, part.B.Rows);
            backend.Gemm(dt.ColumnRange(p * adapter.Rank, adapter.Rank), dyp, part.B, alpha: adapter.Scale);
            if (part.DB is not null)
            {
                backend.Gemm(part.DB, dyp, t.ColumnRange(p * adapter.Rank, adapter.Rank), transposeA: true, alpha: adapter.Scale, beta: 1);
            }
        }

        using Tensor? dropped = forward.Dropped(x, adapter, tokens);
        if (adapter.DA is not null)
        {
            backend.Gemm(adapter.DA, dt, dropped ?? x, transposeA: true, beta: 1);
        }

        if (dropped is null)
        {
            backend.Gemm(dx, dt, adapter.A, beta: 1);
            return;
        }

        backend.Gemm(dropped, dt, adapter.A);
        backend.Dropout(dropped, dropped, adapter.Dropout, tokens.Dropout!.Value + adapter.Site, tokens.DropoutRow);
        backend.Add(dx, dropped);
    }

    /// <summary>dx += gradient of norm(x). (N,D) (N,D) (N,D)</summary>
    private void Norm(Tensor dx, Tensor dn, Tensor x, Norm norm, Tensor? dgain, Tensor? dbias)
    {
        if (spec.Norm == NormKind.Rms)
        {
            backend.RmsNormBackward(dx, dgain, dn, x, norm.Gain, spec.NormEps, spec.Hidden);
        }
        else
        {
            backend.LayerNormBackward(dx, dgain, dbias, dn, x, norm.Gain, spec.NormEps);
        }
    }

    /// <summary>dW += dy^T x, db += column sums of dy; example by example where squares are wanted. (N,O) (N,I)</summary>
    private void WeightGradient(LinearGradient g, Tensor dy, Tensor x, LabelledBatch batch)
    {
        if (g.Bias is not null)
        {
            backend.AddColumnSums(g.Bias, dy);
        }

        if (g.Squares is null)
        {
            backend.Gemm(g.Weight, dy, x, transposeA: true, beta: 1);
            return;
        }

        int length = batch.Tokens.Length;
        using Tensor one = backend.Alloc(g.Weight.DType, g.Weight.Shape);
        for (int example = 0; example < batch.Tokens.Sequences; example++)
        {
            long from = (long)example * length;
            backend.Gemm(one, dy.RowRange(from, length), x.RowRange(from, length), transposeA: true);
            backend.Add(g.Weight, one);
            if (batch.TargetCounts[example] is > 0 and int targets)
            {
                backend.AddSquares(g.Squares, one, squares.Of(targets));
            }
        }
    }

    private Tensor Alloc(long rows, long columns) => backend.Alloc(dtype, new Shape(rows, columns));
}
