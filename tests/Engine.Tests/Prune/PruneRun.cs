using System.Collections.Concurrent;
using NativeEngine.Checkpoints;
using NativeEngine.Evaluate;
using NativeEngine.Kernels;
using NativeEngine.Model;
using NativeEngine.Prune;
using NativeEngine.Spec;

namespace NativeEngine.Tests;

/// <summary>One pruning run as the reference's records have it: 10 x 64 tokens, all layers but the first and the last, its quirks unless said.</summary>
internal sealed class PruneRun : IDisposable
{
    public const int Windows = 64;
    private static readonly ConcurrentDictionary<string, (long, double, double)> Measured = new(); // many variants cut the same
    private readonly Session session;
    private readonly string tokens;

    public PruneRun(string name, long activationMemory = long.MaxValue, string device = "cpu")
    {
        session = new Session(device, threads: 2) { ActivationMemory = activationMemory };
        tokens = name switch { "tiny-llama" => "spm_slow", "tiny-llama3" => "llama3", _ => throw new ArgumentException(name, nameof(name)) };
        Model = CausalModel.Open(session.Backend, Golden.Model(name));
    }

    public CausalModel Model { get; }

    public long MemoryBytes => session.Backend.MemoryBytes;

    public LayerRange Middle => new(1, Model.Spec.Layers.Count - 2);

    /// <summary>The examples of the records.</summary>
    public TokenWindows Examples => Golden.Tensors("llmpruner", "tokens", tokens + ".safetensors").Windows("examples");

    /// <summary>Scores and choice of every step.</summary>
    public List<(IReadOnlyList<ScoredGroup> Scores, PrunePlan Chosen)> Steps { get; } = [];

    /// <summary>Importance of a variant of the records: l1, l2, or taylor.ORDER.GROUPING.</summary>
    public static Importance Variant(string variant, bool compat = true)
    {
        string[] words = variant.Split('.');
        return words[0] == "taylor"
            ? new Importance(ImportanceKind.Taylor, Enum.Parse<TaylorOrder>(words[1].Replace("_", "", StringComparison.Ordinal), ignoreCase: true), Enum.Parse<Grouping>(words[2], ignoreCase: true), 0, compat)
            : new Importance(Enum.Parse<ImportanceKind>(words[0], ignoreCase: true), default, default, 0, compat);
    }

    /// <summary>Prunes and returns the plan in the numbers of the dense model; <see cref="Steps"/> holds how it came to be.</summary>
    public PrunePlan Prune(
        Importance importance, double ratio, int steps = 1, Ranking ranking = Ranking.Local, PruneScope scope = PruneScope.Block, bool attention = true, TokenWindows? calibration = null)
    {
        Steps.Clear();
        var schedule = scope == PruneScope.Block
            ? new PruneSchedule(Model.Spec, scope, attention ? Middle : LayerRange.None, Middle, round: 1)
            : new PruneSchedule(Model.Spec, scope);
        var selection = new Selection(schedule, schedule.Ratio(ratio), ranking);
        var pruner = new LlmPruner(session, Model, schedule, selection, importance) { OnStep = (scores, chosen) => Steps.Add((scores, chosen)) };
        return pruner.Run(calibration ?? Examples, steps);
    }

    /// <summary>Parameters of what a plan leaves, and its perplexity on the first windows of WikiText-2 and PTB as the reference measures it.</summary>
    public (long Parameters, double WikiText, double Ptb) Measure(PrunePlan plan)
    {
        string key = tokens + string.Join(';', plan.Groups.Select(g => $"{g.Layer} {g.Kind} {string.Join(',', g.Pruned)}"));
        return Measured.GetOrAdd(key, _ =>
        {
            using CausalModel cut = Model.Cut(plan);
            return (cut.Spec.ParameterCount(), Perplexity(cut, "wt2_test"), Perplexity(cut, "ptb_valid"));
        });
    }

    public void Dispose()
    {
        Model.Dispose();
        session.Dispose();
    }

    private double Perplexity(CausalModel model, string text)
    {
        TokenWindows windows = Golden.Tensors("llmpruner", "tokens", tokens + ".safetensors").Windows(text, rows: Windows);
        return Math.Exp(PerplexityEvaluation.Mean(new PerplexityEvaluation(session, model).Measure(windows, 4, null), PerplexityProtocol.LlmPruner));
    }
}
