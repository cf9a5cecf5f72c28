using System.Text.Json;
using NativeEngine.Prune;
using NativeEngine.Spec;

namespace NativeEngine.Tests;

/// <summary>What LLM-Pruner picked from the scores it computed (golden/llmpruner), and the rules of our own ranking across groups.</summary>
public sealed class SelectionTests
{
    [SkippableTheory]
    [MemberData(nameof(LlmPrunerTests.Variants), MemberType = typeof(LlmPrunerTests))]
    public void The_smallest_scores_go_as_in_the_reference(string model, string variant)
    {
        ModelSpec spec = SpecReader.Read(Golden.Model(model));
        JsonElement recorded = Golden.Json("llmpruner", model, "pruned.json");
        GoldenTensors picked = Golden.Tensors("llmpruner", model, "pruned.safetensors"), scores = Golden.Tensors("llmpruner", model, "importance.safetensors");
        PruneSchedule schedule = new(spec, PruneScope.Block, round: 1);
        PrunePlan plan = new Selection(schedule, schedule.Ratio(recorded.GetProperty("pruning_ratio").GetDouble()), Ranking.Local)
            .Step(spec, Scored(schedule.Groups(spec), g => Row(scores, g.Kind == StructureKind.Channels ? $"mlp.{variant}" : $"attn.{variant}", g.Layer - 1, g.Count)));
        AssertPicked(plan, schedule.Groups(spec), picked, (kind, l) => $"{kind}.{variant}.{l}");
        Assert.Equal(recorded.GetProperty("variants").GetProperty(variant).GetProperty("params").GetInt64(), plan.Apply().ParameterCount());
    }

    [SkippableTheory]
    [InlineData("tiny-llama", 0.25)]
    [InlineData("tiny-llama", 0.5)]
    [InlineData("tiny-llama3", 0.25)]
    [InlineData("tiny-llama3", 0.5)]
    public void The_threshold_across_groups_is_that_of_the_reference(string model, double ratio)
    {
        ModelSpec spec = SpecReader.Read(Golden.Model(model));
        string run = $"global_param_first_{ratio}";
        JsonElement recorded = Golden.Json("llmpruner", model, "extra.json").GetProperty("variants").GetProperty(run);
        GoldenTensors picked = Golden.Tensors("llmpruner", model, "extra.safetensors"), scores = Golden.Tensors("llmpruner", model, "importance.safetensors");
        PruneSchedule schedule = new(spec, PruneScope.Block, round: 1);
        IReadOnlyList<ScoredGroup> scored = Scored(schedule.Groups(spec), g => Row(scores, g.Kind == StructureKind.Channels ? "mlp.taylor.param_first.sum" : "attn.taylor.param_first.sum", g.Layer - 1, g.Count));
        PrunePlan plan = new Selection(schedule, schedule.Ratio(ratio), Ranking.GlobalThreshold).Step(spec, scored);
        AssertPicked(plan, schedule.Groups(spec), picked, (kind, l) => $"{run}.step1.{kind}.{l}");
        Assert.Equal(recorded.GetProperty("to_drop").GetInt32(), plan.Groups.Sum(g => g.Pruned.Count));
        Assert.Equal(recorded.GetProperty("params").GetInt64(), plan.Apply().ParameterCount());
        Assert.All(plan.Groups.SelectMany(p => p.Pruned.Select(i => scored.Single(g => g.Group.Kind == p.Kind && g.Group.Layer == p.Layer).Scores[i])), score => Assert.True(score <= recorded.GetProperty("threshold").GetDouble()));
    }

