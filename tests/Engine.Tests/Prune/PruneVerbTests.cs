using System.Text.Json.Nodes;
using NativeEngine.Kernels;
using NativeEngine.Model;
using NativeEngine.Prune;
using NativeEngine.Spec;
using NativeEngine.Testing;
using NativeEngine.Tests.Checkpoints;

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

        // no other layer can be left out at less cost than the one that influences least... in its own measure
        double[] influence = new BlockInfluence(session, Open()).Measure(new global::NativeEngine.Text.WindowReader(session, SpecReader.Read(Sample), Sample, TokenizerChoice.Auto).Calibration(Text, 10, 64, 42), 8);
        Assert.Equal(Array.IndexOf(influence, influence.Min()), result.Groups.Single().Pruned.Single());

        CausalModel Open() => CausalModel.Open(session.Backend, Sample);
    }

    [Fact]
    public void Residual_columns_go_everywhere()
    {
        PruneResult result = Verbs.Prune(session, Options("out") with { Scope = PruneScope.Channel, Ratio = 0.25 });
        ModelSpec spec = SpecReader.Read(folder["out"]);
        Assert.Equal((192, 192, 32), (spec.Hidden, spec.EmbedWidth, spec.Layers[0].HeadDim));
        Assert.True(result.Stock);
        Assert.Equal("NE4061", Assert.Throws<EngineException>(() => Verbs.Prune(session, Options("other") with { Scope = PruneScope.Channel, Taylor = TaylorOrder.ParamMix })).Code);
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
        PruneOptions options = Options(null) with { Plan = folder["plan.json"], Taylor = TaylorOrder.ParamMix, Iterations = 2 };
        PruneResult resident = Verbs.Prune(session, options), streamed = Verbs.Prune(streaming, options);
        Assert.Equal(resident.Groups.SelectMany(g => g.Pruned), streamed.Groups.SelectMany(g => g.Pruned));
    }

    private PruneOptions Options(string? output) => new(Sample) { Output = output is null ? null : folder[output], Calibration = Text };
}
