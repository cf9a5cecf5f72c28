using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using NativeEngine.Checkpoints;
using NativeEngine.Kernels;
using NativeEngine.Kernels.Cpu;
using NativeEngine.Model;
using NativeEngine.Prune;
using NativeEngine.Slice;
using NativeEngine.Spec;
using NativeEngine.Tests.Checkpoints;
using NativeEngine.Tests.Tune;

namespace NativeEngine.Tests;

/// <summary>Plans made of scores that need no gradient, carried out, against what LLM-Pruner left (golden/llmpruner).</summary>
public sealed class PrunePlanTests
{
    private static readonly Dictionary<string, string> TokensOf = new() { ["tiny-llama"] = "spm_slow", ["tiny-llama3"] = "llama3" };

    [SkippableTheory]
    [InlineData("tiny-llama", 2)]
    [InlineData("tiny-llama", 3)]
    [InlineData("tiny-llama3", 3)]
    public void The_first_layers_alone_have_the_recorded_perplexity(string model, int layers)
    {
        ModelSpec spec = SpecReader.Read(Golden.Model(model));
        PruneSchedule schedule = new(spec, PruneScope.Layer);
        double[] first = [.. Enumerable.Range(0, spec.Layers.Count).Select(l => (double)(spec.Layers.Count - l))];
        PrunePlan plan = new Selection(schedule, schedule.KeepLayers(layers), Ranking.Local).Step(spec, [new ScoredGroup(schedule.Groups(spec)[0], first)]);
        Assert.Equal(Enumerable.Range(0, layers), plan.KeptLayers);
        AssertPerplexity(model, plan, Golden.Json("llmpruner", model, "extra.json").GetProperty("variants").GetProperty($"layer_wise_first_{layers}"));
    }

    [SkippableTheory]
    [InlineData("tiny-llama")]
    [InlineData("tiny-llama3")]
    [InlineData("tiny-opt")]
    [InlineData("tiny-phi")]
    public void Every_tensor_keeps_as_much_as_its_new_shape_says(string model)
    {
        ModelSpec spec = SpecReader.Read(Golden.Model(model));
        StructureKind heads = spec.Layers[1].KvHeads == spec.Layers[1].Heads ? StructureKind.Heads : StructureKind.KvHeads;
        PrunePlan plan = new(spec, [new(-1, StructureKind.Layers, [2]), new(-1, StructureKind.Hidden, [0, 7]), new(1, heads, [1]), new(3, StructureKind.Channels, [3, 4, 9])]);
        Assert.Equal(plan.Apply().Parameters(), plan.Tensors().Select(t => t.Pruned));
        foreach (KeptTensor t in plan.Tensors())
        {
            Assert.Equal(t.Pruned.Shape[0], t.Cut.Outputs?.Count ?? t.Dense.Shape[0]);
            Assert.Equal(t.Pruned.Shape.Columns, (t.Dense.Shape.Rank == 1 ? t.Cut.Outputs : t.Cut.Inputs)?.Count ?? t.Dense.Shape.Columns);
        }
    }