    [SkippableTheory]
    [InlineData("tiny-llama", "iterative2_global_param_first_0.25", 0.25, 2)]
    [InlineData("tiny-llama", "iterative2_global_param_mix_0.25", 0.25, 2)]
    [InlineData("tiny-llama3", "iterative2_global_param_first_0.25", 0.25, 2)]
    [InlineData("tiny-llama", "iterative2_param_first_0.5", 0.5, 2)]
    [InlineData("tiny-llama", "iterative4_param_first_0.5", 0.5, 4)]
    public void Steps_pick_what_the_reference_picked_in_each(string model, string run, double ratio, int steps)
    {
        Ranking ranking = run.Contains("global", StringComparison.Ordinal) ? Ranking.GlobalThreshold : Ranking.Local;
        ModelSpec spec = SpecReader.Read(Golden.Model(model));
        GoldenTensors recorded = Golden.Tensors("llmpruner", model, "extra.safetensors");
        JsonElement parameters = Golden.Json("llmpruner", model, "extra.json").GetProperty("variants").GetProperty(run).GetProperty("steps");
        PruneSchedule schedule = new(spec, PruneScope.Block, round: 1);
        Selection selection = new(schedule, schedule.Ratio(ratio), ranking);
        PrunePlan whole = new(spec, []);
        for (int step = 1; step <= steps; step++)
        {
            ModelSpec current = whole.Apply();
            IReadOnlyList<Group> groups = schedule.Groups(current);
            PrunePlan plan = selection.Step(current, Scored(groups, g => recorded.Doubles($"{run}.step{step}.{(g.Kind == StructureKind.Channels ? "mlp" : "attn")}_scores.{g.Layer}")), step, steps);
            AssertPicked(plan, groups, recorded, (kind, l) => $"{run}.step{step}.{kind}.{l}");
            whole = whole.Then(plan);
            Assert.Equal(parameters[step - 1].GetProperty("params").GetInt64(), whole.Apply().ParameterCount());
        }
    }

    [SkippableTheory]
    [InlineData("tiny-llama", 0.25, 1)]
    [InlineData("tiny-llama", 0.5, 2)]
    [InlineData("tiny-llama3", 0.3, 1)]
    [InlineData("tiny-opt", 0.4, 3)]
    [InlineData("tiny-phi", 0.9, 1)]
    public void A_ranking_across_groups_cuts_exactly_the_channels_asked_for(string model, double ratio, int steps)
    {
        ModelSpec spec = SpecReader.Read(Golden.Model(model));
        PruneSchedule schedule = new(spec, PruneScope.Block);
        Selection selection = new(schedule, schedule.Ratio(ratio), Ranking.Global);
        PrunePlan whole = new(spec, []);
        for (int step = 1; step <= steps; step++)
        {
            ModelSpec current = whole.Apply();
            whole = whole.Then(selection.Step(current, Random(schedule.Groups(current), seed: step), step, steps));
        }

        long before = schedule.Groups(spec).Sum(g => (long)g.Root.Size), after = schedule.Groups(whole.Apply()).Sum(g => (long)g.Root.Size);
        Assert.Equal((long)(before * (1 - ratio)), after);
        Assert.All(schedule.Groups(whole.Apply()), g => Assert.True(g.Count >= 1));
        Assert.Contains(whole.Groups, g => g.Kind != StructureKind.Channels);
    }

    [SkippableFact]
    public void A_ranking_across_groups_meets_a_size()
    {
        ModelSpec spec = SpecReader.Read(Golden.Model("tiny-llama"));
        PruneSchedule schedule = new(spec, PruneScope.Block);
        PruneTarget target = schedule.Parameters(new ParameterTarget(0.9));
        PrunePlan plan = new Selection(schedule, target, Ranking.Global).Step(spec, Random(schedule.Groups(spec), seed: 1));
        Assert.InRange(plan.Apply().ParameterCount() - target.Parameters!.Value, 0, 3 * 256);
    }

