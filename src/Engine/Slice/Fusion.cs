using NativeEngine.Kernels;
using NativeEngine.Model;
using NativeEngine.Spec;

namespace NativeEngine.Slice;

/// <summary>
/// Norm fusion (Ashkboos et al. 2024, section 3.1). RMSNorm commutes with a rotation once its gain g and bias beta sit in the next
/// linear map: W_in &lt;- W_in diag(g), b_in &lt;- b_in + W_in beta. LayerNorm is RMSNorm of a signal with mean 0, so whatever writes
/// to the residual gets its output mean removed: W_out &lt;- M W_out, b_out &lt;- M b_out, M = I - 11^T / D. Computed in F64.
/// Quirk S1: the reference removes the embedding's mean for RMSNorm models as well, which changes the function.
/// Quirk S2: its fused norm always has eps 1e-5.
/// </summary>
internal sealed class Fusion(IBackend backend, ModelSpec spec, bool compat)
{
    private const int ElementsAtOnce = 1 << 18; // of a weight on the host; they stay in the cache

    private readonly bool bakeMean = spec.Norm == NormKind.Layer;

    /// <summary>What <paramref name="spec"/> becomes. A fused model has its own head, RMSNorm without weights, and a shortcut around every station.</summary>
    public static ModelSpec Fused(ModelSpec spec, bool compat)
    {
        if (spec.Shortcuts)
        {
            return spec;
        }

        // The bias of a LayerNorm moves into the next map, which may not have had one.
        bool moved = spec.Norm == NormKind.Layer && spec.NormAffine;
        Biases bias = spec.Bias;
        return spec with
        {
            Norm = NormKind.Rms,
            NormEps = compat ? 1e-5 : spec.NormEps,
            NormAffine = false,
            TiedHead = false,
            Shortcuts = true,
            Bias = bias with { Qkv = bias.Qkv || moved, MlpIn = bias.MlpIn || moved, Head = bias.Head || moved },
        };
    }

    /// <summary>Fuses the norms of a layer in place.</summary>
    public void Layer(LayerWeights layer)
    {
        foreach (Station s in layer.Stations)
        {
            s.Qkv = s.Qkv is null ? null : Absorb(s.Qkv, s.Norm);
            s.MlpIn = s.MlpIn is null ? null : Absorb(s.MlpIn, s.Norm);
            s.Norm.Dispose();
            s.Norm = new Norm(null, null);
            RemoveOutputMean(s.AttnOut);
            RemoveOutputMean(s.MlpDown);
        }
    }

    /// <summary>Fuses the final norm into the head and centres the embeddings, in place where it can.</summary>
    public OuterWeights Outer(OuterWeights outer)
    {
        Linear head = Absorb(outer.Head, outer.NormFinal);
        outer.NormFinal.Dispose();
        if (bakeMean || compat)
        {
            RemoveRowMean(outer.Embed);
            RemoveRowMean(outer.Position);
        }

        return outer with { Head = head, NormFinal = new Norm(null, null) };
    }

    /// <summary>The map W diag(g), b + W beta; W keeps its memory.</summary>
    private Linear Absorb(Linear map, Norm norm)
    {
        if (norm.Gain is null)
        {
            return map;
        }

        Tensor? bias = map.Bias;
        if (norm.Bias is not null && bias is null)
        {
            bias = backend.Alloc(map.Weight.DType, new Shape(map.Weight.Rows));
            backend.Zero(bias);
        }

        float[] gain = backend.Download<float>(norm.Gain), beta = norm.Bias is null ? [] : backend.Download<float>(norm.Bias);
        float[] moved = bias is null ? [] : backend.Download<float>(bias);
        EachRow(map.Weight, change: true, (r, w) =>
        {
            double sum = 0;
            for (int c = 0; c < beta.Length; c++)
            {
                sum += (double)w[c] * beta[c];
            }

            if (moved.Length > 0)
            {
                moved[r] = (float)(moved[r] + sum);
            }

            for (int c = 0; c < w.Length; c++)
            {
                w[c] = (float)((double)w[c] * gain[c]);
            }
        });
        if (bias is not null)
        {
            backend.Upload<float>(bias, moved);
        }

        return new Linear(map.Weight, bias);
    }

    private void RemoveOutputMean(Linear? map)
    {
        if (map is null || !bakeMean)
        {
            return;
        }

        var mean = new double[map.Weight.Columns];
        EachRow(map.Weight, change: false, (_, w) =>
        {
            for (int c = 0; c < w.Length; c++)
            {
                mean[c] += w[c];
            }
        });
        EachRow(map.Weight, change: true, (_, w) =>
        {
            for (int c = 0; c < w.Length; c++)
            {
                w[c] = (float)(w[c] - mean[c] / map.Weight.Rows);
            }
        });
        RemoveRowMean(map.Bias);
    }

    private void RemoveRowMean(Tensor? t)
    {
        if (t is null)
        {
            return;
        }

        EachRow(t, change: true, (_, row) =>
        {
            double mean = 0;
            foreach (float v in row)
            {
                mean += v;
            }

            mean /= row.Length;
            for (int c = 0; c < row.Length; c++)
            {
                row[c] = (float)(row[c] - mean);
            }
        });
    }

    /// <summary>Shows every row to the host, block by block, and takes it back where it changes.</summary>
    private void EachRow(Tensor t, bool change, Action<long, Span<float>> visit)
    {
        int columns = (int)t.Columns, rows = (int)Math.Clamp(ElementsAtOnce / columns, 1, t.Rows);
        var block = new float[rows * columns];
        for (long from = 0; from < t.Rows; from += rows)
        {
            Tensor view = t.RowRange(from, Math.Min(rows, t.Rows - from));
            Span<float> values = block.AsSpan(0, (int)view.Shape.Count);
            backend.Download(values, view);
            for (int r = 0; r < view.Rows; r++)
            {
                visit(from + r, values.Slice(r * columns, columns));
            }

            if (change)
            {
                backend.Upload<float>(view, values);
            }
        }
    }
}
