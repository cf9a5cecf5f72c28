using System.Text.Json;
using NativeEngine.Prune;
using NativeEngine.Slice;
using NativeEngine.Spec;

namespace NativeEngine.Tests;

/// <summary>Groups derived from a spec against those that LLM-Pruner traces out of the running model (golden/llmpruner/depgraph).</summary>
public sealed class DependencyGraphTests
{
    public static TheoryData<string> Models => ["tiny-llama", "tiny-llama3", "tiny-opt", "tiny-phi"];

    [SkippableTheory]
    [MemberData(nameof(Models))]
    public void Every_group_has_the_members_that_a_trace_finds(string model)
    {
        DependencyGraph graph = new(Spec(model));
        int compared = 0;
        foreach (JsonElement expected in Golden.Json("llmpruner", "depgraph", $"{model}.json").GetProperty("groups_by_root").EnumerateArray())
        {
            if (expected.TryGetProperty("members", out JsonElement members))
            {
                Group group = Containing(graph, expected.GetProperty("root").GetString()!, Dimension.Out);
                Assert.Equal(
                    members.EnumerateArray().Select(m => (m.GetProperty("module").GetString()!, m.GetProperty("fn").GetString()!, m.GetProperty("size").GetInt32())).Order(),
                    group.Members.Select(m => (m.Module, m.Dimension == Dimension.Out ? "out" : "in", m.Size)).Order());
                compared++;
            }
        }

        Assert.Equal(graph.Groups.Count, compared);
    }

    [SkippableTheory]
    [MemberData(nameof(Models))]
    public void A_head_and_three_channels_own_the_indices_that_the_trace_maps_them_to(string model)
    {
        DependencyGraph graph = new(Spec(model));
        int compared = 0;
        foreach (JsonProperty sample in Golden.Json("llmpruner", "depgraph", $"{model}.json").GetProperty("sample_cuts").EnumerateObject())
        {
            Group group = Containing(graph, sample.Name, Dimension.Out);
            if (group.Root.Size != group.Members.First(m => m.Module == sample.Name).Size)
            {
                continue; // the reference divides where query heads and key heads differ in number, and maps to fractions of heads
            }

            int[] structures = [.. Runs(sample.Value.GetProperty("cut")).Select(i => i / group.Width).Distinct()];
            foreach (JsonElement member in sample.Value.GetProperty("members").EnumerateArray())
            {
                Member ours = group.Members.Single(m => m.Module == member.GetProperty("module").GetString());
                Assert.Equal(Runs(member.GetProperty("idx")), group.Indices(ours, structures));
            }

            compared++;
        }

        Assert.InRange(compared, 2, 3);
    }

    [SkippableTheory]
    [InlineData("tiny-llama", "q_proj o_proj v_proj k_proj", StructureKind.Heads, 8)]
    [InlineData("tiny-llama3", "k_proj o_proj v_proj q_proj", StructureKind.KvHeads, 2)]
    [InlineData("tiny-opt", "q_proj out_proj v_proj k_proj", StructureKind.Heads, 6)]
    public void An_attention_group_lists_its_members_as_the_reference_does(string model, string names, StructureKind kind, int count)
    {
        Group group = new DependencyGraph(Spec(model)).InScope(PruneScope.Block)[2];
        Assert.Equal(names, string.Join(' ', group.Members.Select(m => m.Module.Split('.')[^1])));
        Assert.Equal((kind, 1, count), (group.Kind, group.Layer, group.Count));
    }

    [SkippableTheory]
    [InlineData("tiny-llama", "gate_proj up_proj down_proj")]
    [InlineData("tiny-phi", "fc1 fc2")]
    public void An_mlp_group_lists_its_members_as_the_reference_does(string model, string names)
    {
        Group group = new DependencyGraph(Spec(model)).InScope(PruneScope.Block)[3];
        Assert.Equal(names, string.Join(' ', group.Members.Select(m => m.Module.Split('.')[^1])));
        Assert.Equal((StructureKind.Channels, 1, group.Root.Size), (group.Kind, group.Layer, group.Count));
    }

