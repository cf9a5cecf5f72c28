using System.Text.Json;
using NativeEngine.Checkpoints;
using NativeEngine.Prune;
using static NativeEngine.Tests.PruneGolden;

namespace NativeEngine.Tests;

/// <summary>Scores, choices and results of the official LLM-Pruner (golden/llmpruner).</summary>
public sealed class LlmPrunerTests
{
    private static readonly string[] Orders = ["vectorize", "param_first", "param_second", "param_mix"];
    private static readonly string[] Groupings = ["sum", "mean", "max", "prod", "first", "second"];

    public static IEnumerable<object[]> Variants =>
        from model in new[] { "tiny-llama", "tiny-llama3" }
        from variant in new[] { "l1", "l2" }.Concat(from order in Orders from grouping in Groupings select $"taylor.{order}.{grouping}")
        select new object[] { model, variant };

    public static IEnumerable<object[]> OtherRuns =>
        from model in new[] { "tiny-llama", "tiny-llama3" }
        from run in new[]
        {
            "param_first_0.25", "param_first_0.5", "iterative2_param_first_0.5", "iterative2_param_mix_0.5", "iterative4_param_first_0.25", "iterative4_param_first_0.5",
            "iterative4_param_mix_0.5", "global_param_first_0.25", "global_param_first_0.5", "iterative2_global_param_first_0.25", "iterative2_global_param_mix_0.25",
        }
        select new object[] { model, run };

    [SkippableTheory]
    [MemberData(nameof(Variants))]
    public void Scores_and_pruned_structures_match(string name, string variant)
    {
        JsonElement json = Golden.Json("llmpruner", name, "pruned.json"), result = json.GetProperty("variants").GetProperty(variant);
        using var run = new PruneRun(name);
        PrunePlan plan = AssertScoresAndChoice(run, name, variant);
        (long parameters, double wikiText, double ptb) = run.Measure(plan);
        Assert.Equal(result.GetProperty("params").GetInt64(), parameters);
        double pplRtol = json.GetProperty("rtol_ppl").GetDouble();
        Golden.Close(result.GetProperty("ppl").GetProperty("wt2_test").GetDouble(), wikiText, pplRtol, 0, "WikiText-2");
        Golden.Close(result.GetProperty("ppl").GetProperty("ptb_valid").GetDouble(), ptb, pplRtol, 0, "PTB");
    }

    [SkippableTheory]
    [MemberData(nameof(OtherRuns))]
    public void Other_ratios_steps_and_rankings_match(string name, string tag)
    {
        GoldenTensors golden = Golden.Tensors("llmpruner", name, "extra.safetensors");
        JsonElement json = Golden.Json("llmpruner", name, "extra.json"), variants = json.GetProperty("variants");
        string recorded = variants.TryGetProperty(tag, out _) ? tag : tag + "_full_ppl";
        JsonElement result = variants.GetProperty(recorded);
        string[] words = tag.Split('_');
        double ratio = double.Parse(words[^1], System.Globalization.CultureInfo.InvariantCulture);
        int steps = tag.StartsWith("iterative", StringComparison.Ordinal) ? tag["iterative".Length] - '0' : 1;
        string order = tag.Contains("param_mix", StringComparison.Ordinal) ? "param_mix" : "param_first";
        bool global = words.Contains("global");
        bool crashed = json.GetProperty("official_crash").EnumerateObject().Any(c => c.Name == FormattableString.Invariant($"ratio {ratio} steps {steps}")); // recorded without attention then

        using var run = new PruneRun(name);
        PrunePlan plan = run.Prune(PruneRun.Variant($"taylor.{order}.sum"), ratio, steps, global ? Ranking.GlobalThreshold : Ranking.Local, attention: global || !crashed);
        for (int step = 1; step <= steps; step++)
        {
            (IReadOnlyList<ScoredGroup> scores, PrunePlan chosen) = run.Steps[step - 1];
            foreach (ScoredGroup g in scores)
            {
                bool mlp = g.Group.Kind == StructureKind.Channels;
                string prefix = $"{recorded}.step{step}.";
                if (golden.Has($"{prefix}{(mlp ? "mlp" : "attn")}_scores.{g.Group.Layer}"))
                {
                    AssertScores(golden.Doubles($"{prefix}{(mlp ? "mlp" : "attn")}_scores.{g.Group.Layer}"), g.Scores, Tolerances.Importance, 0, $"{g.Group.Kind} of layer {g.Group.Layer}, step {step}");
                }

                Assert.Equal(golden.Ints($"{prefix}{(mlp ? "channels" : "heads")}.{g.Group.Layer}"), Pruned(chosen, g.Group));
            }
        }

        (long parameters, double wikiText, double ptb) = run.Measure(plan);
        Assert.Equal(result.GetProperty("params").GetInt64(), parameters);
        if (recorded == tag)
        {
            double pplRtol = json.GetProperty("rtol_ppl").GetDouble();
            Golden.Close(result.GetProperty("ppl").GetProperty("wt2_test").GetDouble(), wikiText, pplRtol, 0, "WikiText-2");
            Golden.Close(result.GetProperty("ppl").GetProperty("ptb_valid").GetDouble(), ptb, pplRtol, 0, "PTB");
        }
    }

