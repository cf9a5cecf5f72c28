using NativeEngine.Testing;
using NativeEngine.Tests.Checkpoints;

namespace NativeEngine.Tests.Tune;

/// <summary>Short runs on the sample model whose every part draws at random or keeps something, stopped where a test wants it.</summary>
internal sealed class TuneRun : IDisposable
{
    public static readonly string Model = Path.Combine(Shared.Root, "samples", "sample-llama");

    private readonly TemporaryFolder folder = new();

    public TuneRun()
    {
        string text = folder.Write("text.txt", string.Join('\n', File.ReadLines(Path.Combine(Shared.Root, "samples", "wikitext-2-valid-excerpt.txt")).Take(12)));
        Options = new TuneOptions(Model, "", new TextSource(text))
        {
            Format = TuneFormat.Text,
            Cutoff = 16,
            Rank = 2,
            Dropout = 0.1,
            LearningRate = 3e-3,
            Warmup = 2,
            Batch = 4,
            MicroBatch = 2,
            Steps = 7,
            EvalSamples = 5,
            EvalEvery = 2,
        };
    }

    public TuneOptions Options { get; set; }

    /// <summary>Where <paramref name="output"/> is.</summary>
    public string this[string output] => folder[output];

    public void Dispose() => folder.Dispose();

    /// <summary>Runs to the end; returns what it says and the adapter that it wrote.</summary>
    public (TuneResult Result, byte[] Adapter) Run(
        string output, bool resume = false, int threads = 2, long? weightMemory = null, long? activationMemory = null, long? residualMemory = null, IReporter? reporter = null, CancellationToken cancel = default)
    {
        using Session session = new("cpu", threads: threads, reporter: reporter, cancel: cancel) { WeightMemory = weightMemory ?? long.MaxValue, ActivationMemory = activationMemory ?? long.MaxValue, ResidualMemory = residualMemory ?? long.MaxValue };
        TuneResult result = Verbs.Tune(session, Options with { Output = folder[output], Resume = resume });
        return (result, File.ReadAllBytes(folder[output + "/adapter_model.safetensors"]));
    }

    /// <summary>The most memory that a run takes whose weights are streamed and whose activations are made again.</summary>
    public long PeakBytes(long residualMemory)
    {
        using Session session = new("cpu", threads: 1) { WeightMemory = 0, ActivationMemory = 0, ResidualMemory = residualMemory };
        Verbs.Tune(session, Options with { Output = folder[$"residuals of {residualMemory}"] });
        return session.Backend.PeakBytes;
    }

    /// <summary>Runs, or goes on, until behind <paramref name="step"/> the reporter hears something that begins with <paramref name="detail"/>.</summary>
    public void Stop(string output, int step, string detail = "loss", long? weightMemory = null)
    {
        using var source = new CancellationTokenSource();
        bool resume = Directory.Exists(folder[output + ".tune"]);
        Assert.Throws<OperationCanceledException>(() => Run(output, resume, weightMemory: weightMemory, reporter: new Stopper(step, detail, source), cancel: source.Token));
        Assert.False(Directory.Exists(folder[output]));
        Assert.True(Directory.Exists(folder[$"{output}.tune/checkpoint-{step}"]));
    }

    private sealed class Stopper(int step, string detail, CancellationTokenSource source) : IReporter
    {
        public void Phase(string name, long total, long done = 0) { }

        public void Step(long done, string? detailOfStep = null)
        {
            if (done == step && detailOfStep!.StartsWith(detail, StringComparison.Ordinal))
            {
                source.Cancel();
            }
        }

        public void Notice(string message) { }
    }
}
