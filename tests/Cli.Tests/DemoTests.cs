using System.Text.Json;

namespace NativeEngine.Cli.Tests;

public sealed class DemoTests
{
    [Fact]
    public void Compares_the_sample_model_with_its_slice()
    {
        SliceOptions? slice = null;
        string? sliced = null;
        EngineCalls engine = Cli.Engine with
        {
            Slice = (session, o) =>
            {
                Assert.True(File.Exists(Path.Combine(o.Model, "model.safetensors")), o.Model);
                Assert.True(new FileInfo(o.Calibration.Path).Length > 100_000, o.Calibration.Path);
                Directory.CreateDirectory(sliced = o.Output);
                return Cli.Engine.Slice(session, slice = o);
            },
            Perplexity = (session, o) => Cli.Engine.Perplexity(session, o) with { Perplexity = o.Model == sliced ? 30 : 24 },
        };
        Outcome outcome = Cli.Run("demo --sparsity 0.5", engine);
        Assert.True(outcome.Exit == 0, outcome.Error);
        Assert.Equal(0.5, slice!.Sparsity);
        Assert.Matches(@"perplexity +24\.0000 +30\.0000 +\+25\.0 %", outcome.Out);
        Assert.False(Directory.Exists(sliced), "the temporary folder is still there");
    }

    [Fact]
    public void Keeps_the_model_when_asked_to()
    {
        JsonElement json = Cli.Run("demo --out kept --json").Json;
        Assert.Equal("kept", json.GetProperty("output").GetString());
        Assert.Equal(1.25, json.GetProperty("phases").GetProperty("forward").GetDouble());
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
