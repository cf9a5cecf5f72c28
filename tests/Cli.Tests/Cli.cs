using System.Globalization;
using System.Text.Json;
using NativeEngine.Prune;
using NativeEngine.Spec;

namespace NativeEngine.Cli.Tests;

/// <summary>How a run of the command line ended.</summary>
internal sealed record Outcome(int Exit, string Out, string Error)
{
    /// <summary>The last line of standard output.</summary>
    public JsonElement Json => JsonDocument.Parse(Out.TrimEnd('\n').Split('\n')[^1]).RootElement;
}

/// <summary>The command line inside the test process, with an engine made of results.</summary>
internal static class Cli
{
    /// <summary>Runs <paramref name="args"/> against <paramref name="engine"/>; null is the engine that answers everything.</summary>
    public static Outcome Run(string[] args, EngineCalls? engine = null, Interruption? interruption = null)
    {
        using StringWriter output = new(CultureInfo.InvariantCulture) { NewLine = "\n" };
        using StringWriter error = new(CultureInfo.InvariantCulture) { NewLine = "\n" };
        int exit = CommandLine.Run(args, new Host(output, error) { Engine = engine ?? Engine, Interruption = interruption ?? new() });
        return new Outcome(exit, output.ToString(), error.ToString());
    }

    /// <summary>The same for a line without quoting.</summary>
    public static Outcome Run(string line, EngineCalls? engine = null) => Run(line.Split(' ', StringSplitOptions.RemoveEmptyEntries), engine);

    /// <summary>An engine in which <c>inspect</c> fails with <paramref name="exception"/>.</summary>
    public static EngineCalls Failing(Exception exception) => Engine with { Inspect = (_, _) => throw exception };

    public static LayerShape Widths { get; } = new(8, 8, 32, 688, 256, 256, 256, 256);

    public static EngineCalls Engine { get; } = new()
    {
        Inspect = (_, model) => new InspectResult { Command = "inspect", Model = model, ModelType = "llama", HiddenSize = 256, VocabSize = 4096, MaxPositions = 512, Sliced = false, Parameters = 5_263_616, Layers = [Widths, Widths, Widths with { Ffn = 512 }], Macs64 = 300_000_000, WeightBytes = 10_527_232 },
        Tokenize = (_, o) => new TokenizeResult { Command = "tokenize", Model = o.Model, Ids = [1, 22, 333], Tokenizer = "auto: tokenizer.json" },
        Perplexity = (_, o) => new PerplexityResult { Command = "eval perplexity", Model = o.Model, Perplexity = 23.5, MeanNll = 3.157, Chunks = 70, Tokens = 35_840, TokensPerSecond = 12_345.6, Protocol = "slicegpt", Tokenizer = "auto: tokenizer.json" },
        Slice = (_, o) => new SliceResult { Command = "slice", Model = o.Model, Output = o.Output, ParametersBefore = 5_263_616, ParametersAfter = 4_200_000, Samples = o.Samples, SeqLen = o.SeqLen, Eigen = o.Eigen, Layers = [Widths], Perplexity = new SlicePerplexity(23.5, 27.25), Phases = new Dictionary<string, double> { ["forward"] = 1.25 }, Tokenizer = "auto: tokenizer.json" },
        Groups = (_, o) => new GroupsResult { Command = "groups", Model = o.Model, Groups = [new GroupResult("layers.0.k_proj", StructureKind.KvHeads, 2, [new GroupMember("layers.0.k_proj", "out", 64), new GroupMember("layers.0.o_proj", "in", 192)])] },
        Generate = (_, o) =>
        {
            o.OnText?.Invoke(" was");
            o.OnText?.Invoke(" long");
            return new GenerateResult { Command = "generate", Model = o.Model, Text = " was long", Ids = [5, 6], TokensPerSecond = 100, PromptSeconds = 0.5 };
        },
        Prune = (_, o) => new PruneResult { Command = "prune", Model = o.Model, Output = o.Output, Plan = o.Plan, ParametersBefore = 5_263_616, ParametersAfter = 4_866_304, Groups = [new PrunedGroup(1, StructureKind.Heads, [0, 5]), new PrunedGroup(1, StructureKind.Channels, [1, 2, 3]), new PrunedGroup(2, StructureKind.Heads, [7])], Layers = [Widths], Perplexity = new PrunePerplexity(23.5, 24.75), WhyNotStock = "layers differ in shape", Phases = new Dictionary<string, double> { ["backward"] = 1.25 }, Tokenizer = "auto: tokenizer.json" },
        Tune = (_, o) => new TuneResult { Command = "tune", Model = o.Model, Output = o.Output, Steps = 12, Epochs = 1.5, Loss = [5.94381, 5.79385], EvalLoss = 5.8125, Evaluations = [new(0, 5.9375), new(12, 5.8125)], StoppedEarly = true, TrainedParameters = 123_456, Examples = 51_760, TokensPerSecond = 1234.5, Phases = new Dictionary<string, double> { ["train"] = 1.25 }, Tokenizer = "auto: tokenizer.json" },
        Merge = (_, o) => new MergeResult { Command = "merge", Model = o.Model, Output = o.Output, Parameters = 5_263_616 },
        Export = (_, o) => new ExportResult { Command = "export", Model = o.Model, Output = o.Output, Files = ["config.json", "model.safetensors"] },
    };
}

/// <summary>A clock that stands still until told otherwise.</summary>
internal sealed class StoppedClock : TimeProvider
{
    private DateTimeOffset now = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override DateTimeOffset GetUtcNow() => now;

    public override long GetTimestamp() => now.Ticks;

    public void Advance(double seconds) => now += TimeSpan.FromSeconds(seconds);
}

/// <summary>A folder that is gone after the test.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("nativeengine-test-");

    public string File(string name, string? content = null)
    {
        string path = Path.Combine(folder.FullName, name);
        if (content is not null)
        {
            System.IO.File.WriteAllText(path, content);
        }

        return path;
    }

    public string FullName => folder.FullName;

    public void Dispose() => folder.Delete(recursive: true);
}
