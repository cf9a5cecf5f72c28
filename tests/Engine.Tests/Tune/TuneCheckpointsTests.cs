using NativeEngine.Checkpoints;
using NativeEngine.Kernels;
using NativeEngine.Spec;
using NativeEngine.Testing;
using NativeEngine.Tests.Checkpoints;
using NativeEngine.Tune;

namespace NativeEngine.Tests.Tune;

/// <summary>Saved states: whole or refused, of this run or refused.</summary>
public sealed class TuneCheckpointsTests : IDisposable
{
    private static readonly string Model = Shared.Fixture("llama-mha");
    private static readonly ModelSpec Spec = SpecReader.Read(Model);
    private static readonly RunIdentity Identity = new(new Dictionary<string, string> { ["lr"] = "0.0001", ["seed"] = "42" });

    private readonly TemporaryFolder folder = new();
    private readonly Notices notices = [];
    private readonly Session session;

    public TuneCheckpointsTests() => session = new Session("cpu", threads: 1, reporter: notices);

    public void Dispose()
    {
        session.Dispose();
        folder.Dispose();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_state_comes_back_to_the_last_bit(bool evaluated)
    {
        using TuneState saved = State(steps: 3, evaluated);
        Checkpoints().Save(saved);
        using TuneState resumed = State(steps: 0);
        Checkpoints().Begin(resumed, resume: true, overwrite: false);
        Assert.Equal((3, saved.EvaluationsWithoutGain), (resumed.Step, resumed.EvaluationsWithoutGain));
        Assert.Equal(saved.Losses, resumed.Losses);
        Assert.Equal(saved.Evaluations, resumed.Evaluations);
        Assert.Equal(evaluated ? 4 : 3, saved.Sets().Count());
        Assert.Equal(Values(saved), Values(resumed));
        Assert.Empty(notices);
    }

    [Fact]
    public void The_newest_two_are_kept_and_are_whole()
    {
        TuneCheckpoints checkpoints = Checkpoints();
        using TuneState state = State(steps: 8);
        for (int i = 0; i < 4; i++)
        {
            checkpoints.Save(state);
            checkpoints.Save(state);
            state.AddStep(1);
        }

        Assert.Equal(["checkpoint-10", "checkpoint-11"], Directory.GetDirectories(folder["out.tune"]).Select(Path.GetFileName).Order());
        Assert.All(Directory.GetDirectories(folder["out.tune"]), path => Assert.Empty(Manifest.Verify(path)));
    }

    [Theory]
    [InlineData("state.json")]
    [InlineData("state.safetensors")]
    [InlineData("nativeengine.manifest.json")]
    public void A_damaged_state_is_said_and_the_one_before_is_used(string file)
    {
        TuneCheckpoints checkpoints = Checkpoints();
        using TuneState state = State(steps: 1);
        checkpoints.Save(state);
        float[] first = Values(state);
        state.AddStep(1);
        state.Adapters[0, Role.AttnQ]!.A.AsSpan<float>()[0] = 9;
        checkpoints.Save(state);

        Flip("checkpoint-2", file);
        using TuneState resumed = State(steps: 0);
        checkpoints = Checkpoints();
        checkpoints.Begin(resumed, resume: true, overwrite: false);
        Assert.Equal(1, resumed.Step);
        Assert.Equal(first, Values(resumed));
        Assert.Contains("checkpoint-2 is damaged", Assert.Single(notices), StringComparison.Ordinal);

        // The run comes by the damaged step again.
        resumed.AddStep(1);
        checkpoints.Save(resumed);
        Assert.Empty(Manifest.Verify(folder["out.tune/checkpoint-2"]));
    }

    [Fact]
    public void Without_a_whole_state_nothing_is_resumed()
    {
        TuneCheckpoints checkpoints = Checkpoints();
        using TuneState state = State(steps: 1);
        checkpoints.Save(state);
        state.AddStep(1);
        checkpoints.Save(state);
        Flip("checkpoint-1", "state.safetensors");
        File.Delete(folder["out.tune/checkpoint-2/nativeengine.manifest.json"]);
        EngineException e = Assert.Throws<EngineException>(() => Checkpoints().Begin(state, resume: true, overwrite: false));
        Assert.Equal(("NE3220", ExitCode.InvalidInput, "checkpoint-2, checkpoint-1"), (e.Code, e.Exit, e.Found));
    }

    [Fact]
    public void A_state_that_was_never_completed_is_not_used()
    {
        folder.Folder("out.tune");
        folder.Folder("out.tune/.checkpoint-7.partial-1-2");
        folder.Folder("out.tune/checkpoint-x");
        using TuneState state = State(steps: 0);
        Checkpoints().Begin(state, resume: true, overwrite: false);
        Assert.Equal(0, state.Step);
        Assert.Contains("no state to resume from", Assert.Single(notices), StringComparison.Ordinal);
    }

    [Fact]
    public void Another_run_is_not_resumed_and_every_difference_is_listed()
    {
        using TuneState state = State(steps: 1);
        Checkpoints().Save(state);
        var other = new RunIdentity(new Dictionary<string, string> { ["lr"] = "0.0003", ["seed"] = "42", ["pack"] = "true" });
        EngineException e = Assert.Throws<EngineException>(() => Checkpoints(other).Begin(state, resume: true, overwrite: false));
        Assert.Equal(("NE12001", ExitCode.ResumeMismatch), (e.Code, e.Exit));
        Assert.Equal("lr: 0.0001 before, 0.0003 now; pack: nothing before, true now", e.Found);
    }

    [Fact]
    public void A_state_that_was_left_is_neither_ignored_nor_lost_by_accident()
    {
        using TuneState state = State(steps: 1);
        Checkpoints().Save(state);
        EngineException e = Assert.Throws<EngineException>(() => Checkpoints().Begin(state, resume: false, overwrite: false));
        Assert.Equal(("NE11005", ExitCode.OutputExists), (e.Code, e.Exit));
        Checkpoints().Begin(state, resume: false, overwrite: true);
        Assert.False(Directory.Exists(folder["out.tune"]));
    }

    [Fact]
    public void What_the_run_did_not_write_stays()
    {
        TuneCheckpoints checkpoints = Checkpoints();
        using TuneState state = State(steps: 1);
        checkpoints.Save(state);
        folder.Folder("out.tune/.checkpoint-2.partial-1-2");
        folder.Folder("out.tune/mine");
        checkpoints.Remove();
        Assert.Equal(["out.tune", "out.tune/mine"], folder.Contents);
    }

    [Fact]
    public void States_beside_the_output_do_not_touch_the_model()
    {
        using TuneState state = State(steps: 1);
        var checkpoints = new TuneCheckpoints(session, folder.Folder("out.tune"), folder["out"], Identity);
        Assert.Equal("NE11004", Assert.Throws<EngineException>(() => checkpoints.Save(state)).Code);
    }

    [Fact]
    public void A_state_is_due_ten_minutes_after_the_last_one()
    {
        var clock = new Clock();
        var checkpoints = new TuneCheckpoints(session, Model, folder["out"], Identity, clock);
        using TuneState state = State(steps: 1);
        clock.Minutes = 9;
        Assert.False(checkpoints.IsDue);
        clock.Minutes = 10;
        Assert.True(checkpoints.IsDue);
        checkpoints.Save(state);
        Assert.False(checkpoints.IsDue);
        clock.Minutes = 20;
        Assert.True(checkpoints.IsDue);
    }

    private TuneCheckpoints Checkpoints(RunIdentity? identity = null) => new(session, Model, folder["out"], identity ?? Identity);

    /// <summary>A state whose every tensor is random and different.</summary>
    private TuneState State(int steps, bool evaluated = false)
    {
        var state = new TuneState(RandomAdapters.Create(session.Backend, Spec, new LoraConfig(2, 4), [Role.AttnQ, Role.MlpDown]));
        var random = new Random(steps);
        for (int i = 0; i < steps; i++)
        {
            state.AddStep(random.NextDouble() / 3);
            if (evaluated)
            {
                state.AddEvaluation(random.NextDouble());
            }
        }

        foreach (Tensor value in state.Sets().SelectMany(part => part.Set.Tensors()).Select(t => t.Value))
        {
            foreach (ref float x in value.AsSpan<float>())
            {
                x = random.NextSingle();
            }
        }

        return state;
    }

    private void Flip(string checkpoint, string file)
    {
        string path = folder[$"out.tune/{checkpoint}/{file}"];
        byte[] bytes = File.ReadAllBytes(path);
        bytes[bytes.Length / 2] ^= 1;
        File.WriteAllBytes(path, bytes);
    }

    private static float[] Values(TuneState state) => [.. state.Sets().SelectMany(part => part.Set.Tensors()).SelectMany(t => t.Value.AsSpan<float>().ToArray())];

    private sealed class Clock : TimeProvider
    {
        public int Minutes { get; set; }

        public override long TimestampFrequency => 1;

        public override long GetTimestamp() => 60L * Minutes;
    }
}