    [SkippableFact]
    public void A_ranking_across_groups_cuts_where_a_parameter_costs_least_and_spares_the_last_structure()
    {
        ModelSpec spec = SpecReader.Read(Golden.Model("tiny-llama"));
        PruneSchedule schedule = new(spec, PruneScope.Block);
        IReadOnlyList<ScoredGroup> scored = Scored(schedule.Groups(spec), g => [.. Enumerable.Range(0, g.Count).Select(i => g.Layer == 1 ? 1e-9 * i : 1.0 + i)]);
        PrunePlan plan = new Selection(schedule, schedule.Ratio(0.4), Ranking.Global).Step(spec, scored);
        Assert.Equal([1, 1], plan.Groups.Select(g => g.Layer));
        plan = new Selection(schedule, schedule.Ratio(0.6), Ranking.Global).Step(spec, scored);
        Assert.Equal((1, 1), (plan.Apply().Layers[1].Heads, plan.Apply().Layers[1].Ffn));
    }

    [SkippableFact]
    public void A_ranking_across_groups_keeps_widths_to_a_multiple()
    {
        ModelSpec spec = SpecReader.Read(Golden.Model("tiny-llama"));
        PruneSchedule schedule = new(spec, PruneScope.Block, round: 32);
        PrunePlan plan = new Selection(schedule, schedule.Ratio(0.3), Ranking.Global).Step(spec, Random(schedule.Groups(spec), seed: 3));
        Assert.All(plan.Apply().Layers, s => Assert.True(s.Ffn == 688 || s.Ffn % 32 == 0));
        Assert.InRange(schedule.Groups(plan.Apply()).Sum(g => g.Root.Size) - (int)(1888 * 0.7), 0, 31);
    }

    [SkippableFact]
    public void Of_equal_scores_the_first_go()
    {
        ModelSpec spec = SpecReader.Read(Golden.Model("tiny-llama"));
        PruneSchedule schedule = new(spec, PruneScope.Block);
        PrunePlan plan = new Selection(schedule, schedule.Ratio(0.25), Ranking.Local).Step(spec, Scored(schedule.Groups(spec), g => new double[g.Count]));
        Assert.Equal([0, 1], plan.Groups[0].Pruned);
        Assert.Equal(Enumerable.Range(0, 172), plan.Groups[1].Pruned);
    }

    [SkippableFact]
    public void A_score_that_is_not_finite_names_its_group()
    {
        ModelSpec spec = SpecReader.Read(Golden.Model("tiny-llama"));
        PruneSchedule schedule = new(spec, PruneScope.Block);
        EngineException e = Assert.Throws<EngineException>(() => new Selection(schedule, schedule.Ratio(0.25), Ranking.Local)
            .Step(spec, Scored(schedule.Groups(spec), g => [.. Enumerable.Repeat(g.Layer == 2 ? double.NaN : 1, g.Count)])));
        Assert.Equal((ExitCode.Numerical, "the heads of layer 2"), (e.Exit, e.Key));
    }

    private static IReadOnlyList<ScoredGroup> Scored(IReadOnlyList<Group> groups, Func<Group, double[]> scores) => [.. groups.Select(g => new ScoredGroup(g, scores(g)))];

    private static IReadOnlyList<ScoredGroup> Random(IReadOnlyList<Group> groups, int seed)
    {
        var random = new Random(seed);
        return Scored(groups, g => [.. Enumerable.Range(0, g.Count).Select(_ => random.NextDouble() * g.ParametersPerStructure)]);
    }

    private static double[] Row(GoldenTensors tensors, string name, int row, int columns) => tensors.Doubles(name)[(row * columns)..((row + 1) * columns)];

    /// <summary>The reference calls key heads heads as well.</summary>
    private static void AssertPicked(PrunePlan plan, IReadOnlyList<Group> groups, GoldenTensors recorded, Func<string, int, string> name)
    {
        foreach (Group group in groups)
        {
            IReadOnlyList<int> found = plan.Groups.FirstOrDefault(g => g.Kind == group.Kind && g.Layer == group.Layer)?.Pruned ?? [];
            Assert.Equal(recorded.Ints(name(group.Kind == StructureKind.Channels ? "channels" : "heads", group.Layer)), found);
        }
    }
}
