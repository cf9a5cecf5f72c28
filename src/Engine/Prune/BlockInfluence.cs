using NativeEngine.Checkpoints;
using NativeEngine.Kernels;
using NativeEngine.Model;

namespace NativeEngine.Prune;

/// <summary>
/// How much each layer turns the residual stream (Men et al. 2024, "ShortGPT", equation 1): BI_i = 1 - mean over the tokens of
/// cos(x_i, x_{i+1}), x_i in front of layer i and x_{i+1} behind it. The layer with the smallest does least. Needs a forward only.
/// </summary>
public sealed class BlockInfluence(Session session, CausalModel model)
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
            (int count, double[] cosines) = session.Fit(batch, rows => Cosines(forward, windows, first, rows));
            sums = [.. sums.Zip(cosines, (sum, more) => sum + more)];
            first += count;
        }

        return Array.ConvertAll(sums, sum => 1 - sum / tokens);
    }

    /// <summary>The sum of the cosines of every layer over windows from <paramref name="first"/> on, <paramref name="batch"/> at a time, and how many they are.</summary>
    private (int Count, double[] Cosines) Cosines(Forward forward, TokenWindows windows, int first, int batch)
    {
        int layers = model.Spec.Layers.Count, count = batch;
        if (!model.IsResident)
        {
            // Reading a layer is the expensive part then: pass as many windows as fit through it at a time.
            long windowBytes = (long)windows.Width * model.Spec.Hidden * model.DType.Size();
            count = (int)Math.Clamp(session.SignalMemory / windowBytes / batch * batch, batch, Math.Max(batch, windows.Rows));
        }

        count = Math.Min(count, windows.Rows - first);
        var cosines = new double[layers];
        TokenBatch[] batches = [.. Enumerable.Range(first, count).Chunk(batch).Select(rows => Batch(windows, rows[0], rows.Length))];
        var x = new Tensor?[batches.Length];
        try
        {
            for (int b = 0; b < batches.Length; b++)
            {
                x[b] = forward.Embed(model.Outer, batches[b]);
            }

            for (int l = 0; l < layers; l++)
            {
                session.Cancel.ThrowIfCancellationRequested();
                LayerWeights layer = model.Layer(l);
                try
                {
                    for (int b = 0; b < batches.Length; b++)
                    {
                        float[] before = backend.ToSingle(x[b]!);
                        x[b] = forward.Layer(layer, l, x[b]!, batches[b]);
                        AddCosines(ref cosines[l], before, backend.ToSingle(x[b]!), MaskOf(windows, first + b * batch, batches[b].Sequences));
                    }
                }
                finally
                {
                    model.Release(layer);
                }

                session.Reporter.Step((long)first * layers + (l + 1L) * count, $"layer {l}");
            }
        }
        finally
        {
            Array.ForEach(x, t => t?.Dispose());
            Array.ForEach(batches, b => b.Dispose());
        }

        return (count, cosines);
    }

    private TokenBatch Batch(TokenWindows windows, int row, int rows) => new(
        backend, model.Spec, windows.Ids.AsSpan(row * windows.Width, rows * windows.Width), windows.Width,
        MaskOf(windows, row, rows));

    private static ReadOnlySpan<int> MaskOf(TokenWindows windows, int row, int rows) =>
        windows.Mask is null ? default : windows.Mask.AsSpan(row * windows.Width, rows * windows.Width);

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