    [SkippableTheory]
    [InlineData("tiny-llama", "l1")]
    [InlineData("tiny-llama", "l2")]
    [InlineData("tiny-llama", "taylor.vectorize.sum")]
    [InlineData("tiny-llama", "taylor.param_first.sum")]
    [InlineData("tiny-llama3", "l1")]
    [InlineData("tiny-llama3", "l2")]
    [InlineData("tiny-llama3", "taylor.vectorize.sum")]
    [InlineData("tiny-llama3", "taylor.param_first.sum")]
    public void Residual_columns_match(string name, string variant)
    {
        GoldenTensors golden = Golden.Tensors("llmpruner", name, "extra.safetensors");
        JsonElement json = Golden.Json("llmpruner", name, "extra.json");
        string tag = $"channel_wise_{variant.Replace(".sum", "", StringComparison.Ordinal).Replace('.', '_')}_0.25";
        JsonElement result = json.GetProperty("variants").GetProperty(tag);
        using var run = new PruneRun(name);
        PrunePlan plan = run.Prune(PruneRun.Variant(variant), 0.25, scope: PruneScope.Channel);
        (double rtol, double atolTimesMax) = Tolerance(variant);
        AssertScores(golden.Doubles(tag + ".scores"), run.Steps[0].Scores.Single().Scores, rtol, atolTimesMax, tag);
        Assert.Equal(golden.Ints(tag + ".dropped"), plan.Groups.Single().Pruned);
        (long parameters, double wikiText, _) = run.Measure(plan);
        Golden.Close(result.GetProperty("ppl").GetProperty("wt2_test").GetDouble(), wikiText, json.GetProperty("rtol_ppl").GetDouble(), 0, "WikiText-2");
        if (!run.Model.Spec.TiedHead)
        {
            Assert.Equal(result.GetProperty("params").GetInt64(), parameters); // the reference unties a tied head and counts it twice
        }
    }

    [SkippableTheory]
    [InlineData("l2", "l2")]
    [InlineData("taylor.param_first.sum", "param_first")]
    [InlineData("taylor.vectorize.sum", "vectorize")]
    public void Query_heads_count_for_the_key_head_they_read_unless_compat_folds_them(string variant, string recorded)
    {
        JsonElement json = Golden.Json("llmpruner", "tiny-llama3", "gqa.json"), result = json.GetProperty("variants").GetProperty(recorded);
        using var run = new PruneRun("tiny-llama3");
        foreach ((bool compat, string which) in new[] { (false, "aligned"), (true, "official") })
        {
            PrunePlan plan = run.Prune(PruneRun.Variant(variant, compat), 0.5);
            foreach (ScoredGroup g in run.Steps[0].Scores.Where(g => g.Group.Kind == StructureKind.KvHeads))
            {
                double[] expected = [.. result.GetProperty($"{which}_scores")[g.Group.Layer - 1].EnumerateArray().Select(e => e.GetDouble())];
                AssertScores(expected, g.Scores, json.GetProperty("rtol").GetDouble(), 0, $"layer {g.Group.Layer}");
                Assert.Equal(result.GetProperty($"{which}_pick").GetProperty($"{g.Group.Layer}").EnumerateArray().Select(e => e.GetInt32()), Pruned(plan, g.Group));
            }
        }
    }

