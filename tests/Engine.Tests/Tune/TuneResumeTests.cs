using NativeEngine.Checkpoints;
using NativeEngine.Spec;
using NativeEngine.Testing;
using NativeEngine.Tests.Checkpoints;
using NativeEngine.Tune;

namespace NativeEngine.Tests.Tune;

/// <summary>A run that was stopped and goes on writes the bytes of one that was not.</summary>
public sealed class TuneResumeTests : IDisposable
{
    private static readonly string Model = Path.Combine(Shared.Root, "samples", "sample-llama");

    private readonly TemporaryFolder folder = new();
    private readonly TuneOptions options;

    public TuneResumeTests()
    {
        string text = folder.Write("text.txt", string.Join('\n', File.ReadLines(Path.Combine(Shared.Root, "samples", "wikitext-2-valid-excerpt.txt")).Take(12)));
        options = new TuneOptions(Model, "", new TextSource(text))
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

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(2, 5)]
    [InlineData(6)]
    public void Stopped_behind_a_step(params int[] stops)
    {
        (TuneResult whole, byte[] adapter) = Run("whole");
        foreach (int step in stops)
        {
            Stop(step);
        }

        AssertGoesOn(whole, adapter);
    }

    [Fact]
    public void Stopped_while_it_was_measuring()
    {
        (TuneResult whole, byte[] adapter) = Run("whole");
        Stop(4);
        using (var session = new Session(threads: 1))
        using (Checkpoint weights = Checkpoint.Open(Model))
        {
            ModelSpec spec = SpecReader.Read(Model);
            using TuneState state = new(AdapterSet.Initial(session.Backend, spec, new LoraConfig(2, 16, 0.1), LoraTargetRoles.All, options.Seed));
            var data = new TrainingData(session, spec, options);
            TuneCheckpoints Saved() => new(session, Model, folder["stopped"], RunIdentity.Of(options, weights, data.Train, data.Eval));
            Saved().Begin(state, resume: true, overwrite: false);
            Assert.Equal((4, true), (state.BestEvaluation!.Step, state.IsEvaluated));

            // What the signal would have left, had it come one moment earlier.
            state.Restore([.. state.Losses], [state.Evaluations[0]]);
            Saved().Save(state);
        }

        AssertGoesOn(whole, adapter);
    }

    [Fact]
    public void Stopped_for_other_options()
    {
        Stop(3);
        EngineException e = Assert.Throws<EngineException>(() => Run("stopped", resume: true, options with { Pack = true, LearningRate = 1e-3 }));
        Assert.Equal(("NE12001", "lr: 0.003 before, 0.001 now; pack: false before, true now"), (e.Code, e.Found));
        Assert.False(Directory.Exists(folder["stopped"]));
        Assert.Equal("NE11005", Assert.Throws<EngineException>(() => Run("stopped")).Code);
    }

    private void AssertGoesOn(TuneResult whole, byte[] adapter)
    {
        (TuneResult resumed, byte[] bytes) = Run("stopped", resume: true);
        Assert.Equal(whole.Loss, resumed.Loss);
        Assert.Equal(whole.Evaluations, resumed.Evaluations);
        Assert.Equal(adapter, bytes);
        Assert.False(Directory.Exists(folder["stopped.tune"]));
    }

    private void Stop(int step)
    {
        using var source = new CancellationTokenSource();
        Assert.Throws<OperationCanceledException>(() => Run("stopped", resume: Directory.Exists(folder["stopped.tune"]), stop: (step, source)));
        Assert.False(Directory.Exists(folder["stopped"]));
        Assert.True(Directory.Exists(folder[$"stopped.tune/checkpoint-{step}"]));
    }

    private (TuneResult Result, byte[] Adapter) Run(string output, bool resume = false, TuneOptions? other = null, (int Step, CancellationTokenSource Source)? stop = null)
    {
        using var session = new Session(threads: 2, reporter: new Stopper(stop), cancel: stop?.Source.Token ?? default);
        TuneResult result = Verbs.Tune(session, (other ?? options) with { Output = folder[output], Resume = resume });
        return (result, File.ReadAllBytes(Path.Combine(folder[output], "adapter_model.safetensors")));
    }

    /// <summary>Asks a run to stop when it reports a step.</summary>
    private sealed class Stopper((int Step, CancellationTokenSource Source)? stop) : IReporter
    {
        public void Phase(string name, long total) { }

        public void Step(long done, string? detail = null)
        {
            if (done == stop?.Step)
            {
                stop?.Source.Cancel();
            }
        }

        public void Notice(string message) { }
    }
}