    [SkippableTheory]
    [InlineData("tiny-llama")]
    [InlineData("tiny-llama3")]
    [InlineData("tiny-opt")]
    [InlineData("tiny-phi")]
    public void What_is_cut_is_the_model_with_zeros_in_its_place(string model)
    {
        // A head or channel whose output columns are zero contributes nothing; without them the function must be the same.
        ModelSpec spec = SpecReader.Read(Golden.Model(model));
        bool grouped = spec.Layers[1].KvHeads != spec.Layers[1].Heads;
        PrunePlan plan = new(spec, [new(1, grouped ? StructureKind.KvHeads : StructureKind.Heads, [1]), new(1, StructureKind.Channels, [0, 5, 6, 300]), new(2, StructureKind.Channels, [17])]);
        using PrunedRun cut = new(Golden.Model(model), plan);
        using PrunedRun whole = new(Golden.Model(model), plan with { Groups = [] });
        Dictionary<string, int[]> columns = plan.Tensors().Where(t => t.Cut.Inputs is not null)
            .ToDictionary(t => t.Dense.Name, t => Enumerable.Range(0, (int)t.Dense.Shape.Columns).Except(t.Cut.Inputs!).ToArray());
        Assert.Equal(3, columns.Count);
        using var zeroed = new ForwardRun(whole.Folder);
        for (int l = 1; l <= 2; l++)
        {
            foreach ((Role role, bool isBias, Tensor value) in zeroed.Model.Layer(l).Tensors())
            {
                if (!isBias && columns.TryGetValue(spec.Names.Tensor(role, l), out int[]? gone))
                {
                    Assert.All(Enumerable.Range(0, (int)value.Rows), r => Array.ForEach(gone, c => value.Row<float>(r)[c] = 0));
                }
            }
        }

        using var pruned = new ForwardRun(cut.Folder);
        var windows = new TokenWindows([.. Enumerable.Range(0, 96).Select(i => i * 37 % spec.Vocab)], null, 2, 48);
        double[] expected = zeroed.LogProbs(windows), found = pruned.LogProbs(windows);
        Assert.All(expected.Index(), e => Golden.Close(e.Item, found[e.Index], 0, Tolerances.CutAgainstZeroed, $"log p {e.Index}"));
    }

    [Fact]
    public void Two_plans_in_a_row_are_one_plan()
    {
        ModelSpec spec = Fixture();
        PrunePlan first = new(spec, [new(0, StructureKind.Heads, [1]), new(1, StructureKind.Channels, [0, 2]), new(-1, StructureKind.Hidden, [3])]);
        PrunePlan second = new(first.Apply(), [new(0, StructureKind.Heads, [0, 1]), new(1, StructureKind.Channels, [0, 5]), new(0, StructureKind.Channels, [7]), new(-1, StructureKind.Hidden, [0, 3])]);
        PrunePlan both = first.Then(second);
        Assert.Equal(
            [(-1, "0,3,4"), (0, "0,1,2"), (0, "7"), (1, "0,1,2,7")],
            both.Groups.Select(g => (g.Layer, string.Join(',', g.Pruned))));
        Assert.Equal(second.Apply().Layers, both.Apply().Layers);
        Assert.Equal(
            second.Tensors().Select(t => t.Pruned),
            both.Tensors().Select(t => t.Pruned));
    }

    [Fact]
    public void Layers_that_stay_are_renumbered()
    {
        ModelSpec spec = Fixture();
        PrunePlan plan = new(spec, [new(-1, StructureKind.Layers, [0]), new(1, StructureKind.Channels, [5])]);
        Assert.Equal(spec.Layers[1].Ffn - 1, Assert.Single(plan.Apply().Layers).Ffn);
        KeptTensor up = plan.Tensors().Single(t => t.Pruned.Role == Role.MlpUp);
        Assert.Equal(("model.layers.0.mlp.up_proj.weight", "model.layers.1.mlp.up_proj.weight"), (up.Pruned.Name, up.Dense.Name));
        Assert.Equal(Enumerable.Range(0, spec.Layers[1].Ffn).Where(i => i != 5), up.Cut.Outputs);
        Assert.Null(up.Cut.Inputs);
    }

    [Fact]
    public void A_plan_file_is_read_back()
    {
        ModelSpec spec = Fixture();
        PrunePlan plan = new(spec, [new(-1, StructureKind.Hidden, [3, 4]), new(0, StructureKind.Heads, [1]), new(1, StructureKind.Channels, [0, 2])]);
        using TemporaryFolder folder = new();
        using Checkpoint weights = Checkpoint.Open(Testing.Shared.Fixture("llama-mha"));
        Notices notices = [];
        PrunePlanFile.Write(folder["plan.json"], plan, weights);
        PrunePlan read = PrunePlanFile.Read(folder["plan.json"], spec, weights, notices);
        Assert.Empty(notices);
        Assert.Equal(plan.Groups.Select(g => (g.Layer, g.Kind, string.Join(',', g.Pruned))), read.Groups.Select(g => (g.Layer, g.Kind, string.Join(',', g.Pruned))));
        Assert.Equal("NE5010", Assert.Throws<EngineException>((Action)(() => PrunePlanFile.Write(folder["no/plan.json"], plan, weights))).Code);
    }

