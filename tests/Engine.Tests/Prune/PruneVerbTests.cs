using System.Text.Json.Nodes;
using NativeEngine.Kernels;
using NativeEngine.Kernels.Cpu;
using NativeEngine.Prune;
using NativeEngine.Spec;
using NativeEngine.Testing;
using NativeEngine.Tests.Checkpoints;
using NativeEngine.Text;

namespace NativeEngine.Tests;

/// <summary>The verb as a whole, on the sample model: every scope, plans, targets, what may follow, what is refused.</summary>
public sealed class PruneVerbTests : IDisposable
{
    private static readonly string Sample = Path.Combine(Shared.Root, "samples", "sample-llama");
    private static readonly TextSource Text = new(Path.Combine(Shared.Root, "samples", "wikitext-2-valid-excerpt.txt"));
    private readonly TemporaryFolder folder = new();
    private readonly Session session = new("cpu", threads: 2);

    public void Dispose()
    {
        session.Dispose();
        folder.Dispose();
    }

    [Fact]
    public void Blocks_are_cut_and_the_result_is_a_model_like_any_other()
    {
        PruneResult result = Verbs.Prune(session, Options("out") with { Ratio = 0.5 });
        Assert.Equal([8, 4, 4, 8], result.Layers.Select(l => l.Heads));
        Assert.Equal([688, 344, 344, 688], result.Layers.Select(l => l.Ffn));
        Assert.Equal([(1, StructureKind.Heads, 4), (1, StructureKind.Channels, 344), (2, StructureKind.Heads, 4), (2, StructureKind.Channels, 344)], result.Groups.Select(g => (g.Layer, g.Kind, g.Pruned.Count)));
        Assert.False(result.Stock);
        Assert.Equal(result.Layers, SpecReader.Read(folder["out"]).Layers);
        Assert.Equal(result.ParametersAfter, Verbs.Inspect(session, folder["out"]).Parameters);
        Assert.Equal(["prune", "load", "forward", "loss", "backward", "importance", "write"], result.Phases.Keys.Except(["perplexity"]));

        // pruned again, sliced and run
        PruneResult again = Verbs.Prune(session, Options("again") with { Model = folder["out"], Ratio = 0.5 });
        Assert.Equal([8, 2, 2, 8], again.Layers.Select(l => l.Heads));
        SliceResult sliced = Verbs.Slice(session, new SliceOptions(folder["out"], folder["sliced"], Text) { Samples = 8, SeqLen = 64 });
        Assert.Equal([8, 4, 4, 8], sliced.Layers.Select(l => l.Heads));
        Assert.Equal(8, Verbs.Generate(session, new GenerateOptions(folder["sliced"]) { Prompt = "The city", MaxNewTokens = 8, IgnoreEos = true }).Ids.Count);

        // and what was sliced is pruned in blocks, where slicing changed nothing
        PruneResult both = Verbs.Prune(session, Options("both") with { Model = folder["sliced"], Ratio = 0.5 });
        Assert.Equal([8, 2, 2, 8], both.Layers.Select(l => l.Heads));
        Assert.True(SpecReader.Read(folder["both"]).Shortcuts);
    }

    [Theory]
    [InlineData(PruneScope.Channel)]
    [InlineData(PruneScope.Layer)]
    public void What_was_sliced_is_not_pruned_across_blocks(PruneScope scope)
    {
        Verbs.Slice(session, new SliceOptions(Sample, folder["sliced"], Text) { Samples = 4, SeqLen = 64 });
        EngineException e = Assert.Throws<EngineException>(() => Verbs.Prune(session, Options("out") with { Model = folder["sliced"], Scope = scope, KeepLayers = scope == PruneScope.Layer ? 2 : null }));
        Assert.Equal("NE4060", e.Code);
        Assert.False(Directory.Exists(folder["out"]));
    }

    [Fact]
    public void A_plan_cuts_what_it_was_decided_to_cut()
    {
        PruneResult decided = Verbs.Prune(session, Options(null) with { Plan = folder["plan.json"] });
        Assert.Null(decided.Output);
        PruneResult applied = Verbs.Prune(session, new PruneOptions(Sample) { Output = folder["applied"], ApplyPlan = folder["plan.json"] });
        PruneResult direct = Verbs.Prune(session, Options("direct"));
        Assert.Equal(decided.Groups.SelectMany(g => g.Pruned), applied.Groups.SelectMany(g => g.Pruned));
        Assert.Equal(File.ReadAllBytes(Path.Combine(folder["direct"], "model.safetensors")), File.ReadAllBytes(Path.Combine(folder["applied"], "model.safetensors")));
        Assert.Equal(direct.ParametersAfter, decided.ParametersAfter);
    }

