using NativeEngine.Checkpoints;
using NativeEngine.Kernels;
using NativeEngine.Model;

namespace NativeEngine.Evaluate;

/// <summary>Negative log-likelihoods of windows, and the three ways the reference implementations average them.</summary>
public sealed class PerplexityEvaluation(Session session, CausalModel model)
{
    private readonly IBackend backend = session.Backend;

    /// <summary>Sum of the negative log-likelihoods of one window's targets, in nats, and how many there were.</summary>
    public readonly record struct WindowNll(double Sum, int Targets);

    /// <summary>Mean negative log-likelihood as <paramref name="protocol"/> averages it.</summary>
    /// <exception cref="EngineException">NE3179: no token counts</exception>
    public static double Mean(IReadOnlyList<WindowNll> windows, PerplexityProtocol protocol)
    {
        WindowNll[] counted = [.. windows.Where(w => w.Targets > 0)];
        if (counted.Length == 0)
        {
            throw new EngineException("NE3179", "no token of the text counts: all of them are padding") { Hint = "check the mask" };
        }

        return protocol switch
        {
            // one mean over all targets
            PerplexityProtocol.LlmPruner => counted.Sum(w => w.Sum) / counted.Sum(w => (long)w.Targets),

            // mean of window means; windows have equal length, so SparseGPT's weighting by length is the same
            _ => counted.Average(w => w.Sum / w.Targets),
        };
    }

    /// <summary>The target id that does not count. SliceGPT pads with the end-of-text id where the model has no pad id, and takes pad id 0 for none.</summary>
    public static int? IgnoredId(Spec.SpecialIds ids, PerplexityProtocol protocol)
    {
        int? pad = ids.Pad ?? (ids.Eos is [int eos, ..] ? eos : null);
        return protocol == PerplexityProtocol.SliceGpt && pad != 0 ? pad : null;
    }

    /// <summary>Evaluates every window; each starts without context. A target equal to <paramref name="ignoredId"/>, or beside padding, does not count.</summary>
    public IReadOnlyList<WindowNll> Measure(TokenWindows windows, int batch, int? ignoredId)
    {
        var result = new WindowNll[windows.Rows];
        long layers = model.Spec.Layers.Count;
        session.Phase("perplexity", windows.Rows * layers);
        using var forward = new Forward(backend, model.Spec, model.DType);
        for (int first = 0; first < windows.Rows;)
        {
            first += session.Fit(batch, rows => Measure(forward, windows, first, rows, ignoredId, result));
        }

        return result;
    }

    /// <summary>Evaluates windows from <paramref name="first"/> on, <paramref name="batch"/> at a time; returns how many.</summary>
    private int Measure(Forward forward, TokenWindows windows, int first, int batch, int? ignoredId, WindowNll[] result)
    {
        int layers = model.Spec.Layers.Count, count = batch;
        if (!model.IsResident)
        {
            // Reading a layer is the expensive part then: pass as many windows as fit through it at a time.
            long windowBytes = (long)windows.Width * model.Spec.Hidden * model.DType.Size();
            count = (int)Math.Clamp(session.SignalMemory / windowBytes / batch * batch, batch, Math.Max(batch, windows.Rows));
        }

        count = Math.Min(count, windows.Rows - first);
        List<Stream> streams = [];
        try
        {
            for (int r = first; r < first + count; r += batch)
            {
                streams.Add(new Stream(r, Batch(windows, r, Math.Min(batch, first + count - r))));
            }

            foreach (Stream s in streams)
            {
                s.Residual = forward.Embed(model.Outer, s.Batch);
            }

            for (int l = 0; l < layers; l++)
            {
                session.Cancel.ThrowIfCancellationRequested();
                LayerWeights layer = model.Layer(l);
                try
                {
                    foreach (Stream s in streams)
                    {
                        s.Residual = forward.Layer(layer, l, s.Residual!, s.Batch);
                        RequireFinite(s.Residual, l);
                    }
                }
                finally
                {
                    model.Release(layer);
                }

                session.Reporter.Step((long)first * layers + (l + 1L) * count, $"layer {l}");
            }

            foreach (Stream s in streams)
            {
                Score(forward, s, windows, ignoredId, result);
            }
        }
        finally
        {
            streams.ForEach(s => s.Dispose());
        }

        return count;
    }

    private TokenBatch Batch(TokenWindows windows, int row, int rows) => new(
        backend, model.Spec, windows.Ids.AsSpan(row * windows.Width, rows * windows.Width), windows.Width,
        windows.Mask is null ? default : windows.Mask.AsSpan(row * windows.Width, rows * windows.Width));

    /// <summary>Target of position t is the id at t + 1; the last position of a window has none.</summary>
    private void Score(Forward forward, Stream s, TokenWindows windows, int? ignoredId, WindowNll[] result)
    {
        int width = windows.Width, n = s.Batch.Sequences * width, offset = s.FirstRow * width;
        var target = new int[n];
        for (int i = 0; i < n; i++)
        {
            bool counts = i % width != width - 1 && windows.Ids[offset + i + 1] != ignoredId
                && (windows.Mask is null || (windows.Mask[offset + i] != 0 && windows.Mask[offset + i + 1] != 0));
            target[i] = counts ? windows.Ids[offset + i + 1] : -1;
        }

        using Tensor targets = backend.Upload<int>(new Shape(n), target), logProbs = backend.Alloc(DType.F64, new Shape(n));
        forward.TokenLogProbs(logProbs, model.Outer, s.Residual!, targets);
        double[] logProb = backend.Download<double>(logProbs);
        for (int row = 0; row < s.Batch.Sequences; row++)
        {
            (double sum, int count) = (0, 0);
            for (int i = row * width; i < (row + 1) * width; i++)
            {
                (sum, count) = target[i] < 0 ? (sum, count) : (sum - logProb[i], count + 1);
            }

            result[s.FirstRow + row] = new WindowNll(sum, count);
        }
    }

    private void RequireFinite(Tensor residual, int layer)
    {
        if (!backend.AllFinite(residual))
        {
            throw new EngineException("NE10002", $"layer {layer} produced NaN or infinity")
            {
                File = model.Checkpoint.Folder,
                Key = $"layer {layer}",
                Hint = "the weights are finite, so an activation overflowed: the checkpoint is damaged or was stored in too narrow a type",
            };
        }
    }

    /// <summary>A batch of windows on its way through the layers.</summary>
    private sealed class Stream(int firstRow, TokenBatch batch) : IDisposable
    {
        public int FirstRow => firstRow;

        public TokenBatch Batch => batch;

        public Tensor? Residual { get; set; }

        public void Dispose()
        {
            Residual?.Dispose();
            Batch.Dispose();
        }
    }
}
