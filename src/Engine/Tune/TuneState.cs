using NativeEngine.Kernels;
using NativeEngine.Spec;

namespace NativeEngine.Tune;

/// <summary>The loss on the held-out set after a number of steps.</summary>
/// <param name="Step">steps done</param>
/// <param name="Loss">mean over its targets, in nats</param>
public sealed record Evaluation(int Step, double Loss);

/// <summary>
/// All that changes while a run goes on. What it draws at random it draws from its seed and the number of the step, so that this, the
/// options and the inputs are enough to go on to the last bit.
/// </summary>
/// <param name="adapters">what is trained; the state owns it</param>
internal sealed class TuneState(AdapterSet adapters) : IDisposable
{
    private const int Copies = 5; // these sets and the gradients

    private readonly List<double> losses = [];
    private readonly List<Evaluation> evaluations = [];

    /// <summary>The state in front of the first step. Error: NE7003 it takes more memory than there is.</summary>
    public static TuneState Initial(IBackend backend, ModelSpec spec, LoraConfig config, IReadOnlyCollection<Role> roles, long seed)
    {
        long bytes = Copies * sizeof(float) * config.Rank * AdapterSet.Targets(spec, roles).Sum(p => p.Shape[0] + p.Shape[1]);
        long memory = backend.MemoryBytes;
        return bytes <= memory ? new TuneState(AdapterSet.Initial(backend, spec, config, roles, seed)) : throw new EngineException("NE7003", "out of memory for the adapters, their gradients and the optimiser")
        {
            Key = "--rank",
            Found = $"{bytes} bytes for rank {config.Rank}",
            Expected = $"at most {memory} bytes",
            Hint = "use a lower --rank or fewer --targets",
        };
    }

    /// <summary>What is trained.</summary>
    public AdapterSet Adapters => adapters;

    /// <summary>AdamW's running mean of the gradient.</summary>
    public AdapterSet Mean { get; } = adapters.ZerosAlike();

    /// <summary>AdamW's running mean of the squared gradient.</summary>
    public AdapterSet Square { get; } = adapters.ZerosAlike();

    /// <summary>The adapters at the lowest evaluation; null before the first.</summary>
    public AdapterSet? Best { get; private set; }

    /// <summary>What the run is for: the adapters at the lowest evaluation, or the last ones where nothing was evaluated.</summary>
    public AdapterSet Result => Best ?? adapters;

    /// <summary>Steps done; the number of the next one.</summary>
    public int Step => losses.Count;

    /// <summary>Factor on the loss of the next step; null where gradients need none.</summary>
    public LossScale? LossScale { get; internal set; }

    /// <summary>The training loss of every step done.</summary>
    public IReadOnlyList<double> Losses => losses;

    /// <summary>Every measurement on the held-out set.</summary>
    public IReadOnlyList<Evaluation> Evaluations => evaluations;

    /// <summary>The adapters as they are have been measured.</summary>
    public bool IsEvaluated => evaluations is [.., var last] && last.Step == Step;

    /// <summary>The lowest measurement, the first of equals; null before the first.</summary>
    public Evaluation? BestEvaluation => evaluations.MinBy(e => e.Loss);

    /// <summary>Measurements since the lowest one.</summary>
    public int EvaluationsWithoutGain => evaluations.Count == 0 ? 0 : evaluations.Count - 1 - evaluations.IndexOf(BestEvaluation!);

    /// <summary>Counts a step that has changed the adapters.</summary>
    public void AddStep(double loss) => losses.Add(loss);

    /// <summary>Counts a measurement of the adapters as they are, and keeps them when it is the lowest so far.</summary>
    public void AddEvaluation(double loss)
    {
        evaluations.Add(new Evaluation(Step, loss));
        if (EvaluationsWithoutGain == 0)
        {
            (Best ??= adapters.ZerosAlike()).CopyFrom(adapters);
        }
    }

    /// <summary>Takes over the history of a saved state; the caller fills <see cref="Sets"/> after that.</summary>
    internal void Restore(IEnumerable<double> savedLosses, IEnumerable<Evaluation> savedEvaluations, LossScale? savedScale)
    {
        LossScale = savedScale;
        losses.Clear();
        losses.AddRange(savedLosses);
        evaluations.Clear();
        evaluations.AddRange(savedEvaluations);
        Best?.Dispose();
        Best = evaluations.Count > 0 ? adapters.ZerosAlike() : null;
    }

    /// <summary>The sets that there are, under the names they are saved by.</summary>
    internal IEnumerable<(string Name, AdapterSet Set)> Sets()
    {
        yield return ("adapters", adapters);
        yield return ("mean", Mean);
        yield return ("square", Square);
        if (Best is not null)
        {
            yield return ("best", Best);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach ((_, AdapterSet set) in Sets())
        {
            set.Dispose();
        }
    }
}