    [Theory]
    [InlineData(ImportanceKind.L1)]
    [InlineData(ImportanceKind.L2)]
    [InlineData(ImportanceKind.Random)]
    public void Magnitudes_and_chance_need_no_text(ImportanceKind importance)
    {
        PruneOptions options = new(Sample) { Output = folder["out"], Importance = importance, Overwrite = true };
        PruneResult one = Verbs.Prune(session, options), two = Verbs.Prune(session, options), other = Verbs.Prune(session, options with { Seed = 7 });
        Assert.Equal("none", one.Tokenizer);
        Assert.Equal(one.Groups.SelectMany(g => g.Pruned), two.Groups.SelectMany(g => g.Pruned));
        Assert.Equal(importance != ImportanceKind.Random, one.Groups.SelectMany(g => g.Pruned).SequenceEqual(other.Groups.SelectMany(g => g.Pruned)));
    }

    [Fact]
    public void The_target_is_met_to_within_a_structure()
    {
        foreach (bool global in new[] { false, true })
        {
            PruneResult result = Verbs.Prune(session, Options("out") with { TargetParameters = new ParameterTarget(0.9), Global = global, Overwrite = true });
            const long HeadParameters = 4 * 32 * 256;
            Assert.InRange(Math.Abs(result.ParametersAfter - 0.9 * result.ParametersBefore), 0, HeadParameters);
        }
    }

    [Fact]
    public void Layers_go_by_their_influence_and_the_rest_is_stock()
    {
        PruneResult result = Verbs.Prune(session, Options("out") with { Scope = PruneScope.Layer, KeepLayers = 3, LayerScore = LayerScore.Influence, Eval = Text, EvalSeqLen = 128 });
        Assert.True(result.Stock);
        Assert.Equal(3, SpecReader.Read(folder["out"]).Layers.Count);
        Assert.False(JsonNode.Parse(File.ReadAllBytes(Path.Combine(folder["out"], "config.json")))!.AsObject().ContainsKey("nativeengine"));
        Assert.True(result.Perplexity!.Pruned > result.Perplexity.Dense);

        using var exact = new ForwardRun(Sample, DType.F64);
        double[] influence = BlockInfluenceTests.Defined(exact, new WindowReader(session, exact.Model.Spec, Sample, TokenizerChoice.Auto).Calibration(Text, 10, 64, 42));
        Assert.Equal(Array.IndexOf(influence, influence.Min()), result.Groups.Single().Pruned.Single());
    }

