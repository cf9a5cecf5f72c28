using System.Text.Json;
using NativeEngine.Testing;

namespace NativeEngine.Cli.Tests;

/// <summary>The manifest of an output repeats the run that wrote it.</summary>
public sealed class ManifestTests : IDisposable
{
    private static readonly string Model = Shared.Fixture("llama-mha");

    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData(@"\n\t\\|", "bf16", "slow")]
    [InlineData("", "fp16", "file")]
    public void A_slice_with_every_option_is_replayed(string join, string store, string tokenizer)
    {
        string text = Tokens();
        string output = folder.File("out");
        SliceOptions first = Slice(
            "slice", Model, output, "--calibration", text, "--sparsity", "0.3", "--samples", "2", "--seqlen", "16", "--round", "1", "--orientation", "random",
            "--slice-head", "--compat", "slicegpt", "--eval", text, "--eval-seqlen", "32",
            "--tokenizer", tokenizer, "--store", store, "--overwrite", "--seed", "7", "--join", join, "--rows", "strip", "--field", "body");
        Assert.Equal(first, Slice("slice", "--config", Path.Combine(output, "nativeengine.manifest.json")));
    }

    [Fact]
    public void A_rotation_is_replayed()
    {
        string output = folder.File("out");
        SliceOptions first = Slice("slice", Model, output, "--calibration", Tokens(), "--rotate-only", "--overwrite");
        Assert.Equal(first, Slice("slice", "--config", Path.Combine(output, "nativeengine.manifest.json")));
    }

    [Fact]
    public void A_slice_with_few_options_is_replayed()
    {
        string text = Tokens();
        string output = folder.File("out");
        SliceOptions first = Slice("slice", Model, output, "--calibration", text, "--samples", "2", "--seqlen", "16");
        string manifest = Path.Combine(output, "nativeengine.manifest.json");
        using (JsonDocument document = JsonDocument.Parse(File.ReadAllText(manifest)))
        {
            Assert.Equal(("cpu", "fp32"), (document.RootElement.GetProperty("device").GetString(), document.RootElement.GetProperty("dtype").GetString()));
            Assert.All(document.RootElement.GetProperty("configuration").EnumerateObject(), p => Assert.NotEqual(JsonValueKind.Null, p.Value.ValueKind));
        }

        Assert.Equal(first with { Output = "again" }, Slice("slice", Model, "again", "--config", manifest, "--overwrite") with { Overwrite = false });
    }

    [Theory]
    [InlineData("--store", "fp32", "--overwrite")]
    [InlineData]
    public void An_export_is_replayed(params string[] more)
    {
        string output = folder.File("out");
        ExportOptions first = Export(["export", Model, output, "--to", "hf", .. more]);
        Assert.Equal(first, Export("export", "--config", Path.Combine(output, "nativeengine.manifest.json")));
    }

    /// <summary>Two windows of sixteen tokens.</summary>
    private string Tokens()
    {
        byte[] header = """{"tokens":{"dtype":"I32","shape":[2,16],"data_offsets":[0,128]}}"""u8.ToArray();
        string path = folder.File("tokens.safetensors");
        File.WriteAllBytes(path, [.. BitConverter.GetBytes((long)header.Length), .. header, .. Enumerable.Range(5, 32).SelectMany(BitConverter.GetBytes)]);
        return path;
    }

    /// <summary>Runs the engine itself, except where the output is there already: then the options are all that matters.</summary>
    private static SliceOptions Slice(params string[] args)
    {
        SliceOptions? seen = null;
        EngineCalls engine = new();
        Run(args, engine with { Slice = (session, o) => (seen = o) is not null && args.Contains("--config") ? Cli.Engine.Slice(session, o) : engine.Slice(session, o) });
        return seen!;
    }

    private static ExportOptions Export(params string[] args)
    {
        ExportOptions? seen = null;
        EngineCalls engine = new();
        Run(args, engine with { Export = (session, o) => (seen = o) is not null && args.Contains("--config") ? Cli.Engine.Export(session, o) : engine.Export(session, o) });
        return seen!;
    }

    private static void Run(string[] args, EngineCalls engine)
    {
        Outcome outcome = Cli.Run(args, engine);
        Assert.True(outcome.Exit == 0, outcome.Error);
    }
}
