using NativeEngine.Checkpoints;
using NativeEngine.Kernels;
using NativeEngine.Model;

namespace NativeEngine.Prune;

/// <summary>
/// How much each layer turns the residual stream (Men et al. 2024, "ShortGPT", equation 1): BI_i = 1 - mean over the tokens of
/// cos(x_i, x_{i+1}), x_i in front of layer i and x_{i+1} behind it. The layer with the smallest does least. Needs a forward only.
/// </summary>
internal sealed class BlockInfluence(Session session, CausalModel model)
{
    private readonly IBackend backend = session.Backend;

    /// <summary>BI of every layer, over the tokens of <paramref name="windows"/> that are not padding. The model must not be sliced.</summary>
    /// <param name="windows">token windows</param>
    /// <param name="batch">windows per forward call</param>
    /// <exception cref="EngineException">NE3179: no token counts</exception>
    public double[] Measure(TokenWindows windows, int batch)
    {
        long tokens = windows.Mask is null ? windows.Ids.Length : windows.Mask.Count(m => m != 0);
        if (tokens == 0)
        {
            throw new EngineException("NE3179", "no token of the text counts: all of them are padding") { Hint = "check the mask" };
        }

        var sums = new double[model.Spec.Layers.Count];
        session.Phase("influence", (long)windows.Rows * sums.Length);
        using var forward = new Forward(backend, model.Spec, model.DType);
        for (int first = 0; first < windows.Rows;)
        {
            (int count, sums) = session.Fit(batch, rows => AddCosines(sums, forward, windows, first, rows));
            first += count;
        }

        return Array.ConvertAll(sums, sum => 1 - sum / tokens);
    }

    /// <summary><paramref name="sums"/> and the cosines of every layer over windows from <paramref name="first"/> on, and how many windows that were.</summary>
    private (int Count, double[] Sums) AddCosines(double[] sums, Forward forward, TokenWindows windows, int first, int batch)
    {
        int layers = model.Spec.Layers.Count, count = Math.Min(ResidualStreams.WindowsTogether(session, model, windows, batch), windows.Rows - first);
        TokenWindows part = windows.RowRange(first, count);
        using ResidualStreams streams = ResidualStreams.Of(session, model, forward, part, batch);
        float[][] front = [.. Enumerable.Range(0, streams.Count).Select(b => backend.ToSingle(streams[b]))];
        sums = [.. sums];
        streams.Run(l =>
        {
            for (int b = 0; b < front.Length; b++)
            {
                float[] behind = backend.ToSingle(streams[b]);
                int tokens = behind.Length / model.Spec.Hidden;
                AddCosines(ref sums[l], front[b], behind, part.Mask is null ? default : part.Mask.AsSpan(b * batch * part.Width, tokens));
                front[b] = behind;
            }

            session.Reporter.Step((long)first * layers + (l + 1L) * count, $"layer {l}");
        });
        return (count, sums);
    }

    /// <summary>Token by token, so that the sum does not depend on the batches.</summary>
    private void AddCosines(ref double sum, ReadOnlySpan<float> x, ReadOnlySpan<float> y, ReadOnlySpan<int> mask)
    {
        int width = model.Spec.Hidden;
        for (int n = 0; n * width < x.Length; n++)
        {
            sum += !mask.IsEmpty && mask[n] == 0 ? 0 : Cosine(x.Slice(n * width, width), y.Slice(n * width, width));
        }
    }

    private static double Cosine(ReadOnlySpan<float> x, ReadOnlySpan<float> y)
    {
        double xy = 0, xx = 0, yy = 0;
        for (int i = 0; i < x.Length; i++)
        {
            xy += (double)x[i] * y[i];
            xx += (double)x[i] * x[i];
            yy += (double)y[i] * y[i];
        }

        return xx == 0 && yy == 0 ? 1 : xy / Math.Sqrt(xx * yy); // what is zero in front and behind was not turned
    }
}
