using NativeEngine.Evaluate;
using NativeEngine.Prune;
using NativeEngine.Spec;

namespace NativeEngine.Tests;

/// <summary>How many structures a ratio or a size leaves, from config.json alone (spec/algorithms.md part 8).</summary>
public sealed class PruneScheduleTests
{
    [SkippableTheory]
    [InlineData("llama-7b", 0.25, "4..29", 5_422_977_024)]
    [InlineData("llama-7b", 0.6, "3..30", 3_350_188_032)]
    [InlineData("llama-3-8b", 0.25, "4..29", 6_612_586_496)]
    [InlineData("tinyllama-1.1b", 0.25, "4..17", 945_907_712)]
    public void Models_pruned_by_blocks_have_the_published_size(string shape, double ratio, string layers, long parameters)
    {
        Assert.True(LayerRange.TryParse(layers, out LayerRange range));
        Assert.Equal(parameters, new PruneSchedule(Read(shape), PruneScope.Block, range, range, round: 1).Ratio(ratio).Spec.ParameterCount());
    }

    [SkippableTheory]
    [InlineData(0.2, 3276, 5_389_416_396, 339.361)]
    [InlineData(0.5, 2048, 3_369_207_808, 212.578)]
    public void Models_pruned_by_channels_have_the_published_size(double ratio, int hidden, long parameters, double macs)
    {
        ModelSpec pruned = new PruneSchedule(Read("llama-7b"), PruneScope.Channel).Ratio(ratio).Spec;
        Assert.Equal((hidden, parameters), (pruned.Hidden, pruned.ParameterCount()));
        Assert.Equal(macs, Math.Round(Cost.Macs(pruned, 64) / 1e9, 3));
    }

    [SkippableTheory]
    [InlineData(0.25, "4..29", 339.603)]
    [InlineData(0.6, "3..30", 206.585)]
    public void Operations_of_pruned_models_reproduce_table_3(double ratio, string layers, double macs)
    {
        Assert.True(LayerRange.TryParse(layers, out LayerRange range));
        ModelSpec pruned = new PruneSchedule(Read("llama-7b"), PruneScope.Block, range, range, round: 1).Ratio(ratio).Spec;
        Assert.Equal(macs, Math.Round(Cost.Macs(pruned, 64) / 1e9, 3));
    }

    [SkippableFact]
    public void By_default_the_ends_are_spared_and_wide_MLPs_keep_a_multiple_of_64()
    {
        ModelSpec pruned = new PruneSchedule(Read("llama-7b"), PruneScope.Block).Ratio(0.6).Spec;
        Assert.Equal(Enumerable.Range(4, 26), Enumerable.Range(0, 32).Where(l => pruned.Layers[l].Heads == 13));
        Assert.Equal(Enumerable.Range(4, 26), Enumerable.Range(0, 32).Where(l => pruned.Layers[l].Ffn == 4416)); // nearest to 4403
        Assert.Equal(32 - 26, pruned.Layers.Count(s => s.Ffn == 11008 && s.Heads == 32));
    }

    [Theory]
    [InlineData(32, "4..29")]
    [InlineData(4, "1..2")]
    [InlineData(3, "1..1")]
    [InlineData(80, "10..74")]
    public void The_default_range_depends_on_the_number_of_layers(int layers, string range) => Assert.Equal(range, LayerRange.Default(layers).ToString());

    [Theory]
    [InlineData("3..30", true)]
    [InlineData("none", true)]
    [InlineData("5..5", true)]
    [InlineData("5..4", false)]
    [InlineData("-1..4", false)]
    [InlineData("..4", false)]
    [InlineData("1-4", false)]
    [InlineData("1..4294967296", false)]
    public void A_range_is_two_layers_in_order(string text, bool valid)
    {
        Assert.Equal(valid, LayerRange.TryParse(text, out LayerRange range));
        Assert.Equal(valid ? text : "none", range.ToString());
    }

    [SkippableTheory]
    [InlineData(0.9999, "NE2035")]
    [InlineData(1.0, "NE2034")]
    [InlineData(-0.1, "NE2034")]
    [InlineData(double.NaN, "NE2034")]
    public void A_ratio_that_leaves_nothing_of_a_layer_is_refused(double ratio, string code)
    {
        PruneSchedule schedule = new(Read("tinyllama-1.1b"), PruneScope.Block, new LayerRange(5, 5), LayerRange.None);
        EngineException e = Assert.Throws<EngineException>(() => schedule.Ratio(ratio));
        Assert.Equal(code, e.Code);
        if (code == "NE2035")
        {
            Assert.Contains("layer 5", e.Message, StringComparison.Ordinal);
            Assert.Equal(1, schedule.Ratio(double.Parse(e.Expected!.Split(' ')[^1])).Spec.Layers[5].KvHeads);
        }
    }

