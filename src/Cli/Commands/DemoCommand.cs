using System.CommandLine;
using NativeEngine.Cli.Options;
using NativeEngine.Cli.Output;

namespace NativeEngine.Cli.Commands;

/// <summary>One side of the comparison that <c>demo</c> makes.</summary>
internal sealed record DemoModel(long Parameters, long WeightBytes, long Macs64, double? Perplexity, string? Text, double TokensPerSecond);

/// <summary>Result of <c>demo</c>.</summary>
internal sealed record DemoResult : RunResult
{
    /// <summary>Fraction of the hidden width that was deleted.</summary>
    public required double Sparsity { get; init; }

    /// <summary>Where the sliced model is; null when it was written to a temporary folder.</summary>
    public string? Output { get; init; }

    /// <summary>What both models were asked to continue.</summary>
    public required string Prompt { get; init; }

    /// <summary>The sample model.</summary>
    public required DemoModel Dense { get; init; }

    /// <summary>The same after slicing.</summary>
    public required DemoModel Sliced { get; init; }

    /// <summary>Seconds of the slicing by phase.</summary>
    public required IReadOnlyDictionary<string, double> Phases { get; init; }
}

/// <summary><c>demo</c>: everything the engine does, on the sample model that comes with it.</summary>
internal static class DemoCommand
{
    private const string Prompt = "The history of the city";

    /// <summary>All positions that the sample model has.</summary>
    private const int SeqLen = 512;

    public static Command Create(Host host)
    {
        Option<double> sparsity = SliceCommand.Sparsity();
        Option<string?> output = Checked.Text("--out", "DIR", "Keep the sliced model in DIR (default: a temporary folder, deleted at the end)");
        CommonOptions common = new() { Computes = true };

        Verb verb = new(
            "demo",
            "Slice the sample model that comes with the program, on real text, and compare it with the original: size, perplexity, a sentence from each. Takes seconds.",
            "nativeengine demo",
            "nativeengine demo --sparsity 0.4 --out sliced-sample") { sparsity, output };
        common.AddTo(verb);
        verb.SetAction(parse => host.Report(parse, common, reporter =>
        {
            DirectoryInfo? temporary = parse.GetValue(output) is null ? Directory.CreateTempSubdirectory("nativeengine-demo-") : null;
            try
            {
                return Run(parse, reporter, parse.GetValue(output) ?? Path.Combine(temporary!.FullName, "sliced"));
            }
            finally
            {
                temporary?.Delete(recursive: true);
            }
        }, Print));
        return verb;

        DemoResult Run(ParseResult parse, IReporter reporter, string sliced)
        {
            string dense = Sample("sample-llama");
            DemoModel before = Measure(dense);
            SliceResult slice = InSession(session => host.Engine.Slice(session, new SliceOptions(dense, sliced, new TextSource(Sample("wikitext-2-valid-excerpt.txt")))
            {
                Sparsity = parse.GetValue(sparsity),
                Samples = 64,
                SeqLen = SeqLen,
                Seed = parse.GetValue(common.Seed),
            }));

            return new DemoResult
            {
                Command = "demo",
                Model = dense,
                Sparsity = parse.GetValue(sparsity),
                Output = parse.GetValue(output),
                Prompt = Prompt,
                Dense = before,
                Sliced = Measure(sliced),
                Phases = slice.Phases,
            };

            DemoModel Measure(string model)
            {
                InspectResult shape = InSession(session => host.Engine.Inspect(session, model));
                PerplexityResult quality = InSession(session => host.Engine.Perplexity(session, new PerplexityOptions(model, new TextSource(Sample("wikitext-2-test-excerpt.txt"))) { SeqLen = SeqLen }));
                GenerateResult text = InSession(session => host.Engine.Generate(session, new GenerateOptions(model) { Prompt = Prompt, MaxNewTokens = 40, RepetitionPenalty = 1.2 }));
                return new DemoModel(shape.Parameters, shape.WeightBytes, shape.Macs64, quality.Perplexity, text.Text, text.TokensPerSecond);
            }

            // One session each, because a session adds up the seconds of its phases.
            T InSession<T>(Func<Session, T> call)
            {
                using Session session = common.Open(parse, reporter, host.Interruption.Token);
                return call(session);
            }
        }
    }

    private static string Sample(string name)
    {
        string path = Path.Combine(AppContext.BaseDirectory, "samples", name);
        return Path.Exists(path)
            ? path
            : throw new EngineException("NE8901", "the sample files are not beside the program") { File = path, Hint = "build or publish again; they are copied from samples/" };
    }

    private static string OneLine(string? text) => string.Join(' ', (text ?? "").Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));

    private static void Print(DemoResult result, Report report)
    {
        (DemoModel a, DemoModel b) = (result.Dense, result.Sliced);
        report.Table(["", "dense", "sliced", ""],
        [
            ["parameters", Format.Count(a.Parameters), Format.Count(b.Parameters), Format.Change(a.Parameters, b.Parameters)],
            ["weights", Format.Bytes(a.WeightBytes), Format.Bytes(b.WeightBytes), Format.Change(a.WeightBytes, b.WeightBytes)],
            ["macs, 64 tokens", Format.Count(a.Macs64), Format.Count(b.Macs64), Format.Change(a.Macs64, b.Macs64)],
            ["perplexity", Format.Perplexity(a.Perplexity), Format.Perplexity(b.Perplexity), Format.Change(a.Perplexity ?? 0, b.Perplexity ?? 0)],
        ]);
        report.Blank();
        report.Line("prompt", result.Prompt);
        report.Line("dense", OneLine(result.Dense.Text));
        report.Line("sliced", OneLine(result.Sliced.Text));
        report.Blank();
        report.Phases(result.Phases);
        report.Blank();
        report.Line("total", Format.Seconds(result.Seconds));
        if (result.Output is { } output)
        {
            report.Line("kept in", output);
        }
    }
}
