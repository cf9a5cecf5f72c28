using NativeEngine.Checkpoints;
using NativeEngine.Export;
using NativeEngine.Kernels;
using NativeEngine.Kernels.Cpu;
using NativeEngine.Model;
using NativeEngine.Prune;
using NativeEngine.Spec;

namespace NativeEngine.Bench;

/// <summary>One run of the prune benchmark.</summary>
/// <param name="Layers">decoder layers</param>
/// <param name="Seconds">decision and writing, without making the weights</param>
/// <param name="ForwardSeconds">of the examples</param>
/// <param name="BackwardSeconds">of the examples, activations that were not kept made again</param>
/// <param name="BackwardOverForward">their ratio</param>
/// <param name="PeakBytes">most memory that tensors took while scoring</param>
/// <param name="ResidualBytes">of which the residual stream at the layers' inputs, which is all that grows with the layers</param>
public sealed record PruneBenchRow(int Layers, double Seconds, double ForwardSeconds, double BackwardSeconds, double BackwardOverForward, long PeakBytes, long ResidualBytes);

/// <summary>Result of <c>bench prune</c>.</summary>
public sealed record PruneBenchResult : RunResult
{
    /// <summary>Name of a shape, see <see cref="SyntheticModel.Shapes"/>.</summary>
    public required string Shape { get; init; }

    /// <summary>Parameters of the dense model with its own number of layers.</summary>
    public required long Parameters { get; init; }

    /// <summary>Threads that worked.</summary>
    public required int Threads { get; init; }

    /// <summary>Calibration tokens.</summary>
    public required long Tokens { get; init; }

    /// <summary>One entry per number of layers.</summary>
    public required IReadOnlyList<PruneBenchRow> Rows { get; init; }

    /// <summary>Seconds by phase of the last run.</summary>
    public required IReadOnlyDictionary<string, double> Phases { get; init; }
}

/// <summary>
/// Prunes random weights in the shape of a real model, through the same code and files as <c>prune</c>. Weights are read layer by
/// layer, as for a model that is larger than the memory, so that the peak shows what scoring itself needs.
/// </summary>
public static class PruneBench
{
    /// <summary>Runs <paramref name="shape"/> with each of <paramref name="layers"/>.</summary>
    public static PruneBenchResult Run(Func<Session> open, string shape, IReadOnlyList<int>? layers, int samples, int seqLen, double ratio, TaylorOrder order)
    {
        ModelSpec spec = SpecReader.Parse(SyntheticModel.Config(shape), shape);
        TokenWindows tokens = SyntheticModel.Tokens(spec.Vocab, samples, Math.Min(seqLen, spec.MaxPositions));
        List<PruneBenchRow> rows = [];
        IReadOnlyDictionary<string, double> phases = new Dictionary<string, double>();
        int threads = 0;
        foreach (int l in layers ?? [spec.Layers.Count])
        {
            using Session session = open();
            threads = ((CpuBackend)session.Backend).Threads;
            long peak = Once(session, shape, l, tokens, ratio, order);
            phases = session.Phases;
            (double forward, double backward) = (phases["forward"], phases["backward"]);
            rows.Add(new PruneBenchRow(l, phases.Values.Sum(), forward, backward, backward / forward, peak, (long)tokens.Ids.Length * spec.Hidden * sizeof(float) * l));
        }

        return new PruneBenchResult
        {
            Command = "bench prune",
            Shape = shape,
            Parameters = spec.ParameterCount(),
            Threads = threads,
            Tokens = tokens.Ids.Length,
            Rows = rows,
            Phases = phases,
        };
    }

    private static long Once(Session session, string shape, int layers, TokenWindows tokens, double ratio, TaylorOrder order)
    {
        using var made = new TemporaryShape(null, shape, layers);
        using CausalModel model = CausalModel.Open(session.Backend, made.Folder, DType.F32, weightMemory: 0);
        var schedule = new PruneSchedule(model.Spec, PruneScope.Block);
        var selection = new Selection(schedule, schedule.Ratio(ratio), Ranking.Local);
        PrunePlan plan = new LlmPruner(session, model, schedule, selection, new Importance(ImportanceKind.Taylor, order, Grouping.Sum, 42, Compat: false)).Run(tokens, 1);
        long peak = session.Backend.PeakBytes;
        session.Switch("write");
        PrunedFolder.Write(session, model, plan, null, made.Beside("pruned"), overwrite: false, []);
        session.Switch(null);
        return peak;
    }
}