    [SkippableTheory]
    [InlineData("taylor.param_first.sum")]
    [InlineData("taylor.param_mix.sum")]
    public void Without_compat_a_step_scores_what_is_left_as_if_it_had_always_been_so(string variant)
    {
        Importance importance = PruneRun.Variant(variant, compat: false);
        using var run = new PruneRun("tiny-llama");
        run.Prune(importance, 0.5, steps: 2);
        using var left = new PrunedRun(Golden.Model("tiny-llama"), run.Steps[0].Chosen);
        IReadOnlyList<ScoredGroup> anew = left.Score(importance, [.. run.Steps[1].Scores.Select(g => g.Group)], run.Examples);
        Assert.Equal(run.Steps[1].Scores.Select(g => g.OfRoot), anew.Select(g => g.OfRoot));
    }

    [SkippableFact]
    public void A_ranking_across_groups_spares_nothing_cheaper_than_what_it_cuts()
    {
        using var run = new PruneRun("tiny-llama");
        PrunePlan plan = run.Prune(PruneRun.Variant("taylor.param_first.sum", compat: false), 0.25, ranking: Ranking.Global);
        (double PerParameter, bool Cut, bool Head)[] structures = [.. from g in run.Steps[0].Scores
                                                                      from s in g.Scores.Index()
                                                                      select (s.Item / g.Group.ParametersPerStructure, Pruned(plan, g.Group).Contains(s.Index), g.Group.Kind == StructureKind.Heads)];
        double dearest = structures.Where(s => s.Cut).Max(s => s.PerParameter);
        Assert.All(structures.Where(s => !s.Cut && s.PerParameter < dearest), s => Assert.True(s.Head)); // a head may be more than is left to cut
    }

    [SkippableFact]
    public void Activation_memory_does_not_change_a_score()
    {
        using PruneRun kept = new("tiny-llama"), recomputed = new("tiny-llama", activationMemory: 0);
        kept.Prune(PruneRun.Variant("taylor.param_mix.sum"), 0.25);
        recomputed.Prune(PruneRun.Variant("taylor.param_mix.sum"), 0.25);
        Assert.Equal(kept.Steps[0].Scores.Select(g => g.OfRoot), recomputed.Steps[0].Scores.Select(g => g.OfRoot));
    }

    [SkippableFact]
    public void Calibration_that_memory_does_not_hold_is_refused_before_any_work()
    {
        using var run = new PruneRun("tiny-llama");
        long tokens = run.MemoryBytes / (4 * 256 * sizeof(float)); // in front of layers 1, 2 and 3, and behind
        var windows = new TokenWindows(new int[tokens / 512 * 512 + 512], null, (int)(tokens / 512) + 1, 512);
        Assert.Equal("NE7004", Assert.Throws<EngineException>(() => run.Prune(PruneRun.Variant("taylor.param_first.sum"), 0.25, calibration: windows)).Code);
    }

    [SkippableFact]
    public void Where_the_loss_became_infinite_is_found_below_the_scored_layers_too()
    {
        using var run = new PruneRun("tiny-llama");
        run.Model.Layer(0).Stations[1].Norm.Gain!.AsSpan<float>().Fill(3e38f);
        EngineException e = Assert.Throws<EngineException>(() => run.Prune(PruneRun.Variant("taylor.param_first.sum"), 0.25));
        Assert.Equal(("NE10008", "layer 0"), (e.Code, e.Key));
        Assert.Contains("the norm of the MLP block", e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("learning rate", e.Hint, StringComparison.Ordinal);
    }
}
