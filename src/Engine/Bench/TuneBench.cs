using NativeEngine.Checkpoints;
using NativeEngine.Kernels;
using NativeEngine.Model;
using NativeEngine.Prune;
using NativeEngine.Tune;

namespace NativeEngine.Bench;

/// <summary>One kind of training step.</summary>
/// <param name="Step">what it does</param>
/// <param name="Seconds">best of the repetitions</param>
/// <param name="TokensPerSecond">the same as a rate</param>
/// <param name="OverFrozen">seconds over those of the first row</param>
/// <param name="PeakBytes">most memory that tensors took so far, weights included</param>
public sealed record TuneBenchRow(string Step, double Seconds, double TokensPerSecond, double OverFrozen, long PeakBytes);

/// <summary>Result of <c>bench tune</c>.</summary>
public sealed record TuneBenchResult : BenchResult
{
    /// <summary>Rows and tokens per row of a micro-batch.</summary>
    public required string Batch { get; init; }

    /// <summary>Rank of the adapters, which all linear maps have.</summary>
    public required int Rank { get; init; }

    /// <summary>A frozen base first, then adapters, then adapters with dropout.</summary>
    public required IReadOnlyList<TuneBenchRow> Rows { get; init; }
}

/// <summary>Optimiser steps of one micro-batch: a forward and backward through a base that stays as it is, without and with adapters on all linear maps.</summary>
public static class TuneBench
{
    private const int Repetitions = 5;

    /// <summary>Times steps of <paramref name="rows"/> x <paramref name="seqLen"/> random tokens.</summary>
    /// <param name="session">the device</param>
    /// <param name="folder">a model folder, or null for random weights in the shape of <paramref name="shape"/></param>
    /// <param name="shape">name of a shape, see <see cref="SyntheticModel.Shapes"/></param>
    /// <param name="rows">rows of the micro-batch</param>
    /// <param name="seqLen">tokens per row</param>
    /// <param name="rank">of the adapters</param>
    /// <param name="dropout">of the last row of the result</param>
    public static TuneBenchResult Run(Session session, string? folder, string shape, int rows, int seqLen, int rank, double dropout)
    {
        using DeviceMeter meter = DeviceMeter.Of(session.Backend);
        using CausalModel model = SyntheticModel.Open(session, folder, shape);
        TokenWindows tokens = SyntheticModel.Tokens(model.Spec.Vocab, rows, Math.Min(seqLen, model.Spec.MaxPositions));
        List<TuneBenchRow> table = [];

        List<LabelledBatch> batches = LlmPruner.Batches(session.Backend, model.Spec, tokens);
        using (var pass = new GradientPass(session, model, model.DType, session.ActivationMemory))
        {
            Add("frozen base", () => pass.Run(batches, new AdapterGradients()));
        }

        batches.ForEach(b => b.Dispose());
        var micro = new MicroBatch(tokens.Ids, tokens.Ids, null, null, tokens.Rows, tokens.Width, tokens.Rows * (tokens.Width - 1));
        foreach (double rate in new[] { 0, dropout }.Distinct())
        {
            var options = new TuneOptions(folder ?? shape, "", new TextSource("")) { Rank = rank, Dropout = rate };
            using var state = new TuneState(AdapterSet.Initial(session.Backend, model.Spec, new LoraConfig(rank, options.Alpha, rate), LoraTargetRoles.All, options.Seed));
            using var trainer = new Trainer(session, model, options, state);
            Add(rate == 0 ? "adapters" : FormattableString.Invariant($"adapters, dropout {rate}"), () => trainer.Step([micro], 1e-4));
        }

        return new TuneBenchResult
        {
            Command = "bench tune",
            Model = folder ?? shape,
            Device = meter.Description,
            Batch = $"{tokens.Rows} x {tokens.Width}",
            Rank = rank,
            Rows = table,
        };

        void Add(string step, Action run)
        {
            run(); // compiles, fills the pool and reads the weights
            double best = double.PositiveInfinity;
            for (int i = 0; i < Repetitions; i++)
            {
                best = Math.Min(best, meter.Seconds(run));
            }

            table.Add(new TuneBenchRow(step, best, tokens.Ids.Length / best, table.Count == 0 ? 1 : best / table[0].Seconds, session.Backend.PeakBytes));
        }
    }
}
