using System.Text.Json;
using NativeEngine.Prune;

namespace NativeEngine.Cli.Tests;

public sealed class DemoTests
{
    [Fact]
    public void Compares_the_sample_model_with_what_becomes_of_it()
    {
        SliceOptions? slice = null;
        PruneOptions? prune = null;
        List<string> tuned = [];
        EngineCalls engine = Cli.Engine with
        {
            Slice = (session, o) =>
            {
                Assert.True(File.Exists(Path.Combine(o.Model, "model.safetensors")), o.Model);
                Assert.True(new FileInfo(o.Calibration.Path).Length > 100_000, o.Calibration.Path);
                return Cli.Engine.Slice(session, slice = o);
            },
            Prune = (session, o) => Cli.Engine.Prune(session, prune = o),
            Tune = (session, o) =>
            {
                tuned.Add(o.Model);
                return Cli.Engine.Tune(session, o);
            },
            Perplexity = (session, o) => Cli.Engine.Perplexity(session, o) with { Perplexity = o.Model == slice?.Output ? 30 : 24 },
        };
        Outcome outcome = Cli.Run("demo --sparsity 0.5", engine);
        Assert.True(outcome.Exit == 0, outcome.Error);
        Assert.Equal(0.5, slice!.Sparsity);
        Assert.Equal(4_200_000, prune!.TargetParameters!.Value.Value); // as large as the sliced model
        Assert.Equal([slice.Output, prune.Output!], tuned);
        Assert.Matches(@"(?m)^sliced .* 30\.0000 +\+25\.0 %$", outcome.Out);
        Assert.False(Directory.Exists(Path.GetDirectoryName(slice.Output)), "the temporary folder is still there");
    }

    [Fact]
    public void Keeps_the_models_when_asked_to()
    {
        JsonElement json = Cli.Run("demo --out kept --json").Json;
        Assert.Equal("kept", json.GetProperty("output").GetString());
        Assert.Equal(["dense", "sliced", "pruned", "sliced, tuned", "pruned, tuned"], json.GetProperty("models").EnumerateArray().Select(m => m.GetProperty("name").GetString()));
    }

    [Fact]
    public void Does_not_write_into_a_folder_that_exists()
    {
        using TemporaryFolder folder = new();
        Outcome outcome = Cli.Run(["demo", "--out", folder.FullName], Cli.Engine with { Inspect = (_, _) => throw new InvalidOperationException("work began") });
        Assert.Equal(11, outcome.Exit);
        Assert.StartsWith("error NE11001: the output exists", outcome.Error, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFileSystemEntries(folder.FullName));
    }

    [Fact]
    public void Spares_no_layer_where_the_others_do_not_suffice()
    {
        List<LayerRange?> ranges = [];
        Outcome outcome = Cli.Run("demo", Cli.Engine with
        {
            Prune = (session, o) =>
            {
                ranges.Add(o.MlpLayers);
                return o.MlpLayers is null ? throw new EngineException(PruneOptions.OutOfReach, "too small") : Cli.Engine.Prune(session, o);
            },
        });
        Assert.Equal(0, outcome.Exit);
        Assert.Equal([null, new LayerRange(0, 0)], ranges);
    }

    [Fact]
    public void Temporary_folder_goes_when_slicing_fails()
    {
        string? sliced = null;
        Outcome outcome = Cli.Run("demo", Cli.Engine with
        {
            Slice = (_, o) =>
            {
                Directory.CreateDirectory(sliced = o.Output);
                throw new EngineException("NE10001", "no convergence");
            },
        });
        Assert.Equal(10, outcome.Exit);
        Assert.False(Directory.Exists(Path.GetDirectoryName(sliced)));
    }
}
