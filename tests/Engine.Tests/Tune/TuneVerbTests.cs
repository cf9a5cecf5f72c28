using System.Text.Json.Nodes;
using NativeEngine.Checkpoints;
using NativeEngine.Evaluate;
using NativeEngine.Kernels;
using NativeEngine.Model;
using NativeEngine.Prune;
using NativeEngine.Spec;
using NativeEngine.Testing;
using NativeEngine.Tests.Checkpoints;
using NativeEngine.Text;
using NativeEngine.Tune;

namespace NativeEngine.Tests.Tune;

/// <summary><c>tune</c> and <c>merge</c> as a whole, on every kind of model that they may meet.</summary>
public sealed class TuneVerbTests : IDisposable
{
    private static readonly string Sample = Path.Combine(Shared.Root, "samples", "sample-llama");
    private static readonly TextSource Text = new(Path.Combine(Shared.Root, "samples", "wikitext-2-valid-excerpt.txt"));

    private readonly TemporaryFolder folder = new();
    private readonly Notices notices = [];
    private readonly Session session;

    public TuneVerbTests() => session = new Session("cpu", threads: 2, reporter: notices);

    public void Dispose()
    {
        session.Dispose();
        folder.Dispose();
    }

    [SkippableTheory]
    [InlineData("dense")]
    [InlineData("pruned")]
    [InlineData("pruned layers")]
    [InlineData("sliced")]
    [InlineData("tiny-opt")]
    [InlineData("tiny-phi")]
    public void The_loss_falls_and_the_merged_model_is_the_model_with_the_adapter(string kind)
    {
        string model = Model(kind);
        string text = folder.Write("text.txt", string.Join('\n', File.ReadLines(Text.Path).Take(8)));
        TuneResult result = Verbs.Tune(session, new TuneOptions(model, folder["adapter"], new TextSource(text))
        {
            Format = TuneFormat.Text,
            Cutoff = 32,
            Rank = 4,
            Dropout = 0,
            LearningRate = 2e-3,
            Warmup = 0,
            Batch = 1000, // more than there are: every step sees the same examples
            MicroBatch = 8,
            Steps = 5,
        });
        Assert.Equal(5, result.Steps);
        Assert.Equal(5, result.Epochs);
        Assert.All(result.Loss.Zip(result.Loss.Skip(1)), pair => Assert.True(pair.Second < pair.First, $"{kind}: {string.Join(", ", result.Loss)}"));
        Assert.InRange(result.Loss[^1], 0, result.Loss[0] - 0.1);

        Assert.Equal(Verbs.Inspect(session, model).Parameters, Merge(model, "fp32", DType.F32).Parameters);
        Merge(model, "bf16", DType.BF16);
        double plain = Nll(model), attached = Nll(model, folder["adapter"]);
        Assert.InRange(Math.Abs(attached - plain), 0.01, 1);
        Golden.Close(attached, Nll(folder["fp32"]), Tolerances.MergedLoss, 0, $"{kind}, merged into fp32");
        Golden.Close(attached, Nll(folder["bf16"]), Tolerances.SixteenBitStore, 0, $"{kind}, merged into bf16");
        Assert.All(Directory.GetFiles(model).Select(Path.GetFileName).Where(SideFiles.IsSideFile!), name => Assert.True(File.Exists(Path.Combine(folder["fp32"], name!)), name));
    }

