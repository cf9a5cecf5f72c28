using NativeEngine.Checkpoints;
using NativeEngine.Kernels;

namespace NativeEngine.Model;

/// <summary>
/// The residual streams of batches that go through a model together: all of them through one layer before the next is touched, which may have to be read.
/// Owns the batches and the streams.
/// </summary>
internal sealed class ResidualStreams : IDisposable
{
    private readonly Session session;
    private readonly CausalModel model;
    private readonly Forward forward;
    private readonly TokenBatch[] batches;
    private readonly Tensor[] streams;

    /// <summary>The streams of <paramref name="batches"/>, which are made as they are asked for, in front of the first layer.</summary>
    public ResidualStreams(Session session, CausalModel model, Forward forward, IEnumerable<TokenBatch> batches)
    {
        (this.session, this.model, this.forward) = (session, model, forward);
        using Owned made = new();
        this.batches = [.. batches.Select(batch => made.Add(batch))];
        streams = [.. this.batches.Select(batch => made.Add(forward.Embed(model.Outer, batch)))];
        made.HandOver(this);
    }

    /// <summary>How many there are.</summary>
    public int Count => streams.Length;

    /// <summary>The stream of batch <paramref name="b"/>, where it has come to. (N,D)</summary>
    public Tensor this[int b] => streams[b];

    /// <summary>
    /// Windows that go through <paramref name="model"/> together, a multiple of <paramref name="batch"/>: one batch of a model that is in memory, as many as
    /// memory holds of one whose layers are read, which is what takes long then.
    /// </summary>
    public static int WindowsTogether(Session session, CausalModel model, TokenWindows windows, int batch)
    {
        long bytes = (long)windows.Width * model.Spec.Hidden * model.DType.Size();
        return model.IsResident ? batch : (int)Math.Clamp(session.SignalMemory / bytes / batch * batch, batch, Math.Max(batch, windows.Rows));
    }

    /// <summary>The streams of <paramref name="windows"/>, <paramref name="batch"/> in a batch.</summary>
    public static ResidualStreams Of(Session session, CausalModel model, Forward forward, TokenWindows windows, int batch) => new(
        session, model, forward,
        Enumerable.Range(0, windows.Rows).Chunk(batch).Select(rows => TokenBatch.Of(session.Backend, model.Spec, windows.RowRange(rows[0], rows.Length))));

    /// <summary>Through all layers; <paramref name="behind"/> is called when all streams have passed one.</summary>
    public void Run(Action<int>? behind = null)
    {
        for (int l = 0; l < model.Spec.Layers.Count; l++)
        {
            session.Cancel.ThrowIfCancellationRequested();
            LayerWeights layer = model.Layer(l);
            try
            {
                for (int b = 0; b < streams.Length; b++)
                {
                    streams[b] = forward.Layer(layer, l, streams[b], batches[b]);
                }
            }
            finally
            {
                model.Release(layer);
            }

            behind?.Invoke(l);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (Tensor stream in streams)
        {
            stream.Dispose();
        }

        foreach (TokenBatch batch in batches)
        {
            batch.Dispose();
        }
    }
}
