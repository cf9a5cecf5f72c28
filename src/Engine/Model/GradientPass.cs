using NativeEngine.Kernels;
using NativeEngine.Spec;

namespace NativeEngine.Model;

/// <summary>
/// Forward and backward over labelled batches, all of them through one layer before the next is touched. The residual stream at the layers'
/// inputs is kept; activations inside a layer are kept from the last layer down while they fit a budget and are made again otherwise, by the
/// same ops and so with the same bits. A gradient lives only while its layer is being worked on.
/// </summary>
/// <param name="session">device, phases "load", "forward", "loss" and "backward"</param>
/// <param name="model">weights; read layer by layer when they do not fit</param>
/// <param name="dtype">as the model was opened</param>
/// <param name="activationMemory">bytes for activations inside layers, at most those of the session</param>
internal sealed class GradientPass(Session session, CausalModel model, DType dtype, long activationMemory) : IDisposable
{
    private readonly IBackend backend = session.Backend;
    private readonly Forward forward = new(session.Backend, model.Spec, dtype);

    /// <summary>What to do about a loss that is not finite.</summary>
    public string Advice { get; init; } = "look at the checkpoint";

    /// <summary>
    /// Adds the gradients of the mean loss over all targets, and returns the sum of the losses of each sequence's targets, in nats.
    /// </summary>
    /// <param name="batches">in the order in which gradients add up</param>
    /// <param name="sink">what is wanted</param>
    /// <param name="scales">factor on the sum of each batch's losses; null for the mean over all targets</param>
    /// <param name="lossScale">gradients, and the means of their squares, are so many times as large: those of activations fit F16 then</param>
    /// <exception cref="EngineException">NE10007, NE10008: a loss is not finite; NE3180: no target counts</exception>
    public IReadOnlyList<double> Run(IReadOnlyList<LabelledBatch> batches, IGradientSink sink, IReadOnlyList<double>? scales = null, double lossScale = 1)
    {
        ModelSpec spec = model.Spec;
        Stream[] streams = [.. batches.Select(b => new Stream(b, spec.Layers.Count))];
        try
        {
            long total = batches.Sum(b => b.TargetCounts.Sum(n => (long)n));
            if (total == 0)
            {
                throw new EngineException("NE3180", "no token of the text counts: all of them are padding") { Hint = "check the mask or the labels" };
            }

            var backward = new Backward(backend, spec, dtype, forward, new SquareScale(total, batches.Sum(b => b.TargetCounts.Count(n => n > 0)), lossScale));
            ForwardAll(streams, sink.FirstLayer);
            session.Switch("loss");
            List<double> losses = [];
            for (int i = 0; i < streams.Length; i++)
            {
                losses.AddRange(Loss(backward, streams[i], lossScale * (scales?[i] ?? 1.0 / total), sink.Outer));
            }

            BackwardAll(backward, streams, sink);
            return losses;
        }
        finally
        {
            foreach (Stream s in streams)
            {
                s.Dispose();
            }
        }
    }

    /// <summary>Bytes of the residuals that one token keeps while a pass goes on: in front of every layer from <paramref name="firstLayer"/> on, and behind the last.</summary>
    public static long ResidualBytesPerToken(ModelSpec spec, DType dtype, int firstLayer = 0) =>
        (spec.Layers.Skip(firstLayer).Sum(s => (long)s.AttentionInput) + spec.HeadWidth) * dtype.Size();

    /// <inheritdoc/>
    public void Dispose() => forward.Dispose();

    private void ForwardAll(Stream[] streams, int firstLayer)
    {
        session.Switch("load");
        _ = model.Outer;
        session.Switch("forward");
        int keepFrom = FirstKept(streams);
        foreach (Stream s in streams)
        {
            s.Signal = forward.Embed(model.Outer, s.Batch.Tokens);
        }

        for (int l = 0; l < model.Spec.Layers.Count; l++)
        {
            LayerWeights layer = Load(l, "forward");
            try
            {
                foreach (Stream s in streams)
                {
                    if (l < firstLayer)
                    {
                        s.Signal = forward.Layer(layer, l, s.Signal!, s.Batch.Tokens);
                        continue;
                    }

                    s.Inputs[l] = s.Signal;
                    s.Kept[l] = new LayerActivations();
                    s.Signal = forward.LayerKept(layer, l, s.Signal!, s.Batch.Tokens, s.Kept[l]!);
                    if (l < keepFrom)
                    {
                        s.Kept[l]!.Dispose();
                        s.Kept[l] = null;
                    }
                }
            }
            finally
            {
                model.Release(layer);
            }
        }
    }