    [Fact]
    public void A_plan_made_for_other_weights_is_applied_and_said()
    {
        ModelSpec spec = Fixture();
        PrunePlan plan = new(spec, [new(0, StructureKind.Heads, [1])]);
        using TemporaryFolder folder = new();
        using TemporaryModel other = new("llama-mha");
        using Checkpoint weights = Checkpoint.Open(Testing.Shared.Fixture("llama-mha")), others = Checkpoint.Open(other.Folder);
        string path = folder["plan.json"];
        Notices notices = [];
        PrunePlanFile.Write(path, plan, weights);
        Assert.Single(PrunePlanFile.Read(path, spec, others, notices).Groups);
        Assert.Equal($"{path}: the plan was made for another model of these shapes, or for another copy, than {other.Folder}", Assert.Single(notices));

        JsonObject old = JsonNode.Parse(File.ReadAllBytes(path))!.AsObject();
        Assert.True(old.Remove("base"));
        File.WriteAllText(path, old.ToJsonString());
        notices.Clear();
        PrunePlanFile.Read(path, spec, others, notices);
        Assert.Empty(notices);
    }

    [Theory]
    [InlineData("$.model_type", "\"gpt\"", "NE3062")]
    [InlineData("$.hidden_size", "65", "NE3062")]
    [InlineData("$.hidden_size", "1e99", "NE3052")]
    [InlineData("$.layers", "[]", "NE3062")]
    [InlineData("$.layers", "{}", "NE3053")]
    [InlineData("$.layers[1].ffn", "9", "NE3062")]
    [InlineData("$.layers[1].heads", "\"4\"", "NE3052")]
    [InlineData("$.schema", "2", "NE4050")]
    [InlineData("$.groups", "null", "NE3053")]
    [InlineData("$.groups[0].kind", "\"kv_heads\"", "NE3061")]
    [InlineData("$.groups[0].kind", "\"vocabulary\"", "NE3061")]
    [InlineData("$.groups[0].kind", "1", "NE3052")]
    [InlineData("$.groups[0].layer", "2", "NE3052")]
    [InlineData("$.groups[0].layer", "-1", "NE3052")]
    [InlineData("$.groups[0].pruned", "[0,1,2,3]", "NE3061")]
    [InlineData("$.groups[0].pruned", "[4]", "NE3052")]
    [InlineData("$.groups[0].pruned", "[-1]", "NE3052")]
    [InlineData("$.groups[0].pruned", "[1,1]", "NE3052")]
    [InlineData("$.groups[0].pruned", "[2,1]", "NE3052")]
    [InlineData("$.groups[0].pruned", "[4294967297]", "NE3052")]
    [InlineData("$.groups[0].pruned", "[0.5]", "NE3052")]
    [InlineData("$.groups[0].pruned", "3", "NE3053")]
    [InlineData("$.groups[1].layer", "0", "NE3061")]
    public void A_broken_plan_is_refused_with_the_field(string path, string value, string code)
    {
        ModelSpec spec = Fixture();
        JsonNode plan = JsonNode.Parse(PrunePlanFile.ToJson(new PrunePlan(spec, [new(0, StructureKind.Heads, [1]), new(1, StructureKind.Heads, [0])]), ""))!;
        Replace(plan, path, JsonNode.Parse(value));
        EngineException e = Assert.Throws<EngineException>(() => PrunePlanFile.Parse(Encoding.UTF8.GetBytes(plan.ToJsonString()), "plan.json", spec));
        Assert.Equal((code, "plan.json"), (e.Code, e.File));
        Assert.NotNull(e.Key);
    }

