namespace NativeEngine.Tests.Tune;

/// <summary>A run that was stopped and goes on writes the bytes of one that was not.</summary>
public sealed class TuneResumeTests : IDisposable
{
    private readonly TuneRun run = new();

    public void Dispose() => run.Dispose();

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(2, 5)]
    [InlineData(6)]
    public void Stopped_behind_a_step(params int[] stops)
    {
        (TuneResult whole, byte[] adapter) = run.Run("whole");
        Array.ForEach(stops, step => run.Stop("stopped", step));
        AssertGoesOn(whole, adapter);
    }

    [Fact]
    public void Stopped_while_it_was_measuring()
    {
        (TuneResult whole, byte[] adapter) = run.Run("whole");
        run.Stop("stopped", 4, "measuring");
        run.Stop("stopped", 6, "measuring");
        AssertGoesOn(whole, adapter);
    }

    [Fact]
    public void Stopped_behind_its_last_step()
    {
        (TuneResult whole, byte[] adapter) = run.Run("whole");
        run.Stop("stopped", 7, "measuring");
        AssertGoesOn(whole, adapter);
    }

    [Fact]
    public void Stopped_before_its_first_step()
    {
        using CancellationTokenSource source = new();
        source.Cancel();
        Assert.Throws<OperationCanceledException>(() => run.Run("stopped", cancel: source.Token));
        Assert.False(Directory.Exists(run["stopped"]));
        Assert.False(Directory.Exists(run["stopped.tune"]));
    }

    [Fact]
    public void Stopped_again_before_another_step_it_says_that_the_state_stays()
    {
        run.Stop("stopped", 2);
        using CancellationTokenSource source = new();
        source.Cancel();
        Notices notices = [];
        Assert.Throws<OperationCanceledException>(() => run.Run("stopped", resume: true, reporter: notices, cancel: source.Token));
        Assert.Contains($"the state of the run is in {run["stopped.tune/checkpoint-2"]}; --resume goes on from there", notices);
    }

    [Fact]
    public void Stopped_behind_its_best_adapter_by_a_model_that_is_streamed()
    {
        // The learning rate is too high: the first measurements are the best ones.
        run.Options = run.Options with { LearningRate = 0.05, Pack = true };
        (TuneResult whole, byte[] adapter) = run.Run("whole");
        Assert.InRange(whole.Evaluations!.MinBy(e => e.Loss)!.Step, 0, 4);
        run.Stop("stopped", 5, weightMemory: 0);
        AssertGoesOn(whole, adapter);
    }

    [Fact]
    public void Stopped_for_other_options()
    {
        run.Stop("stopped", 3);
        TuneOptions before = run.Options;
        run.Options = before with { Pack = true, LearningRate = 1e-3 };
        EngineException e = Assert.Throws<EngineException>(() => run.Run("stopped", resume: true));
        Assert.Equal(("NE12001", ExitCode.ResumeMismatch, "lr: 0.003 before, 0.001 now; pack: false before, true now"), (e.Code, e.Exit, e.Found));
        Assert.False(Directory.Exists(run["stopped"]));

        run.Options = before;
        Assert.Equal("NE11005", Assert.Throws<EngineException>(() => run.Run("stopped")).Code);
        run.Options = before with { Overwrite = true };
        Assert.Equal(run.Run("whole").Adapter, run.Run("stopped").Adapter);
        Assert.False(Directory.Exists(run["stopped.tune"]));
    }

    [Fact]
    public void The_newest_state_is_damaged()
    {
        (TuneResult whole, byte[] adapter) = run.Run("whole");
        run.Stop("stopped", 2);
        run.Stop("stopped", 5);
        string damaged = run["stopped.tune/checkpoint-5/state.safetensors"];
        byte[] bytes = File.ReadAllBytes(damaged);
        bytes[^1] ^= 1;
        File.WriteAllBytes(damaged, bytes);

        Notices notices = [];
        (TuneResult resumed, byte[] found) = run.Run("stopped", resume: true, reporter: notices);
        Assert.Equal(whole.Loss, resumed.Loss);
        Assert.Equal(adapter, found);
        Assert.Contains(notices, n => n.Contains("checkpoint-5 is damaged and not used", StringComparison.Ordinal));
        Assert.Contains("2 of 7 steps are done", notices);
    }

    [Fact]
    public void A_loss_that_is_not_finite_ends_the_run_and_leaves_the_state_before_it()
    {
        run.Options = run.Options with { LearningRate = 1e30, EvalSamples = null };
        run.Stop("stopped", 1); // the warm-up began at 0
        EngineException e = Assert.Throws<EngineException>(() => run.Run("stopped", resume: true));
        Assert.Equal(("NE10008", ExitCode.Numerical, "layer 0"), (e.Code, e.Exit, e.Key));
        Assert.StartsWith("step 2: the loss is not finite: layer 0 produced NaN or infinity", e.Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(run["stopped"]));
        Assert.Equal("checkpoint-1", Path.GetFileName(Assert.Single(Directory.GetDirectories(run["stopped.tune"]))));
    }

    [Fact]
    public void A_held_out_loss_that_is_not_finite_ends_the_run()
    {
        run.Options = run.Options with { LearningRate = 1e30, EvalEvery = 1 };
        EngineException e = Assert.Throws<EngineException>(() => run.Run("out"));
        Assert.Equal(("NE10011", "step 2: the loss on the held-out set is not finite"), (e.Code, e.Message));
        Assert.False(Directory.Exists(run["out"]));
    }

    private void AssertGoesOn(TuneResult whole, byte[] adapter)
    {
        (TuneResult resumed, byte[] bytes) = run.Run("stopped", resume: true);
        Assert.Equal(whole.Loss, resumed.Loss);
        Assert.Equal(whole.Evaluations, resumed.Evaluations);
        Assert.Equal(adapter, bytes);
        Assert.True(double.IsFinite(resumed.TokensPerSecond));
        Assert.All(Directory.GetFiles(run["whole"], "adapter*").Append(run["whole/loss.svg"]), path => Assert.Equal(File.ReadAllBytes(path), File.ReadAllBytes(Path.Combine(run["stopped"], Path.GetFileName(path)))));
        Assert.False(Directory.Exists(run["stopped.tune"]));
    }
}