    [Fact]
    public void Instructions_are_learnt_and_the_result_says_how()
    {
        TuneOptions options = new(Sample, folder["adapter"], new TextSource(Instructions(9)))
        {
            Rank = 2,
            Targets = LoraTargets.Q | LoraTargets.Down,
            LearningRate = 5e-3,
            Warmup = 0,
            Batch = 3,
            MicroBatch = 2,
            Epochs = 4,
            EvalSamples = 2,
            EvalEvery = 3,
        };
        TuneResult result = Verbs.Tune(session, options);
        Assert.Equal(("tune", Sample, folder["adapter"]), (result.Command, result.Model, result.Output));
        Assert.Equal((7, 12, 4.0, false), (result.Examples, result.Steps, result.Epochs, result.StoppedEarly));
        Assert.Equal(12, result.Loss.Count);
        Assert.NotNull(result.Evaluations);
        Assert.Equal([0, 3, 6, 9, 12], result.Evaluations.Select(e => e.Step));
        Assert.Equal(result.Evaluations.Min(e => e.Loss), result.EvalLoss);
        Assert.InRange(result.EvalLoss!.Value, 0, result.Evaluations[0].Loss - 0.5);
        Assert.Equal(4 * 2 * (256 + 256 + 688 + 256), result.TrainedParameters);
        Assert.Equal("auto: tokenizer.json", result.Tokenizer);
        Assert.Equal(["read", "tune", "evaluate", "load", "forward", "loss", "backward", "optimiser", "write"], result.Phases.Keys);
        Assert.InRange(result.TokensPerSecond, 1, 1e9);
        Assert.Contains(notices, n => n.Contains("11,648 parameters are trained, 0.22 % of the model: rank 2 for q,down of 4 layers", StringComparison.Ordinal));
        Assert.Contains(notices, n => n.StartsWith("12 steps: 4 epochs of 7 examples, 3 at a time, 1 in the last step of an epoch", StringComparison.Ordinal) && n.EndsWith("2 held out", StringComparison.Ordinal));

        Assert.Equal(["adapter", .. new[] { "adapter_config.json", "adapter_model.safetensors", "loss.svg", "nativeengine.manifest.json" }.Select(f => "adapter/" + f), "data.json"], folder.Contents);
        Assert.Empty(Manifest.Verify(folder["adapter"]));
        Assert.Equal("tune", JsonNode.Parse(File.ReadAllText(folder["adapter/nativeengine.manifest.json"]))!["configuration"]!["command"]!.GetValue<string>());
        Assert.Equal(result.EvalLoss, HeldOutLoss(options));
    }

    [Fact]
    public void An_adapter_goes_into_an_fp32_model_and_into_its_bf16_copy()
    {
        Verbs.Export(session, new ExportOptions(Sample, folder["wide"]) { Store = DType.F32 });
        Verbs.Tune(session, Short(folder["wide"], folder["adapter"]));
        foreach (string model in new[] { folder["wide"], Sample })
        {
            notices.Clear();
            Verbs.Merge(session, new MergeOptions(model, folder["adapter"], folder["merged"]) { Overwrite = true });
            using Checkpoint merged = Checkpoint.Open(folder["merged"]);
            Assert.All(merged.Tensors.Values, t => Assert.Equal(model == Sample ? DType.BF16 : DType.F32, t.DType));
            Assert.Equal(model == Sample, notices.Any(n => n.Contains("was trained on another model", StringComparison.Ordinal)));
            Golden.Close(Nll(model, folder["adapter"]), Nll(folder["merged"]), Tolerances.SixteenBitStore, 0, "merged");
        }
    }

    [Fact]
    public void Options_out_of_range_or_against_each_other_are_refused()
    {
        TuneOptions options = Short(Sample, folder["adapter"]), heldOut = options with { EvalSamples = 1 };
        TuneOptions[] contradictions = [heldOut with { EvalData = Text }, options with { Patience = 1 }, options with { TrainOnInputs = true }];
        Assert.All(contradictions, o => Assert.Equal("NE2051", Code(() => Verbs.Tune(session, o))));
        TuneOptions[] outOfRange =
        [
            heldOut with { EvalEvery = 0 }, heldOut with { Patience = 0 }, options with { EvalSamples = 0 }, options with { Rank = 0 }, options with { Batch = 0 },
            options with { MicroBatch = 0 }, options with { Steps = 0 }, options with { Epochs = 0 }, options with { Cutoff = 1 }, options with { Warmup = -1 },
            options with { Alpha = 0 }, options with { Dropout = 1 }, options with { LearningRate = double.NaN }, options with { WeightDecay = -1 }, options with { Clip = double.NaN },
        ];
        Assert.All(outOfRange, o => Assert.Equal("NE2050", Code(() => Verbs.Tune(session, o))));
        Assert.Empty(folder.Contents);
    }