    [SkippableTheory]
    [MemberData(nameof(Models))]
    public void A_structure_takes_as_many_parameters_along_as_the_narrower_spec_lacks(string model)
    {
        ModelSpec spec = Spec(model);
        foreach (PruneScope scope in (PruneScope[])[PruneScope.Block, PruneScope.Channel])
        {
            foreach (Group group in new DependencyGraph(spec).InScope(scope))
            {
                ModelSpec narrower = spec.WithCount(group.Kind!.Value, group.Layer, group.Count - 1);
                Assert.Equal(spec.ParameterCount() - narrower.ParameterCount(), group.ParametersPerStructure);
            }
        }
    }

    [SkippableFact]
    public void A_sliced_model_has_heads_and_channels_but_no_common_residual()
    {
        ModelSpec dense = Spec("tiny-llama");
        DependencyGraph sliced = new(SliceSchedule.Constant(Fusion.Fused(dense, compat: false), 0.25, 8, sliceHead: false));
        Assert.Equal(
            new DependencyGraph(dense).InScope(PruneScope.Block).Select(g => (g.Kind, g.Layer, g.Count)),
            sliced.InScope(PruneScope.Block).Select(g => (g.Kind, g.Layer, g.Count)));
        Assert.Equal(2 * dense.Layers.Count + 1, sliced.Groups.Count(g => g.Kind == StructureKind.Hidden));
        foreach (PruneScope scope in (PruneScope[])[PruneScope.Channel, PruneScope.Layer])
        {
            Assert.Equal(ExitCode.Unsupported, Assert.Throws<EngineException>(() => sliced.InScope(scope)).Exit);
        }
    }

    [SkippableFact]
    public void Queries_count_for_the_key_head_that_they_read()
    {
        Group group = new DependencyGraph(Spec("tiny-llama3")).InScope(PruneScope.Block)[0];
        Member q = group.Members.Single(m => m.Role == Role.AttnQ);
        double[] scores = [.. Enumerable.Range(0, q.Size).Select(i => (double)(i / 32))]; // six heads of 32: head h scores h
        Assert.Equal([32 * (0 + 1 + 2), 32 * (3 + 4 + 5)], group.PerStructure(group.OntoRoot(q, scores)));
        Assert.Equal([32 * (0 + 2 + 4), 32 * (1 + 3 + 5)], group.PerStructure(group.OntoRoot(q, scores, folded: true)));
    }

    [SkippableFact]
    public void The_verb_lists_roots_and_members()
    {
        using var session = new Session("cpu", threads: 1);
        GroupsResult blocks = Verbs.Groups(session, new GroupsOptions(Golden.Model("tiny-llama3"))), channel = Verbs.Groups(session, new GroupsOptions(Golden.Model("tiny-llama3"), PruneScope.Channel));
        Assert.Equal(2 * 6, blocks.Groups.Count);
        Assert.Equal(("model.layers.0.self_attn.k_proj", "out", 64), (blocks.Groups[0].Root, blocks.Groups[0].Members[0].Dimension, blocks.Groups[0].Members[0].Size));
        Assert.Equal(new GroupMember("model.layers.0.self_attn.o_proj", "in", 192), blocks.Groups[0].Members[1]);
        Assert.Equal(57, Assert.Single(channel.Groups).Members.Count);
        Assert.Contains("\"kind\":\"kv_heads\"", JsonSerializer.Serialize(blocks, ResultJson.Default.GroupsResult), StringComparison.Ordinal);
    }

    private static ModelSpec Spec(string model) => SpecReader.Read(Golden.Model(model));

    private static Group Containing(DependencyGraph graph, string module, Dimension dimension) =>
        graph.Groups.Single(g => g.Members.Any(m => m.Module == module && m.Dimension == dimension));

    private static IEnumerable<int> Runs(JsonElement runs) =>
        runs.EnumerateArray().SelectMany(r => Enumerable.Range(r[0].GetInt32(), r[1].GetInt32() - r[0].GetInt32() + 1));
}
