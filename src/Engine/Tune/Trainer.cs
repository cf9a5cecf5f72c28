using NativeEngine.Kernels;
using NativeEngine.Model;

namespace NativeEngine.Tune;

/// <summary>
/// Trains the adapters of a <see cref="TuneState"/>, one optimiser step at a time (LLM-Pruner's post_training.py; Hu et al. 2022).
/// The loss of a micro-batch is the mean over its targets, that of a step the mean over its micro-batches. The base stays as it is
/// stored; adapters, gradients and AdamW are F32. A backward in F16 has a <see cref="LossScale"/>.
/// </summary>
internal sealed class Trainer : IDisposable
{
    private const double ClipEpsilon = 1e-6; // torch.nn.utils.clip_grad_norm_

    private readonly Session session;
    private readonly CausalModel model;
    private readonly TuneOptions options;
    private readonly TuneState state;
    private readonly AdapterSet gradients;
    private readonly GradientPass pass;
    private readonly Forward forward;
    private readonly AdapterGradients sink = new();

    /// <summary>Puts the adapters of <paramref name="state"/> on the maps of <paramref name="model"/>.</summary>
    public Trainer(Session session, CausalModel model, TuneOptions options, TuneState state)
    {
        (this.session, this.model, this.options, this.state) = (session, model, options, state);
        gradients = state.Adapters.ZerosAlike();
        pass = new GradientPass(session, model, model.DType, long.MaxValue) { Advice = "lower the learning rate, or look at the checkpoint" };
        forward = new Forward(session.Backend, model.Spec, model.DType);
        state.Adapters.AttachTo(model, gradients);
        if (model.DType == DType.F16)
        {
            state.LossScale ??= LossScale.Initial;
        }
    }

    /// <summary>Norm of the gradient of the last step, before clipping.</summary>
    public double GradientNorm { get; private set; }

    /// <summary>One step with <paramref name="learningRate"/> over <paramref name="batch"/>; the state counts it. Returns its mean loss.</summary>
    /// <exception cref="EngineException">NE10008, NE10009: the loss or the gradient is not finite; the adapters are those of the step before</exception>
    public double Step(IReadOnlyList<MicroBatch> batch, double learningRate)
    {
        double lossScale = state.LossScale?.Value ?? 1;
        double loss = session.Fit(batch.Max(b => b.Rows), rows => Gradients(batch, rows, lossScale));
        session.Switch("optimiser");
        Update(learningRate, lossScale);
        state.AddStep(loss);
        return loss;
    }

    /// <summary>Mean loss over the targets of <paramref name="batches"/>, without dropout.</summary>
    /// <exception cref="EngineException">NE10011: it is not finite</exception>
    public double Evaluate(IReadOnlyList<MicroBatch> batches)
    {
        session.Switch("evaluate");
        long signal = batches.Max(b => (long)b.Ids.Length) * model.Spec.Hidden * model.DType.Size();
        int together = model.IsResident ? 1 : (int)Math.Clamp(session.SignalMemory / signal, 1, batches.Count);
        double loss = batches.Chunk(together).Sum(chunk => session.Fit(chunk.Max(b => b.Rows), rows => Loss([.. chunk.SelectMany(b => b.Parts(rows)).Select(p => p.Part)])))
            / batches.Sum(b => (long)b.TargetCount);
        return double.IsFinite(loss) ? loss : throw new EngineException("NE10011", $"step {state.Step}: the loss on the held-out set is not finite")
        {
            Key = "--lr",
            Hint = "lower the learning rate, or look at the held-out data",
        };
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        forward.Dispose();
        pass.Dispose();
        gradients.Dispose();
    }

