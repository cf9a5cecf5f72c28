using System.CommandLine;
using NativeEngine.Cli.Options;
using NativeEngine.Cli.Output;
using NativeEngine.Prune;

namespace NativeEngine.Cli.Commands;

/// <summary>One row of the comparison that <c>demo</c> makes.</summary>
internal sealed record DemoModel(string Name, long Parameters, long WeightBytes, long Macs64, double? Perplexity, string? Text, double TokensPerSecond);

/// <summary>Result of <c>demo</c>.</summary>
internal sealed record DemoResult : RunResult
{
    /// <summary>Fraction of the hidden width that was sliced off.</summary>
    public required double Sparsity { get; init; }

    /// <summary>Where the models are; null when they were written to a temporary folder.</summary>
    public string? Output { get; init; }

    /// <summary>What all models were asked to continue.</summary>
    public required string Prompt { get; init; }

    /// <summary>Dense, sliced, pruned, and both again after recovery.</summary>
    public required IReadOnlyList<DemoModel> Models { get; init; }

    /// <summary>Seconds by step.</summary>
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
        Option<string?> output = Checked.Text("--out", "DIR", "Keep the models in DIR, which must not exist (default: a temporary folder, deleted at the end)");
        CommonOptions common = new() { Computes = true };

        Verb verb = new(
            "demo",
            "Make the sample model that comes with the program smaller on real text in both ways, slicing and pruning to the same size, recover each by tuning, and compare: size, perplexity, a sentence from each. Takes half a minute.",
            "nativeengine demo",
            "nativeengine demo --sparsity 0.4 --out small-samples") { sparsity, output };
        common.AddTo(verb);
        verb.SetAction(parse => host.Report(parse, common, reporter =>
        {
            RequireNew(parse.GetValue(output));
            DirectoryInfo? temporary = parse.GetValue(output) is null ? Directory.CreateTempSubdirectory("nativeengine-demo-") : null;
            try
            {
                return Run(parse, reporter, parse.GetValue(output) ?? temporary!.FullName);
            }
            finally
            {
                temporary?.Delete(recursive: true);
            }
        }, Print));
        return verb;

        DemoResult Run(ParseResult parse, IReporter reporter, string folder)
        {
            Dictionary<string, double> seconds = [];
            string dense = Sample("sample-llama"), sliced = Path.Combine(folder, "sliced"), pruned = Path.Combine(folder, "pruned");
            TextSource text = new(Sample("wikitext-2-valid-excerpt.txt"));
            long seed = parse.GetValue(common.Seed);
            List<DemoModel> models = [Measure("dense", dense)];
            SliceResult slice = Step("slice", session => host.Engine.Slice(
                session, new SliceOptions(dense, sliced, text) { Sparsity = parse.GetValue(sparsity), Samples = 64, SeqLen = SeqLen, Seed = seed }));
            models.Add(Measure("sliced", sliced));
            Step("prune", session => Prune(session, new PruneOptions(dense)
            {
                Output = pruned,
                Calibration = text,
                TargetParameters = new ParameterTarget(Math.Min(slice.ParametersAfter, slice.ParametersBefore)),
                Samples = 64,
                Seed = seed,
            }, slice.Layers.Count));
            models.Add(Measure("pruned", pruned));
            models.Add(Recover("sliced, tuned", sliced));
            models.Add(Recover("pruned, tuned", pruned));
            return new DemoResult
            {
                Command = "demo",
                Model = dense,
                Sparsity = parse.GetValue(sparsity),
                Output = parse.GetValue(output),
                Prompt = Prompt,
                Models = models,
                Phases = seconds,
            };

            // The first and the last layer are spared where that leaves enough to cut.
            PruneResult Prune(Session session, PruneOptions options, int layers)
            {
                try
                {
                    return host.Engine.Prune(session, options);
                }
                catch (EngineException e) when (e.Code == PruneOptions.OutOfReach)
                {
                    var all = new LayerRange(0, layers - 1);
                    return host.Engine.Prune(session, options with { AttentionLayers = all, MlpLayers = all });
                }
            }

            DemoModel Recover(string name, string model)
            {
                string adapter = model + "-adapter", merged = model + "-tuned";
                Step("tune", session => host.Engine.Tune(session, new TuneOptions(model, adapter, text)
                {
                    Format = TuneFormat.Text,
                    LearningRate = 1e-3,
                    Warmup = 4,
                    Batch = 16,
                    MicroBatch = 16,
                    Steps = 24,
                    Cutoff = 128,
                    Seed = seed,
                }));
                Step("merge", session => host.Engine.Merge(session, new MergeOptions(model, adapter, merged)));
                return Measure(name, merged);
            }

            DemoModel Measure(string name, string model)
            {
                InspectResult shape = Step("measure", session => host.Engine.Inspect(session, model));
                PerplexityResult quality = Step("measure", session => host.Engine.Perplexity(session, new PerplexityOptions(model, new TextSource(Sample("wikitext-2-test-excerpt.txt"))) { SeqLen = SeqLen }));
                GenerateResult text = Step("measure", session => host.Engine.Generate(session, new GenerateOptions(model) { Prompt = Prompt, MaxNewTokens = 40, RepetitionPenalty = 1.2 }));
                return new DemoModel(name, shape.Parameters, shape.WeightBytes, shape.Macs64, quality.Perplexity, text.Text, text.TokensPerSecond);
            }

            T Step<T>(string name, Func<Session, T> call)
            {
                long start = TimeProvider.System.GetTimestamp();
                using Session session = common.Open(parse, reporter, host.Interruption.Token);
                T result = call(session);
                seconds[name] = seconds.GetValueOrDefault(name) + TimeProvider.System.GetElapsedTime(start).TotalSeconds;
                return result;
            }
        }
    }

    private static void RequireNew(string? folder)
    {
        if (Path.Exists(folder))
        {
            throw new EngineException("NE11001", "the output exists") { File = Path.GetFullPath(folder), Key = "--out", Hint = "name a new folder" };
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
        DemoModel dense = result.Models[0];
        report.Table(["model", "parameters", "", "weights", "macs, 64 tokens", "perplexity", ""],
        [
            .. result.Models.Select(m => (string[])
            [
                m.Name, Format.Count(m.Parameters), m == dense ? "" : Format.Change(dense.Parameters, m.Parameters), Format.Bytes(m.WeightBytes), Format.Count(m.Macs64),
                Format.Perplexity(m.Perplexity), m == dense ? "" : Format.Change(dense.Perplexity ?? 0, m.Perplexity ?? 0),
            ]),
        ]);
        report.Blank();
        report.Line("prompt", result.Prompt);
        foreach (DemoModel model in result.Models)
        {
            report.Line(model.Name, OneLine(model.Text));
        }

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
