using System.Text.Json.Nodes;
using NativeEngine.Kernels;
using NativeEngine.Prune;

namespace NativeEngine.Cli.Tests;

/// <summary>What is typed is what the engine gets.</summary>
public sealed class OptionTests
{
    [Fact]
    public void Slice_has_the_defaults_of_the_engine()
    {
        Assert.Equal(new SliceOptions("m", "o", new TextSource("t.txt")), SliceOptionsOf("slice m o --calibration t.txt"));
    }

    [Fact]
    public void Slice_takes_every_option()
    {
        TextSource Source(string path) => new(path, " ", true, "body");
        Assert.Equal(
            new SliceOptions("m", "o", Source("c.jsonl"))
            {
                Sparsity = 0.3,
                Samples = 16,
                SeqLen = 64,
                Round = 1,
                Orientation = Orientation.Random,
                Eigen = EigenSolver.Projector,
                Schedule = "w.json",
                SliceHead = true,
                CompatSliceGpt = true,
                Eval = Source("e.safetensors:ids:mask"),
                EvalSeqLen = 128,
                Tokenizer = TokenizerChoice.Slow,
                Store = DType.F32,
                Overwrite = true,
                Seed = -7,
            },
            SliceOptionsOf(
                "slice", "m", "o", "--calibration", "c.jsonl", "--sparsity", "0.3", "--samples", "16", "--seqlen", "64", "--round", "1", "--orientation", "random", "--eigen", "projector",
                "--schedule", "w.json", "--slice-head", "--compat", "slicegpt", "--eval", "e.safetensors:ids:mask", "--eval-seqlen", "128",
                "--tokenizer", "slow", "--store", "fp32", "--overwrite", "--seed", "-7", "--join", " ", "--rows", "strip", "--field", "body"));
    }

    [Fact]
    public void Rotation_alone_takes_no_widths()
    {
        Assert.True(SliceOptionsOf("slice", "m", "o", "--calibration", "t", "--rotate-only").RotateOnly);
        Assert.Equal(2, Cli.Run("slice m o --calibration t --rotate-only --sparsity 0.3").Exit);
    }