    /// <summary>The gradients of a step, at most <paramref name="rows"/> rows of a micro-batch at a time, from zero; returns its mean loss.</summary>
    private double Gradients(IReadOnlyList<MicroBatch> batch, int rows, double lossScale)
    {
        session.Backend.Zero(gradients.Flat);
        (int Index, int FirstRow, MicroBatch Part)[] parts = [.. batch.Index().SelectMany(b => b.Item.Parts(rows).Select(p => (b.Index, p.FirstRow, p.Part)))];
        double loss = 0;

        foreach ((int Index, int FirstRow, MicroBatch Part)[] group in parts.Chunk(Together([.. parts.Select(p => p.Part)])))
        {
            using Owned made = new();
            LabelledBatch[] labelled = [.. group.Select(p => made.Add(Labelled(p.Part, DropoutKey(p.Index), p.FirstRow)))];
            try
            {
                IReadOnlyList<double> losses = pass.Run(labelled, sink, [.. group.Select(p => 1.0 / batch.Count / batch[p.Index].TargetCount)], lossScale);
                int row = 0;
                foreach ((int index, _, MicroBatch part) in group)
                {
                    loss += losses.Skip(row).Take(part.Rows).Sum() / batch[index].TargetCount / batch.Count;
                    row += part.Rows;
                }
            }
            catch (EngineException e) when (e.Exit == ExitCode.Numerical)
            {
                throw new EngineException(e.Code, $"step {state.Step}: {e.Message}", e) { File = e.File, Key = e.Key, Hint = e.Hint };
            }
        }

        return loss;
    }

    /// <summary>The sum of the losses of <paramref name="batches"/>, which pass through a layer together.</summary>
    private double Loss(MicroBatch[] batches)
    {
        using var streams = new ResidualStreams(session, model, forward, batches.Select(b => Tokens(b)));
        streams.Run();
        double sum = 0;
        for (int b = 0; b < batches.Length; b++)
        {
            int[] next = batches[b].Targets();
            using Tensor targets = session.Backend.Upload<int>(new Shape(next.Length), next), logProbs = session.Backend.Alloc(DType.F64, new Shape(next.Length));
            forward.TokenLogProbs(logProbs, model.Outer, streams[b], targets);
            sum -= session.Backend.Download<double>(logProbs).Sum();
        }

        return sum;
    }

    /// <summary>
    /// Micro-batches of one pass. A model that is read layer by layer is read for every pass, so they are as many as can keep their residuals in
    /// front of all layers.
    /// </summary>
    private int Together(IReadOnlyList<MicroBatch> batches)
    {
        long residuals = batches.Max(b => (long)b.Ids.Length) * GradientPass.ResidualBytesPerToken(model.Spec, model.DType);
        return model.IsResident ? 1 : (int)Math.Clamp(session.ResidualMemory / residuals, 1, batches.Count);
    }

    private void Update(double learningRate, double lossScale)
    {
        IBackend backend = session.Backend;
        GradientNorm = Math.Sqrt(backend.SumOfSquares(gradients.Flat)) / lossScale;
        if (!double.IsFinite(GradientNorm))
        {
            SkipUpdate();
            return;
        }

        double clip = options.Clip > 0 ? Math.Min(1, options.Clip / (GradientNorm + ClipEpsilon)) : 1;
        int step = state.Step + 1 - (state.LossScale?.Skipped ?? 0);
        backend.AdamW(state.Adapters.Flat, gradients.Flat, state.Mean.Flat, state.Square.Flat,
            new AdamWStep(learningRate, options.Beta1, options.Beta2, options.Epsilon, options.WeightDecay, step, clip / lossScale));
        state.LossScale = state.LossScale?.Kept();
    }

    /// <summary>The gradient is not finite: F16 may do with a smaller scale in the next step.</summary>
    private void SkipUpdate()
    {
        if (state.LossScale is not { Value: > 1 } scale)
        {
            throw new EngineException("NE10009", $"step {state.Step}: the gradient is not finite") { Key = "--lr", Hint = "lower the learning rate, or look at the data of this step" };
        }

        state.LossScale = scale.Halved();
        session.Reporter.Notice(FormattableString.Invariant($"step {state.Step}: a gradient overflows fp16; the step changes nothing, and the loss's scale is {scale.Value / 2} from now on"));
    }

    private LabelledBatch Labelled(MicroBatch b, ulong dropout, int firstRow) => new(session.Backend, Tokens(b, dropout, firstRow), b.Targets());

    private TokenBatch Tokens(MicroBatch b, ulong? dropout = null, int firstRow = 0) =>
        new(session.Backend, model.Spec, b.Ids, b.Width, b.Mask, first: b.First) { Dropout = dropout, DropoutRow = (long)firstRow * b.Width };

    /// <summary>A key of its own for every micro-batch of the run, so that a resumed run drops what an uninterrupted one does.</summary>
    private ulong DropoutKey(int micro) => new SplitMix64((long)new SplitMix64(options.Seed + state.Step).Next() + micro).Next();
}