    [Fact]
    public void What_a_verb_reads_it_does_not_replace()
    {
        Verbs.Tune(session, Short(Sample, folder["adapter"]));
        Assert.Equal("NE11004", Code(() => Verbs.Merge(session, new MergeOptions(Sample, folder["adapter"], folder["adapter"]) { Overwrite = true })));
        Assert.Equal("NE11004", Code(() => Verbs.Tune(session, Short(Sample, Sample) with { Overwrite = true })));
        Assert.Equal("NE11001", Code(() => Verbs.Tune(session, Short(Sample, folder["adapter"]))));
        Assert.Equal("NE3051", Code(() => Verbs.Inspect(session, folder["adapter"])));
        Assert.Empty(Manifest.Verify(folder["adapter"]));
        Assert.Equal(1, Verbs.Tune(session, Short(Sample, folder["adapter"]) with { Overwrite = true }).Steps);
    }

    [Fact]
    public void A_rank_beyond_the_memory_is_refused_before_anything_is_allocated()
    {
        TuneOptions options = Short(Sample, folder["adapter"]) with { Rank = int.MaxValue / 100 };
        EngineException e = Assert.Throws<EngineException>(() => Verbs.Tune(session, options));
        Assert.Equal(("NE7003", ExitCode.OutOfMemory, "--rank"), (e.Code, e.Exit, e.Key));
        Assert.Empty(folder.Contents);
    }

    private static string Code(Action call) => Assert.Throws<EngineException>(call).Code;

    private static TuneOptions Short(string model, string output) =>
        new(model, output, Text) { Format = TuneFormat.Text, Cutoff = 32, Warmup = 0, LearningRate = 5e-3, Batch = 8, Steps = 1 };

    private string Model(string kind)
    {
        switch (kind)
        {
            case "pruned":
                Verbs.Prune(session, new PruneOptions(Sample) { Output = folder[kind], Importance = ImportanceKind.L1, Ratio = 0.3 });
                return folder[kind];
            case "pruned layers":
                Verbs.Prune(session, new PruneOptions(Sample) { Output = folder[kind], Scope = PruneScope.Layer, KeepLayers = 3 });
                return folder[kind];
            case "sliced":
                Verbs.Slice(session, new SliceOptions(Sample, folder[kind], Text) { Samples = 8, SeqLen = 64, Sparsity = 0.3 });
                return folder[kind];
            default:
                return kind == "dense" ? Sample : Golden.Model(kind);
        }
    }

    private MergeResult Merge(string model, string output, DType store) => Verbs.Merge(session, new MergeOptions(model, folder["adapter"], folder[output]) { Store = store });

    /// <summary>Mean negative log-likelihood of some windows; with <paramref name="adapter"/> on the model where given.</summary>
    private double Nll(string model, string? adapter = null)
    {
        using CausalModel opened = CausalModel.Open(session.Backend, model);
        using AdapterSet? adapters = adapter is null ? null : AdapterFolder.Read(session, adapter, opened.Spec, opened.Checkpoint);
        adapters?.AttachTo(opened);
        TokenWindows windows = new WindowReader(session, opened.Spec, model, TokenizerChoice.Auto).Evaluation(Text, 64, 8);
        return PerplexityEvaluation.Mean(new PerplexityEvaluation(session, opened).Measure(windows, 4, null), PerplexityProtocol.LlmPruner);
    }

    /// <summary>The loss of the adapter that was written on what the run held out.</summary>
    private double HeldOutLoss(TuneOptions options)
    {
        using CausalModel model = CausalModel.Open(session.Backend, options.Model);
        using var state = new TuneState(AdapterFolder.Read(session, options.Output, model.Spec, model.Checkpoint));
        using var trainer = new Trainer(session, model, options, state);
        var collator = new Collator(options.MicroBatch, options.Cutoff, model.Spec.MaxPositions, options.Pack);
        return trainer.Evaluate(collator.Collate(new TrainingData(session, model.Spec, options).Eval));
    }

    private string Instructions(int count) => folder.Write("data.json", new JsonArray([.. Enumerable.Range(0, count).Select(i => new JsonObject
    {
        ["instruction"] = "Which city is the capital?",
        ["input"] = $"of land {i}",
        ["output"] = "It is the city of the old king.",
    })]).ToJsonString());
}