    /// <summary>The lowest layer from which on all activations fit the budget.</summary>
    private int FirstKept(Stream[] streams)
    {
        long tokens = streams.Sum(s => s.Batch.Targets.Columns), left = Math.Min(activationMemory, session.ActivationMemory);
        int l = model.Spec.Layers.Count;
        while (l > 0 && (left -= LayerActivations.BytesPerToken(model.Spec, l - 1, dtype) * tokens) >= 0)
        {
            l--;
        }

        return l;
    }

    /// <summary>Losses by sequence; the signal becomes the gradient behind the last layer.</summary>
    private double[] Loss(Backward backward, Stream s, double scale, OuterGradients? outer)
    {
        Tensor x = s.Signal!;
        int length = s.Batch.Tokens.Length;
        using Tensor loss = backend.Alloc(DType.F64, new Shape(x.Rows));
        Tensor dx = backend.Alloc(dtype, x.Shape);
        s.Gradient = dx;
        backward.Loss(loss, dx, model.Outer, x, s.Batch, scale, outer);
        var sums = new double[s.Batch.Tokens.Sequences];
        double[] losses = backend.Download<double>(loss);
        for (int n = 0; n < losses.Length; n++)
        {
            sums[n / length] += losses[n];
        }

        return sums.All(double.IsFinite) ? sums : throw new LossAutopsy(backend, model, forward, Advice).Of(s.Batch);
    }

    private void BackwardAll(Backward backward, Stream[] streams, IGradientSink sink)
    {
        session.Switch("backward");
        for (int l = model.Spec.Layers.Count - 1; l >= sink.FirstLayer; l--)
        {
            LayerWeights layer = Load(l, "backward");
            try
            {
                IReadOnlyList<StationGradients>? gradients = sink.Begin(l, layer);
                try
                {
                    foreach (Stream s in streams)
                    {
                        using LayerActivations act = s.Kept[l] ?? Recompute(layer, l, s);
                        s.Kept[l] = null;
                        s.Gradient = backward.Layer(layer, s.Gradient!, s.Batch, act, gradients);
                        s.Inputs[l]!.Dispose();
                        s.Inputs[l] = null;
                    }

                    if (gradients is not null)
                    {
                        sink.End(l, layer, gradients);
                    }
                }
                catch
                {
                    foreach (StationGradients g in gradients ?? [])
                    {
                        g.Dispose();
                    }

                    throw;
                }
            }
            finally
            {
                model.Release(layer);
            }
        }

        foreach (Stream s in streams)
        {
            if (sink.Outer is not null)
            {
                backward.Embed(s.Gradient!, s.Batch.Tokens, sink.Outer);
            }
        }
    }

    /// <summary>The weights of a layer; the time from here on is <paramref name="phase"/>'s.</summary>
    private LayerWeights Load(int l, string phase)
    {
        session.Cancel.ThrowIfCancellationRequested();
        session.Switch("load");
        LayerWeights layer = model.Layer(l);
        session.Switch(phase);
        return layer;
    }

    private LayerActivations Recompute(LayerWeights layer, int l, Stream s)
    {
        var act = new LayerActivations();
        try
        {
            forward.LayerKept(layer, l, s.Inputs[l]!, s.Batch.Tokens, act).Dispose();
            return act;
        }
        catch
        {
            act.Dispose();
            throw;
        }
    }

    /// <summary>A batch on its way through the layers and back.</summary>
    private sealed class Stream(LabelledBatch batch, int layers) : IDisposable
    {
        public LabelledBatch Batch => batch;

        /// <summary>The residual behind the last layer that ran; at first also the next layer's input.</summary>
        public Tensor? Signal { get; set; }

        /// <summary>The residual in front of each layer that the backward visits.</summary>
        public Tensor?[] Inputs { get; } = new Tensor?[layers];

        public LayerActivations?[] Kept { get; } = new LayerActivations?[layers];

        public Tensor? Gradient { get; set; }

        public void Dispose()
        {
            Signal?.Dispose();
            Gradient?.Dispose();
            foreach (Tensor? input in Inputs)
            {
                input?.Dispose();
            }

            foreach (LayerActivations? kept in Kept)
            {
                kept?.Dispose();
            }
        }
    }
}