    [Theory]
    [InlineData(@"\n", "\n")]
    [InlineData(@"\t|\\n", "\t|\\n")]
    [InlineData(@"a\x\", @"a\x\")]
    [InlineData("", "")]
    public void Join_knows_three_escapes(string typed, string meant)
    {
        Assert.Equal(meant, SliceOptionsOf("slice", "m", "o", "--calibration", "t", "--join", typed).Calibration.Join);
    }

    [Fact]
    public void Perplexity_takes_every_option()
    {
        PerplexityOptions? seen = null;
        EngineCalls engine = Cli.Engine with { Perplexity = (session, o) => Cli.Engine.Perplexity(session, seen = o) };
        Cli.Run("eval perplexity m --text t", engine);
        Assert.Equal(new PerplexityOptions("m", new TextSource("t")), seen);
        Cli.Run("eval perplexity m --text t --protocol sparsegpt --seqlen 9 --batch 2 --max-chunks 3 --tokenizer file", engine);
        Assert.Equal(
            new PerplexityOptions("m", new TextSource("t")) { Protocol = PerplexityProtocol.SparseGpt, SeqLen = 9, Batch = 2, MaxChunks = 3, Tokenizer = TokenizerChoice.File },
            seen);
    }

    [Fact]
    public void Tune_has_the_defaults_of_the_engine() => Assert.Equal(new TuneOptions("m", "o", new TextSource("d.json")), TuneOptionsOf("tune m o --data d.json"));

    [Fact]
    public void Tune_takes_every_option_and_its_manifest_repeats_it()
    {
        TextSource Source(string path) => new(path, " ", true, "body");
        TuneOptions[] all =
        [
            new("m", "o", Source("d.jsonl"))
            {
                Format = TuneFormat.Text,
                Rank = 32,
                Alpha = 10.5,
                Dropout = 0,
                Targets = LoraTargets.Down | LoraTargets.Q,
                LearningRate = 3e-5,
                Decay = LearningRateDecay.Cosine,
                Warmup = 0,
                WeightDecay = 0.01,
                Clip = 0,
                Batch = 3,
                MicroBatch = 1,
                Steps = 500,
                Cutoff = 1024,
                Pack = true,
                EvalData = Source("e.safetensors:ids:mask"),
                EvalEvery = 16,
                Patience = 5,
                Resume = true,
                Tokenizer = TokenizerChoice.Slow,
                Overwrite = true,
                Seed = -7,
            },
            new("m", "o", new TextSource("d.json")) { Epochs = 5, TrainOnInputs = true, EvalSamples = 2000, Decay = LearningRateDecay.Constant },
        ];
        Assert.Equal(all[0], TuneOptionsOf(
            "tune m o --data d.jsonl --format text --rank 32 --alpha 10.5 --dropout 0 --targets down,q --lr 3e-5 --lr-schedule cosine --warmup 0 --weight-decay 0.01 --clip 0 --batch 3 "
            + "--micro-batch 1 --steps 500 --cutoff 1024 --pack --eval-data e.safetensors:ids:mask --eval-every 16 --patience 5 --resume --tokenizer slow --overwrite --seed -7 "
            + "--join \\u0020 --rows strip --field body"));
        Assert.Equal(all[1], TuneOptionsOf("tune m o --data d.json --epochs 5 --train-on-inputs --eval-samples 2000 --lr-schedule constant"));

        using TemporaryFolder folder = new();
        foreach (TuneOptions options in all)
        {
            string manifest = folder.File("manifest.json", new JsonObject { ["configuration"] = EffectiveOptions.Of(options) }.ToJsonString());
            Assert.Equal(options with { Resume = false }, TuneOptionsOf("tune --config " + manifest));
        }
    }

    [Fact]
    public void Prune_takes_every_option_and_its_manifest_repeats_them()
    {
        TextSource Source(string path) => new(path, " ", true, "body");
        PruneOptions plain = new("m") { Output = "o", Calibration = new TextSource("t") };
        Assert.Equal(plain, PruneOptionsOf("prune m o --calibration t"));
        PruneOptions all = new("m")
        {
            Output = "o",
            Calibration = Source("c.jsonl"),
            TargetParameters = new ParameterTarget(0.8),
            Importance = ImportanceKind.Taylor,
            Taylor = TaylorOrder.ParamMix,
            Grouping = Grouping.Max,
            AttentionLayers = new LayerRange(2, 5),
            MlpLayers = LayerRange.None,
            Samples = 16,
            SeqLen = 128,
            Iterations = 4,
            Global = true,
            Round = 32,
            Compat = true,
            Eval = Source("e.safetensors:ids:mask"),
            EvalSeqLen = 256,
            Tokenizer = TokenizerChoice.File,
            Store = DType.F32,
            Overwrite = true,
            Seed = -7,
        };
        Assert.Equal(all, PruneOptionsOf(
            "prune m o --calibration c.jsonl --target-parameters 0.8 --taylor param_mix --grouping max --attention-layers 2..5 --mlp-layers none --samples 16 --seqlen 128 "
            + "--iterations 4 --global --round 32 --compat llm-pruner --eval e.safetensors:ids:mask --eval-seqlen 256 --tokenizer file --store fp32 --overwrite --seed -7 "
            + "--join \\u0020 --rows strip --field body"));
        PruneOptions layers = new("m") { Output = "o", Scope = PruneScope.Layer, KeepLayers = 20, LayerScore = LayerScore.Influence, Calibration = new TextSource("t") };
        Assert.Equal(layers, PruneOptionsOf("prune m o --scope layer --keep-layers 20 --layer-score influence --calibration t"));
        Assert.Equal(new PruneOptions("m") { Plan = "p.json", Importance = ImportanceKind.L2, Ratio = 0.5 }, PruneOptionsOf("prune m --plan p.json --importance l2 --ratio 0.5"));

        using TemporaryFolder folder = new();
        foreach (PruneOptions options in new[] { plain, all, layers, plain with { Calibration = null, ApplyPlan = "p.json" } })
        {
            string manifest = folder.File("manifest.json", new JsonObject { ["configuration"] = EffectiveOptions.Of(options) }.ToJsonString());
            Assert.Equal(options, PruneOptionsOf("prune --config " + manifest));
        }
    }

    [Theory]
    [InlineData("0", 0L)]
    [InlineData("1500", 1500L)]
    [InlineData("2GB", 2_000_000_000L)]
    [InlineData("1.5mb", 1_500_000L)]
    public void Memory_limits_are_read(string typed, long bytes)
    {
        long seen = -1;
        Cli.Run("prune m o --activation-memory " + typed, Cli.Engine with
        {
            Prune = (session, o) =>
            {
                seen = session.ActivationMemory;
                return Cli.Engine.Prune(session, o);
            },
        });
        Assert.Equal(bytes, seen);
    }

    [Fact]
    public void Merge_takes_every_option_and_its_manifest_repeats_it()
    {
        MergeOptions? seen = null;
        EngineCalls engine = Cli.Engine with { Merge = (session, o) => Cli.Engine.Merge(session, seen = o) };
        Cli.Run("merge m a o", engine);
        Assert.Equal(new MergeOptions("m", "a", "o"), seen);
        Cli.Run("merge m a o --store fp16 --overwrite", engine);
        MergeOptions all = new("m", "a", "o") { Store = DType.F16, Overwrite = true };
        Assert.Equal(all, seen);

        using TemporaryFolder folder = new();
        Cli.Run($"merge --config {folder.File("manifest.json", new JsonObject { ["configuration"] = EffectiveOptions.Of(all) }.ToJsonString())}", engine);
        Assert.Equal(all, seen);
    }

    [Fact]
    public void Tokenize_and_export_take_every_option()
    {
        TokenizeOptions? tokenize = null;
        ExportOptions? export = null;
        EngineCalls engine = Cli.Engine with
        {
            Tokenize = (session, o) => Cli.Engine.Tokenize(session, tokenize = o),
            Export = (session, o) => Cli.Engine.Export(session, export = o),
        };
        Cli.Run("tokenize m --file f --decode --no-special --tokenizer slow", engine);
        Assert.Equal(new TokenizeOptions("m") { File = "f", Decode = true, NoSpecial = true, Tokenizer = TokenizerChoice.Slow }, tokenize);
        Cli.Run("export m o --to hf --store bf16 --overwrite", engine);
        Assert.Equal(new ExportOptions("m", "o") { Store = DType.BF16, Overwrite = true }, export);
    }

    [Fact]
    public void Generate_takes_ids_and_penalty()
    {
        GenerateOptions? seen = null;
        EngineCalls engine = Cli.Engine with { Generate = (session, o) => Cli.Engine.Generate(session, seen = o) };
        Cli.Run(["generate", "m", "--prompt-ids", "1, 2,3", "--max-new-tokens", "5", "--ignore-eos", "--repetition-penalty", "1.5"], engine);
        Assert.Equal([1, 2, 3], seen!.PromptIds);
        Assert.Equal((5, true, 1.5, null), (seen.MaxNewTokens, seen.IgnoreEos, seen.RepetitionPenalty, seen.OnText));
    }

    [Fact]
    public void A_prompt_may_look_like_anything()
    {
        GenerateOptions? seen = null;
        EngineCalls engine = Cli.Engine with { Generate = (session, o) => Cli.Engine.Generate(session, seen = o) };
        foreach (string prompt in (string[])["@file", "[x]", "-1", "", "a \n b", "slice"])
        {
            Assert.Equal(0, Cli.Run(["generate", "m", "--prompt", prompt], engine).Exit);
            Assert.Equal((prompt, null), (seen!.Prompt, seen.PromptIds));
        }
    }

    private static TuneOptions TuneOptionsOf(string line)
    {
        TuneOptions? seen = null;
        Outcome outcome = Cli.Run(
            [.. line.Split(' ').Select(word => word == @"\u0020" ? " " : word)], Cli.Engine with { Tune = (session, o) => Cli.Engine.Tune(session, seen = o) });
        Assert.True(outcome.Exit == 0, outcome.Error);
        return seen!;
    }

    private static PruneOptions PruneOptionsOf(string line)
    {
        PruneOptions? seen = null;
        Outcome outcome = Cli.Run([.. line.Split(' ').Select(word => word.Replace("\\u0020", " ", StringComparison.Ordinal))], Cli.Engine with { Prune = (session, o) => Cli.Engine.Prune(session, seen = o) });
        Assert.True(outcome.Exit == 0, outcome.Error);
        return seen!;
    }

    private static SliceOptions SliceOptionsOf(string line) => SliceOptionsOf(line.Split(' '));

    private static SliceOptions SliceOptionsOf(params string[] args)
    {
        SliceOptions? seen = null;
        Outcome outcome = Cli.Run(args, Cli.Engine with { Slice = (session, o) => Cli.Engine.Slice(session, seen = o) });
        Assert.True(outcome.Exit == 0, outcome.Error);
        return seen!;
    }
}
