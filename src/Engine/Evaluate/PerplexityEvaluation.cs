using NativeEngine.Checkpoints;
using NativeEngine.Kernels;
using NativeEngine.Model;

namespace NativeEngine.Evaluate;

/// <summary>Negative log-likelihoods of windows, and the three ways the reference implementations average them.</summary>
internal sealed class PerplexityEvaluation(Session session, CausalModel model)
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
        int layers = model.Spec.Layers.Count, count = Math.Min(ResidualStreams.WindowsTogether(session, model, windows, batch), windows.Rows - first);
        TokenWindows part = windows.RowRange(first, count);
        using ResidualStreams streams = ResidualStreams.Of(session, model, forward, part, batch);
        streams.Run(l =>
        {
            for (int b = 0; b < streams.Count; b++)
            {
                RequireFinite(streams[b], l);
            }

            session.Reporter.Step((long)first * layers + (l + 1L) * count, $"layer {l}");
        });
        for (int b = 0; b < streams.Count; b++)
        {
            int row = b * batch, rows = Math.Min(batch, count - row);
            Score(forward, streams[b], part.RowRange(row, rows).NextIds(ignoredId), result.AsSpan(first + row, rows));
        }

        return count;
    }

    /// <summary>What <paramref name="next"/> costs behind a stream of as many windows as <paramref name="result"/> has room for.</summary>
    private void Score(Forward forward, Tensor stream, int[] next, Span<WindowNll> result)
    {
        int width = next.Length / result.Length;
        using Tensor targets = backend.Upload<int>(new Shape(next.Length), next), logProbs = backend.Alloc(DType.F64, new Shape(next.Length));
        forward.TokenLogProbs(logProbs, model.Outer, stream, targets);
        double[] logProb = backend.Download<double>(logProbs);
        for (int row = 0; row < result.Length; row++)
        {
            (double sum, int count) = (0, 0);
            for (int i = row * width; i < (row + 1) * width; i++)
            {
                (sum, count) = next[i] < 0 ? (sum, count) : (sum - logProb[i], count + 1);
            }

            result[row] = new WindowNll(sum, count);
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
}