    [Fact]
    public void A_sliced_model_loses_heads_and_nothing_of_its_residual()
    {
        ModelSpec sliced = SliceSchedule.Constant(Fusion.Fused(Fixture(), compat: false), 0.25, 8, sliceHead: false);
        PrunePlan heads = new(sliced, [new(0, StructureKind.Heads, [1])]), hidden = new(sliced, [new(-1, StructureKind.Hidden, [1])]);
        Assert.Equal(heads.Groups[0].Pruned, PrunePlanFile.Parse(PrunePlanFile.ToJson(heads, ""), "plan.json", sliced).Groups[0].Pruned);
        Assert.Equal(sliced.Layers[0] with { Heads = 3, KvHeads = 3 }, heads.Apply().Layers[0]);
        Assert.Equal("NE4060", Assert.Throws<EngineException>(() => PrunePlanFile.Parse(PrunePlanFile.ToJson(hidden, ""), "plan.json", sliced)).Code);
    }

    [SkippableTheory]
    [InlineData("tiny-llama3")]
    [InlineData("tiny-opt")]
    public void Pruning_and_rotating_can_follow_each_other(string model)
    {
        ModelSpec spec = SpecReader.Read(Golden.Model(model));
        PrunedGroup[] cut = [new(1, spec.Layers[1].Heads == spec.Layers[1].KvHeads ? StructureKind.Heads : StructureKind.KvHeads, [1]), new(2, StructureKind.Channels, [0, 5, 300])];
        TokenWindows windows = Golden.Tensors("slicegpt", model == "tiny-opt" ? "tokens-opt.safetensors" : "tokens-llama3.safetensors").Windows("eval_ids", rows: 16);
        using PrunedRun pruned = new(Golden.Model(model), new PrunePlan(spec, cut));
        using SlicedRun prunedAndRotated = new(pruned.Folder, windows, fused => fused, compat: false), rotated = new(Golden.Model(model), windows, fused => fused, compat: false);
        using PrunedRun rotatedAndPruned = new(rotated.Folder, new PrunePlan(rotated.Target, cut));
        double expected = pruned.Perplexity(windows);
        Golden.Close(expected, prunedAndRotated.Perplexity(windows), Tolerances.PrunedPerplexity, 0, "pruned, then rotated");
        Golden.Close(expected, rotatedAndPruned.Perplexity(windows), Tolerances.PrunedPerplexity, 0, "rotated, then pruned");
        Assert.Equal(prunedAndRotated.Model.Spec.Layers, rotatedAndPruned.Model.Spec.Layers);
        Assert.Contains("llm-pruner,slicegpt", File.ReadAllText(Path.Combine(prunedAndRotated.Folder, "config.json")), StringComparison.Ordinal);
    }

    private static ModelSpec Fixture() => SpecReader.Read(Testing.Shared.Fixture("llama-mha"));

    private static void Replace(JsonNode root, string path, JsonNode? value)
    {
        string[] steps = path[2..].Replace("[", ".[", StringComparison.Ordinal).Split('.');
        JsonNode parent = steps[..^1].Aggregate(root, (node, step) => step[0] == '[' ? node[int.Parse(step[1..^1])]! : node[step]!);
        parent[steps[^1]] = value;
    }

    private static void AssertPerplexity(string model, PrunePlan plan, JsonElement expected)
    {
        using PrunedRun run = new(Golden.Model(model), plan);
        Assert.Equal(expected.GetProperty("params").GetInt64(), run.Model.Spec.ParameterCount());
        Assert.Equal(plan.Apply().Layers, run.Model.Spec.Layers);
        TokenWindows windows = Golden.Tensors("llmpruner", "tokens", $"{TokensOf[model]}.safetensors").Windows("wt2_test", rows: 64);
        Golden.Close(expected.GetProperty("ppl").GetProperty("wt2_test").GetDouble(), run.Perplexity(windows), Tolerances.PrunedPerplexity, 0, "perplexity");
    }
}
