namespace NativeEngine.Cli.Tests;

public sealed class ConfigFileTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Fills_in_what_the_command_line_leaves_out()
    {
        string path = folder.File("c.json", """{"model":"m","out":"o","calibration":"t.txt","sparsity":0.4,"samples":"16","slice-head":true,"rotate_only":false,"eval":null}""");
        SliceOptions options = Run("slice", "--config", path);
        Assert.Equal(new SliceOptions("m", "o", new TextSource("t.txt")) { Sparsity = 0.4, Samples = 16, SliceHead = true }, options);
    }

    [Fact]
    public void Command_line_wins()
    {
        string path = folder.File("c.json", """{"model":"other","out":"o","calibration":"other","sparsity":0.4,"json":false}""");
        SliceOptions options = Run("slice", "m", "--config", path, "--sparsity", "0.1", "--calibration", "t.txt");
        Assert.Equal(new SliceOptions("m", "o", new TextSource("t.txt")) { Sparsity = 0.1 }, options);
    }

    [Fact]
    public void Command_line_wins_over_what_cannot_stand_beside_it()
    {
        Assert.Equal(new SliceOptions("m", "o", new TextSource("t")) { Schedule = "w.json" },
            Run("slice", "m", "o", "--schedule", "w.json", "--config", folder.File("s.json", """{"calibration":"t","sparsity":0.4,"rotate_only":true}""")));

        PruneOptions? pruned = null;
        EngineCalls engine = Cli.Engine with { Prune = (session, o) => Cli.Engine.Prune(session, pruned = o) };
        string config = folder.File("p.json", """{"model":"m","out":"o","ratio":0.4,"eval":"e.txt","importance":"l1"}""");
        Assert.Equal(0, Cli.Run(["prune", "--target-parameters", "0.8", "--config", config], engine).Exit);
        Assert.Equal(new PruneOptions("m") { Output = "o", TargetParameters = new(0.8), Eval = new TextSource("e.txt"), Importance = Prune.ImportanceKind.L1 }, pruned);
        Assert.Equal(0, Cli.Run(["prune", "--plan", "p.json", "--config", config], engine).Exit);
        Assert.Equal(new PruneOptions("m") { Plan = "p.json", Ratio = 0.4, Importance = Prune.ImportanceKind.L1 }, pruned);

        TuneOptions? tuned = null;
        engine = Cli.Engine with { Tune = (session, o) => Cli.Engine.Tune(session, tuned = o) };
        Assert.Equal(0, Cli.Run(["tune", "m", "o", "--data", "d", "--epochs", "3", "--eval-data", "e", "--config", folder.File("t.json", """{"steps":9,"eval_samples":5}""")], engine).Exit);
        Assert.Equal(new TuneOptions("m", "o", new TextSource("d")) { Epochs = 3, EvalData = new TextSource("e") }, tuned);
    }

    [Fact]
    public void Arrays_are_lists_and_values_may_begin_with_dashes()
    {
        GenerateOptions? seen = null;
        EngineCalls engine = Cli.Engine with { Generate = (session, o) => Cli.Engine.Generate(session, seen = o) };
        Assert.Equal(0, Cli.Run(["generate", "m", "--config", folder.File("a.json", """{"prompt-ids":[1,2]}""")], engine).Exit);
        Assert.Equal([1, 2], seen!.PromptIds);
        Assert.Equal(0, Cli.Run(["generate", "m", "--config", folder.File("b.json", """{"prompt":"--json"}""")], engine).Exit);
        Assert.Equal("--json", seen!.Prompt);
    }

    [Fact]
    public void First_line_of_a_log_file_repeats_the_run()
    {
        string log = folder.File("run.jsonl");
        SliceOptions first = Run("slice", "m", "o", "--calibration", "t.txt", "--sparsity", "0.35", "--join", @"\n", "--rows", "strip", "--slice-head", "--log-file", log);
        string saved = folder.File("saved.json", File.ReadLines(log).First());
        Assert.Equal(first, Run("slice", "--config", saved));
    }

    [Theory]
    [InlineData("""{"sparsty":0.4}""", 2, "'slice' has no option 'sparsty' (file: {0}, key: sparsty). did you mean 'sparsity'?")]
    [InlineData("""{"command":"prune","ratio":0.4}""", 2, "the configuration is that of 'prune' (file: {0}, key: command)")]
    [InlineData("""{"sparsity":{}}""", 2, "a value is neither text nor a number (file: {0}, key: sparsity)")]
    [InlineData("""{"sparsity":7}""", 2, "allowed 0 <= x < 1")]
    [InlineData("""{"sparsity":0.1,"sparsity":0.2}""", 2, "not valid JSON")]
    [InlineData("""{"sparsity":0.1""", 2, "not valid JSON")]
    [InlineData("[]", 2, "the file is not a JSON object")]
    public void Broken_file_is_named(string content, int exit, string message)
    {
        string path = folder.File("c.json", content);
        Outcome outcome = Cli.Run(["slice", "m", "o", "--calibration", "t", "--config", path]);
        Assert.Equal(exit, outcome.Exit);
        Assert.Contains(message.Replace("{0}", path), outcome.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Missing_file_is_an_io_error() => Assert.Equal(5, Cli.Run(["inspect", "m", "--config", folder.File("none.json")]).Exit);

    private static SliceOptions Run(params string[] args)
    {
        SliceOptions? seen = null;
        Outcome outcome = Cli.Run(args, Cli.Engine with { Slice = (session, o) => Cli.Engine.Slice(session, seen = o) });
        Assert.True(outcome.Exit == 0, outcome.Error);
        return seen!;
    }
}
