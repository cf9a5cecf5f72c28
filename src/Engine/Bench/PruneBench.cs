using NativeEngine.Checkpoints;
using NativeEngine.Kernels;
using NativeEngine.Model;
using NativeEngine.Prune;
using NativeEngine.Spec;

namespace NativeEngine.Bench;

/// <summary>One run of the prune benchmark.</summary>
/// <param name="Layers">decoder layers</param>
/// <param name="Seconds">decision and deletion, which draws every layer once more; without loading the weights</param>
/// <param name="ForwardSeconds">of the examples</param>
/// <param name="BackwardSeconds">of the examples, activations that were not kept made again</param>
/// <param name="BackwardOverForward">their ratio</param>
/// <param name="ImportanceSeconds">forward, loss, backward and scores</param>
/// <param name="PeakBytes">most memory that tensors took while scoring</param>
/// <param name="ResidualBytes">of which the residual stream at the layers' inputs, which is all that grows with the layers</param>
public sealed record PruneBenchRow(int Layers, double Seconds, double ForwardSeconds, double BackwardSeconds, double BackwardOverForward, double ImportanceSeconds, long PeakBytes, long ResidualBytes);

/// <summary>Result of <c>bench prune</c>.</summary>
public sealed record PruneBenchResult : BenchResult
{
    /// <summary>Name of a shape, see <see cref="SyntheticModel.Shapes"/>.</summary>
    public required string Shape { get; init; }

    /// <summary>Parameters of the dense model with its own number of layers.</summary>
    public required long Parameters { get; init; }

    /// <summary>Calibration tokens.</summary>
    public required long Tokens { get; init; }

    /// <summary>One entry per number of layers.</summary>
    public required IReadOnlyList<PruneBenchRow> Rows { get; init; }

    /// <summary>Seconds by phase of the last run.</summary>
    public required IReadOnlyDictionary<string, double> Phases { get; init; }
}

/// <summary>
/// Prunes random weights in the shape of a real model; they are drawn on the device, and what is left of them goes nowhere. A CPU reads them layer by
/// layer, as those of a model that is larger than the memory, so that the peak shows what scoring itself needs; a GPU keeps them.
/// </summary>
public static class PruneBench
{
    private const double ImportanceGoal = 0.25;
    private const int LeastLayers = 3; // of which a block is pruned

    /// <summary>Runs <paramref name="shape"/> with each of <paramref name="layers"/>.</summary>
    public static PruneBenchResult Run(Func<Session> open, string shape, IReadOnlyList<int>? layers, int samples, int seqLen, double ratio, TaylorOrder order)
    {
        ModelSpec spec = SpecReader.Parse(SyntheticModel.Config(shape), shape);
        TokenWindows tokens = SyntheticModel.Tokens(spec.Vocab, samples, Math.Min(seqLen, spec.MaxPositions));
        List<PruneBenchRow> rows = [];
        IReadOnlyList<Target> targets = [];
        Dictionary<string, double> phases = [];
        string device = "";
        foreach (int l in layers ?? [spec.Layers.Count])
        {
            using Session session = open();
            session.ExactPhases = true;
            using DeviceMeter meter = DeviceMeter.Of(session.Backend);
            device = meter.Description;
            if (session.Backend.IsHost && rows.Count == 0)
            {
                Once(session, shape, LeastLayers, tokens, ratio, order); // compiles
            }

            (phases, long peak) = Once(session, shape, l, tokens, ratio, order);
            (double forward, double backward) = (phases["forward"], phases["backward"]);
            double importance = forward + phases["loss"] + backward + phases["importance"];
            rows.Add(new PruneBenchRow(
                l, phases.Where(phase => phase.Key != "load").Sum(phase => phase.Value), forward, backward, backward / forward, importance, peak,
                (long)tokens.Ids.Length * spec.Hidden * SyntheticModel.ComputeType(session).Size() * l));
            bool aimedAt = !session.Backend.IsHost && (shape, l, samples, seqLen, order) is ("llama-7b" or "llama-2-7b", 32, 10, 64, TaylorOrder.ParamFirst);
            targets = aimedAt ? [Target.Seconds("importance of 7B, 10 x 64", importance, ImportanceGoal)] : targets;
        }

        return new PruneBenchResult
        {
            Command = "bench prune",
            Device = device,
            Shape = shape,
            Parameters = spec.ParameterCount(),
            Tokens = tokens.Ids.Length,
            Rows = rows,
            Phases = phases,
            Targets = targets,
        };
    }

    private static (Dictionary<string, double> Phases, long PeakBytes) Once(Session session, string shape, int layers, TokenWindows tokens, double ratio, TaylorOrder order)
    {
        using CausalModel model = SyntheticModel.Open(session, shape, layers, session.Backend.IsHost ? 0 : null);
        var schedule = new PruneSchedule(model.Spec, PruneScope.Block);
        var selection = new Selection(schedule, schedule.Ratio(ratio), Ranking.Local);
        var pruner = new LlmPruner(session, model, schedule, selection, new Importance(ImportanceKind.Taylor, order, Grouping.Sum, 42, Compat: false));
        if (!session.Backend.IsHost)
        {
            pruner.Run(tokens, 1); // compiles the kernels and draws the weights
        }

        IReadOnlyDictionary<string, double> before = session.Phases;
        PrunePlan plan = pruner.Run(tokens, 1);
        long peak = session.Backend.PeakBytes;
        session.Switch("delete");
        using (CausalModel cut = model.Cut(plan))
        {
            for (int l = 0; l < cut.Spec.Layers.Count; l++)
            {
                cut.LoadLayer(l).Dispose();
            }
        }

        session.Switch(null);
        return (session.Phases.ToDictionary(phase => phase.Key, phase => phase.Value - before.GetValueOrDefault(phase.Key)), peak);
    }
}