    [Fact]
    public void Residual_columns_go_everywhere()
    {
        PruneResult result = Verbs.Prune(session, Options("out") with { Scope = PruneScope.Channel, Ratio = 0.25 });
        ModelSpec spec = SpecReader.Read(folder["out"]);
        Assert.Equal((192, 192, 32), (spec.Hidden, spec.EmbedWidth, spec.Layers[0].HeadDim));
        Assert.Equal((true, true), (result.Stock, result.NeedsHeadDim));
        Assert.Equal("NE4061", Assert.Throws<EngineException>(() => Verbs.Prune(session, Options("other") with { Scope = PruneScope.Channel, Taylor = TaylorOrder.ParamMix })).Code);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Residual_columns_go_in_steps(bool compat)
    {
        PruneOptions options = Options(null) with { Plan = folder["plan.json"], Scope = PruneScope.Channel, Ratio = 0.25, Iterations = 2, Compat = compat, Tokenizer = TokenizerChoice.Auto };
        Assert.Equal(64, Assert.Single(Verbs.Prune(session, options).Groups).Pruned.Count);
    }

    [Fact]
    public void Weights_are_in_memory_once()
    {
        var memory = new MemoryAtPhases();
        using Session watched = new("cpu", threads: 1, reporter: memory);
        memory.Backend = (CpuBackend)watched.Backend;
        long weights = Verbs.Inspect(watched, Sample).WeightBytes;
        Verbs.Prune(watched, new PruneOptions(Sample) { Output = folder["out"], Importance = ImportanceKind.L1, Iterations = 3, Eval = new TextSource(folder.Write("eval.txt", "The history of the city begins with the river.")), EvalSeqLen = 8 });
        Assert.InRange(watched.Backend.PeakBytes, weights, 1.2 * weights);
        Assert.InRange(memory.Live["write"], 0, weights / 10);
        Assert.InRange(memory.Live["perplexity"], 0, weights / 10); // of the pruned model, which is read next
    }

    [Fact]
    public void Impossible_wishes_are_refused_before_any_work()
    {
        Assert.Equal("NE2038", Code(Options("out") with { Calibration = null }));
        Assert.Equal("NE2035", Code(Options("out") with { Ratio = 0.9999 }));
        Assert.Equal(ExitCode.Usage, Assert.Throws<EngineException>(() => Verbs.Prune(session, Options("out") with { MlpLayers = new LayerRange(2, 4) })).Exit);
        Directory.CreateDirectory(folder["exists"]);
        File.WriteAllText(Path.Combine(folder["exists"], "mine.txt"), "");
        Assert.Equal("NE11001", Code(Options("exists")));
        Assert.False(Directory.Exists(folder["out"]));

        string Code(PruneOptions options) => Assert.Throws<EngineException>(() => Verbs.Prune(session, options)).Code;
    }

    [Fact]
    public void A_model_that_is_read_layer_by_layer_gives_the_same_plan()
    {
        using var streaming = new Session("cpu", threads: 1) { WeightMemory = 0, ActivationMemory = 0 };
        PruneOptions options = Options(null) with { Plan = folder["plan.json"], Taylor = TaylorOrder.ParamMix, Iterations = 2, Overwrite = true };
        PruneResult resident = Verbs.Prune(session, options), streamed = Verbs.Prune(streaming, options);
        Assert.Equal(resident.Groups.SelectMany(g => g.Pruned), streamed.Groups.SelectMany(g => g.Pruned));
    }

    [Fact]
    public void Options_that_contradict_each_other_are_refused()
    {
        PruneOptions options = Options("out"), plan = Options(null) with { Plan = folder["plan.json"] };
        PruneOptions[] contradictions =
        [
            Options(null), options with { Plan = folder["plan.json"] }, plan with { ApplyPlan = "p" }, plan with { Eval = Text },
            options with { KeepLayers = 2 }, options with { Scope = PruneScope.Layer, KeepLayers = 2, TargetParameters = new ParameterTarget(0.5) },
            options with { ApplyPlan = "p", TargetParameters = new ParameterTarget(0.5) }, options with { Scope = PruneScope.Layer, KeepLayers = 2, Iterations = 2 },
        ];
        Assert.All(contradictions, o => Assert.Equal("NE2051", Assert.Throws<EngineException>(() => Verbs.Prune(session, o)).Code));
        PruneOptions[] outOfRange = [options with { Samples = 0 }, options with { SeqLen = 0 }, options with { Iterations = 0 }, options with { Round = 0 }, options with { EvalSeqLen = -1 }];
        Assert.All(outOfRange, o => Assert.Equal("NE2050", Assert.Throws<EngineException>(() => Verbs.Prune(session, o)).Code));
        Assert.Equal("NE2050", Assert.Throws<EngineException>(() => Verbs.Groups(session, new GroupsOptions(Sample, PruneScope.Layer))).Code);
        Assert.Empty(folder.Contents);
    }

    [Fact]
    public void A_plan_that_cannot_be_written_is_refused_before_any_work()
    {
        Assert.Equal("NE5010", Refused(folder["no/plan.json"]));
        Assert.Equal("NE11006", Refused(folder.Folder("folder")));
        string mine = folder.Write("mine.json", "mine");
        Assert.Equal("NE11006", Refused(mine));
        Assert.Equal("mine", File.ReadAllText(mine));
        Verbs.Prune(session, Options(null) with { Plan = mine, Overwrite = true });
        Assert.StartsWith("{", File.ReadAllText(mine), StringComparison.Ordinal);
        Assert.Equal(["folder", "mine.json"], folder.Contents);

        string Refused(string plan)
        {
            using Session fresh = new("cpu", threads: 1);
            string code = Assert.Throws<EngineException>(() => Verbs.Prune(fresh, Options(null) with { Plan = plan })).Code;
            Assert.Empty(fresh.Phases);
            return code;
        }
    }

    [SkippableFact]
    public void Why_stock_transformers_does_not_load_the_output_is_said()
    {
        PruneOptions alike = new(Golden.Model("tiny-opt")) { Output = folder["alike"], Importance = ImportanceKind.L1, AttentionLayers = new LayerRange(0, SpecReader.Read(Golden.Model("tiny-opt")).Layers.Count - 1), MlpLayers = LayerRange.None };
        Assert.Equal("opt models have no field for the width of a head", Verbs.Prune(session, alike).WhyNotStock);
        Assert.Equal("layers differ in shape", Verbs.Prune(session, new PruneOptions(Sample) { Output = folder["differ"], Importance = ImportanceKind.L1 }).WhyNotStock);
    }

    [Fact]
    public void What_applies_a_plan_does_not_claim_to_have_decided()
    {
        Verbs.Prune(session, Options(null) with { Plan = folder["plan.json"] });
        Verbs.Prune(session, new PruneOptions(Sample) { Output = folder["out"], ApplyPlan = folder["plan.json"] });
        JsonNode configuration = JsonNode.Parse(File.ReadAllBytes(folder["out/nativeengine.manifest.json"]))!["configuration"]!;
        Assert.Equal(["command", "model", "out", "apply_plan", "eval_seqlen", "overwrite"], configuration.AsObject().Select(field => field.Key));
    }

    private PruneOptions Options(string? output) => new(Sample) { Output = output is null ? null : folder[output], Calibration = Text };

    /// <summary>Bytes that tensors owned when a phase last began.</summary>
    private sealed class MemoryAtPhases : IReporter
    {
        public CpuBackend? Backend { get; set; }

        public Dictionary<string, long> Live { get; } = [];

        public void Phase(string name, long total, long done = 0) => Live[name] = Backend!.LiveBytes;

        public void Step(long done, string? detail = null) { }

        public void Notice(string message) { }
    }
}
