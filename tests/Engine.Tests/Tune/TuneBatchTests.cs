using NativeEngine.Kernels;
using NativeEngine.Model;
using NativeEngine.Testing;
using NativeEngine.Tune;

namespace NativeEngine.Tests.Tune;

/// <summary>Which examples a step sees, in what rows, changes what a run costs and not what it learns.</summary>
public sealed class TuneBatchTests : IDisposable
{
    private readonly TuneRun run = new();
    private readonly Session session = new("cpu", threads: 2);

    public void Dispose()
    {
        session.Dispose();
        run.Dispose();
    }

    [SkippableTheory]
    [InlineData("sample-llama")]
    [InlineData("tiny-opt")]
    [InlineData("tiny-phi")]
    public void Packing_keeps_loss_and_gradient(string name)
    {
        string folder = name == "sample-llama" ? TuneRun.Model : Golden.Model(name);
        using CausalModel model = CausalModel.Open(session.Backend, folder);
        TrainingExample[] batch = [Example(1, 20, 5), Example(2, 2, 1), Example(3, 9, 0), Example(4, 13, 12), Example(5, 7, 3)];
        (double paddedLoss, double paddedNorm) = Step(model, new Collator(5, 24, 512, pack: false).Collate(batch).Single());
        (double packedLoss, double packedNorm) = Step(model, new Collator(5, 24, 512, pack: true).Collate(batch).Single());
        Golden.Close(paddedLoss, packedLoss, Tolerances.PackedLoss, 0, "loss");
        Golden.Close(paddedNorm, packedNorm, Tolerances.PackedGradientNorm, 0, "norm of the gradient");

        using var state = new TuneState(Adapters(model));
        using var trainer = new Trainer(session, model, run.Options, state);
        double[] heldOut = [.. new[] { false, true }.Select(pack => trainer.Evaluate(new Collator(2, 24, 512, pack).Collate(batch)))];
        Golden.Close(heldOut[0], heldOut[1], Tolerances.PackedLoss, 0, "held-out loss");
    }

    [Fact]
    public void Examples_in_one_row_do_not_see_each_other()
    {
        using CausalModel model = CausalModel.Open(session.Backend, TuneRun.Model);
        TrainingExample context = Example(1, 9, 9), other = Example(2, 9, 9), last = Example(3, 11, 2);
        MicroBatch[] rows = [.. new[] { context, other }.Select(front => new Collator(1, 32, 512, pack: true).Collate([front, last]).Single())];
        Assert.Equal((1, 24, 9), (rows[0].Rows, rows[0].Width, rows[0].TargetCount));
        Assert.NotEqual(rows[0].Ids, rows[1].Ids);
        Assert.Equal(Step(model, rows[0]), Step(model, rows[1]));

        // the same bits as alone in that place; with the example in front in its context the loss is another
        MicroBatch together = rows[0] with { First = null };
        Assert.NotEqual(Step(model, rows[0]).Loss, Step(model, together).Loss);
    }

    [Fact]
    public void The_smallest_examples_have_one_target()
    {
        using CausalModel model = CausalModel.Open(session.Backend, TuneRun.Model);
        TrainingExample[] pairs = [new([1, 5]), new([1, 6], 1), new([1, 7])];
        double apart = pairs.Average(pair => Step(model, new Collator(3, 16, 512, pack: false).Collate([pair]).Single()).Loss);
        Golden.Close(apart, Step(model, new Collator(3, 16, 512, pack: false).Collate(pairs).Single()).Loss, Tolerances.PackedLoss, 0, "padded");
        Golden.Close(apart, Step(model, new Collator(3, 16, 512, pack: true).Collate(pairs).Single()).Loss, Tolerances.PackedLoss, 0, "packed");
    }

    [Fact]
    public void Examples_are_no_longer_than_the_model_has_positions()
    {
        run.Options = run.Options with { Cutoff = 100_000, Steps = 1, EvalSamples = null };
        Notices notices = [];
        TuneResult result = run.Run("out", reporter: notices).Result;
        Assert.Contains("windows of 512 tokens, not 100000: the model has no more positions", notices);
        Assert.True(double.IsFinite(Assert.Single(result.Loss)));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Steps_may_be_more_than_an_epoch_and_a_batch_larger_than_the_set(bool pack)
    {
        run.Options = run.Options with { Steps = 5, Batch = 1000, MicroBatch = 1000, Pack = pack, Cutoff = 64, Dropout = 0, Warmup = 0, Decay = LearningRateDecay.Constant };
        TuneResult result = run.Run("out").Result;
        Assert.Equal((5, 5.0), (result.Steps, result.Epochs));
        Assert.All(result.Loss.Zip(result.Loss.Skip(1)), pair => Assert.True(pair.Second < pair.First, string.Join(", ", result.Loss)));
        Assert.Equal(5, result.Evaluations![^1].Step);
    }

    [Fact]
    public void Out_of_patience_the_best_adapter_is_written()
    {
        run.Options = run.Options with { LearningRate = 0.02, Warmup = 0, Decay = LearningRateDecay.Constant, Steps = 60, EvalEvery = 1, Patience = 3, Dropout = 0 };
        (TuneResult result, byte[] adapter) = run.Run("out");
        Evaluation best = result.Evaluations!.MinBy(e => e.Loss)!;
        Assert.InRange(best.Step, 1, 50);
        Assert.True(result.StoppedEarly);
        Assert.Equal((best.Step + 3, best.Loss), (result.Steps, result.EvalLoss));

        run.Options = run.Options with { Steps = best.Step, EvalEvery = 100, Patience = null };
        Assert.Equal(run.Run("short").Adapter, adapter);
    }

    [Fact]
    public void A_run_that_never_gains_writes_an_adapter_that_changes_nothing()
    {
        run.Options = run.Options with { LearningRate = 0.5, Warmup = 0, EvalEvery = 1, Patience = 2, Steps = 20 };
        Notices notices = [];
        TuneResult result = run.Run("out", reporter: notices).Result;
        Assert.Equal((2, true, result.Evaluations![0].Loss), (result.Steps, result.StoppedEarly, result.EvalLoss));
        Assert.Contains("the loss on the held-out set never fell: the adapter that is written changes nothing", notices);
        using CausalModel model = CausalModel.Open(session.Backend, TuneRun.Model);
        using AdapterSet written = AdapterFolder.Read(session, run["out"], model.Spec, model.Checkpoint);
        Assert.All(written.Maps.Values, lora => Assert.True(lora.B.AsSpan<float>().IndexOfAnyExcept(0f) < 0));
    }

    /// <summary>Loss and norm of the gradient of a first step, on random adapters.</summary>
    private (double Loss, double Norm) Step(CausalModel model, MicroBatch batch)
    {
        using var state = new TuneState(Adapters(model));
        using var trainer = new Trainer(session, model, new TuneOptions("", "", new TextSource("")) { Dropout = 0 }, state);
        return (trainer.Step([batch], learningRate: 0), trainer.GradientNorm);
    }

    private AdapterSet Adapters(CausalModel model) =>
        RandomAdapters.Create(session.Backend, model.Spec, new LoraConfig(2, 0.2), LoraTargetRoles.Of(null, model.Spec, SilentReporter.Instance));

    /// <summary>Some ids that every model has.</summary>
    private static TrainingExample Example(int seed, int length, int prompt)
    {
        var random = new Random(seed);
        return new TrainingExample([.. Enumerable.Range(0, length).Select(_ => random.Next(3, 500))], prompt);
    }
}