    [SkippableFact]
    public void Ranges_outside_the_model_and_models_without_a_middle_are_refused()
    {
        ModelSpec spec = Read("llama-7b"), small = spec with { Layers = [.. spec.Layers.Take(2)] };
        Assert.Equal("NE2031", Assert.Throws<EngineException>(() => new PruneSchedule(spec, PruneScope.Block, new LayerRange(4, 32))).Code);
        Assert.Equal("NE2030", Assert.Throws<EngineException>(() => new PruneSchedule(small, PruneScope.Block)).Code);
        Assert.Equal("NE2032", Assert.Throws<EngineException>(() => new PruneSchedule(spec, PruneScope.Block, LayerRange.None, LayerRange.None)).Code);
        Assert.Equal("NE2033", Assert.Throws<EngineException>(() => new PruneSchedule(spec, PruneScope.Block, round: 11009)).Code);
        Assert.Equal("NE2036", Assert.Throws<EngineException>(() => new PruneSchedule(spec, PruneScope.Layer).KeepLayers(33)).Code);
        Assert.Equal(28, new PruneSchedule(spec, PruneScope.Layer).KeepLayers(28).Spec.Layers.Count);
    }

    [SkippableFact]
    public void A_ratio_of_zero_cuts_nothing()
    {
        foreach (PruneScope scope in Enum.GetValues<PruneScope>())
        {
            ModelSpec spec = Read("llama-7b");
            Assert.Equal(spec.Layers, new PruneSchedule(spec, scope, round: 100).Ratio(0).Spec.Layers);
        }
    }

    [SkippableTheory]
    [InlineData("llama-7b", PruneScope.Block, 0.8)]
    [InlineData("llama-7b", PruneScope.Block, 5_422_977_024)]
    [InlineData("llama-3-8b", PruneScope.Block, 0.75)]
    [InlineData("phi-2", PruneScope.Block, 0.9)]
    [InlineData("opt-125m", PruneScope.Block, 0.95)]
    [InlineData("llama-7b", PruneScope.Channel, 0.8)]
    [InlineData("llama-7b", PruneScope.Layer, 0.8)]
    [InlineData("llama-7b", PruneScope.Block, 1)]
    public void A_size_is_met_to_within_one_structure(string shape, PruneScope scope, double size)
    {
        ModelSpec spec = Read(shape);
        PruneSchedule schedule = new(spec, scope);
        PruneTarget target = schedule.Parameters(new ParameterTarget(size));
        long wanted = (long)Math.Round(size <= 1 ? size * spec.ParameterCount() : size), found = target.Spec.ParameterCount();
        long structure = schedule.Groups(spec).Max(g => scope == PruneScope.Layer
            ? spec.LayerParameters(5).Sum(p => p.Shape.Count)
            : g.ParametersPerStructure * schedule.Multiple(g));
        Assert.InRange(found, wanted - structure / 2 - 1, wanted + structure / 2 + 1);
        Assert.Equal(wanted, target.Parameters);
    }

    [SkippableFact]
    public void A_size_out_of_reach_says_what_is_in_reach()
    {
        ModelSpec spec = Read("llama-7b");
        PruneSchedule schedule = new(spec, PruneScope.Block, new LayerRange(4, 29), new LayerRange(4, 29));
        EngineException e = Assert.Throws<EngineException>(() => schedule.Parameters(new ParameterTarget(0.05)));
        Assert.Equal("NE2037", e.Code);
        Assert.Contains("6,738,415,616", e.Expected, StringComparison.Ordinal);
        Assert.Contains("4..29", e.Expected, StringComparison.Ordinal);
        long least = long.Parse(e.Expected!.Split(' ')[0], System.Globalization.NumberStyles.AllowThousands);
        Assert.Equal(least, schedule.Parameters(new ParameterTarget(least)).Spec.ParameterCount());
    }

    [SkippableFact]
    public void Steps_cut_evenly_and_end_at_the_target()
    {
        PruneSchedule schedule = new(Read("llama-7b"), PruneScope.Block, round: 1);
        PruneTarget target = schedule.Ratio(0.5);
        Assert.Equal([28, 24, 20, 16], Enumerable.Range(1, 4).Select(step => schedule.Step(target, step, 4).Layers[10].Heads));
        Assert.Equal([9632, 8256, 6880, 5504], Enumerable.Range(1, 4).Select(step => schedule.Step(target, step, 4).Layers[10].Ffn));
    }

    [SkippableFact]
    public void Widths_that_are_no_multiple_of_8_are_reported()
    {
        ModelSpec spec = Read("llama-7b");
        Assert.Empty(Alignment.Notices(spec, spec));
        Assert.Contains("3276", Assert.Single(Alignment.Notices(spec, new PruneSchedule(spec, PruneScope.Channel).Ratio(0.2).Spec)), StringComparison.Ordinal);
        Assert.Contains("the width of the MLP is no multiple of 8 in 26 of 32 layers (4403 in layer 4)", Assert.Single(Alignment.Notices(spec, new PruneSchedule(spec, PruneScope.Block, round: 1).Ratio(0.6).Spec)), StringComparison.Ordinal);
        ModelSpec odd = spec with { Layers = [new LayerShape(3, 3, 20, 64, 64, 64, 64, 64)] };
        Assert.Contains("attention is no multiple of 8 in 1 of 1 layers", Assert.Single(Alignment.Notices(spec, odd)), StringComparison.Ordinal);
        Assert.Empty(Alignment.Notices(odd, odd)); // the cut has not made it so
    }

    private static ModelSpec Read(string shape)
    {
        string file = Golden.Model("shapes", shape + ".json");
        return SpecReader.Parse(File.ReadAllBytes(file), file);
    }
}
