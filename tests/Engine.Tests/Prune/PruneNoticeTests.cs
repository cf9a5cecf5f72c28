using System.Text;
using NativeEngine.Prune;
using NativeEngine.Spec;
using NativeEngine.Testing;
using NativeEngine.Tests.Checkpoints;
using NativeEngine.Tests.Tune;

namespace NativeEngine.Tests;

/// <summary>What <c>prune</c> says where it does something else than a user would expect.</summary>
public sealed class PruneNoticeTests : IDisposable
{
    private static readonly string Sample = Path.Combine(Shared.Root, "samples", "sample-llama");

    private readonly TemporaryFolder folder = new();
    private readonly Notices notices = [];
    private readonly Session session;

    public PruneNoticeTests() => session = new Session("cpu", threads: 2, reporter: notices);

    private PruneOptions Magnitudes => new(Sample) { Plan = folder["plan.json"], Overwrite = true, Importance = ImportanceKind.L1 };

    public void Dispose()
    {
        session.Dispose();
        folder.Dispose();
    }

    [Fact]
    public void A_size_that_whole_layers_miss_is_said()
    {
        PruneResult result = Verbs.Prune(session, new PruneOptions(Sample) { Plan = folder["plan.json"], Scope = PruneScope.Layer, TargetParameters = new(0.8) });
        Assert.Equal(0.25, result.Ratio);
        string notice = Assert.Single(notices);
        Assert.Equal($"the result has {result.ParametersAfter:N0} parameters, 6.2 % more than the 4,209,254 asked for: layers go whole", notice);
    }

    [Fact]
    public void A_size_that_is_met_is_not_spoken_of_and_its_ratio_is_found()
    {
        PruneResult result = Verbs.Prune(session, Magnitudes with { TargetParameters = new(0.9) });
        Assert.InRange(result.Ratio!.Value, 0.2, 0.5);
        Assert.DoesNotContain(notices, n => n.Contains("asked for", StringComparison.Ordinal));
        Assert.Equal(0.25, Verbs.Prune(session, Magnitudes).Ratio);
        Assert.Null(Verbs.Prune(session, new PruneOptions(Sample) { Output = folder["out"], ApplyPlan = folder["plan.json"] }).Ratio);
    }

    [Fact]
    public void The_smallest_ratio_cuts_a_channel_as_in_the_reference_and_is_shown_as_it_is()
    {
        PruneResult result = Verbs.Prune(session, Magnitudes with { Ratio = 1e-12 });
        Assert.All(result.Groups, g => Assert.Equal((StructureKind.Channels, 1), (g.Kind, g.Pruned.Count)));
        Assert.Contains("no heads are cut in 2 of 4 layers: a ratio of 1E-12 of 8 rounds to none", notices);
    }

    [Fact]
    public void A_kind_of_which_the_ratio_leaves_all_is_named()
    {
        PruneOptions options = Magnitudes with { Ratio = 0.1 };
        Verbs.Prune(session, options);
        Assert.Contains("no heads are cut in 2 of 4 layers: a ratio of 0.1 of 8 rounds to none", notices);
        notices.Clear();
        Verbs.Prune(session, options with { MlpLayers = LayerRange.None });
        Assert.Contains("nothing is cut: the ratio is less than one structure of every group", notices);
        Assert.DoesNotContain(notices, n => n.Contains("rounds to none", StringComparison.Ordinal));
        notices.Clear();
        Verbs.Prune(session, options with { Global = true });
        Assert.DoesNotContain(notices, n => n.Contains("rounds to none", StringComparison.Ordinal));
    }

    [Fact]
    public void Key_heads_that_are_too_few_to_lose_one_are_named()
    {
        PruneOptions options = Magnitudes with { Model = Shared.Path("models", "tiny-llama3"), AttentionLayers = new(1, 3) };
        Verbs.Prune(session, options with { Ratio = 0.4 });
        Assert.Contains("no key heads with their query heads are cut in 3 of 6 layers: a ratio of 0.4 of 2 rounds to none", notices);
        notices.Clear();
        Verbs.Prune(session, options with { Ratio = 0.5 });
        Assert.DoesNotContain(notices, n => n.Contains("rounds to none", StringComparison.Ordinal));
    }

    [Fact]
    public void Steps_beyond_the_structures_that_go_are_not_made()
    {
        PruneOptions heads = Magnitudes with { MlpLayers = LayerRange.None };
        PruneResult capped = Verbs.Prune(session, heads with { Iterations = 1000 });
        Assert.Contains("--iterations 4, not 1000: there are no more structures to cut", notices);
        Assert.Equal(Verbs.Prune(session, heads with { Iterations = 4 }).Groups.SelectMany(g => g.Pruned), capped.Groups.SelectMany(g => g.Pruned));
    }

    [Fact]
    public void Options_that_play_no_part_are_named()
    {
        PruneOptions plain = new("m") { Output = "o" }, text = plain with { Calibration = new TextSource("t"), Samples = 3, SeqLen = 9 };
        Assert.Empty(IdleOptions.Notices(plain));
        Assert.Empty(IdleOptions.Notices(text with { Taylor = TaylorOrder.ParamMix, Grouping = Grouping.Max, Global = true, Round = 8, Iterations = 2, AttentionLayers = LayerRange.None }));
        Assert.Empty(IdleOptions.Notices(text with { Scope = PruneScope.Layer, LayerScore = LayerScore.Influence }));
        Assert.Empty(IdleOptions.Notices(text with { Scope = PruneScope.Channel, Grouping = Grouping.First, Iterations = 2 }));

        AssertIdle("--importance l2", text with { Importance = ImportanceKind.L2, Taylor = TaylorOrder.ParamMix, Grouping = Grouping.Max }, "--calibration", "--taylor", "--grouping", "--samples", "--seqlen");
        AssertIdle("--scope channel", plain with { Scope = PruneScope.Channel, AttentionLayers = new(1, 2), MlpLayers = new(1, 2), Global = true, Round = 8, LayerScore = LayerScore.Influence },
            "--attention-layers", "--mlp-layers", "--global", "--round", "--layer-score");
        AssertIdle("--scope layer", plain with { Scope = PruneScope.Layer, Importance = ImportanceKind.L1, Taylor = TaylorOrder.ParamMix, Grouping = Grouping.Max, Global = true }, "--importance", "--taylor", "--grouping", "--global");
        AssertIdle("--layer-score first", text with { Scope = PruneScope.Layer }, "--calibration", "--samples", "--seqlen");
        AssertIdle("--scope block", plain with { LayerScore = LayerScore.Influence }, "--layer-score");
        AssertIdle("--apply-plan", text with { ApplyPlan = "p", Scope = PruneScope.Channel, Importance = ImportanceKind.L1, Iterations = 2 }, "--calibration", "--scope", "--importance", "--samples", "--seqlen", "--iterations");

        static void AssertIdle(string decides, PruneOptions options, params string[] idle) =>
            Assert.Equal(idle.Select(name => $"{name} plays no part with {decides}"), IdleOptions.Notices(options));
    }

    [Fact]
    public void A_plan_may_begin_with_a_byte_order_mark_and_an_empty_one_is_called_empty()
    {
        Verbs.Prune(session, Magnitudes);
        ModelSpec spec = SpecReader.Read(Sample);
        byte[] plan = File.ReadAllBytes(folder["plan.json"]);
        Assert.Equal(PrunePlanFile.Parse(plan, "p", spec).Groups.Count, PrunePlanFile.Parse((byte[])[.. Encoding.UTF8.Preamble, .. plan], "p", spec).Groups.Count);
        EngineException e = Assert.Throws<EngineException>(() => PrunePlanFile.Parse(Array.Empty<byte>(), "p", spec));
        Assert.Equal(("NE3050", "the file is empty", "p"), (e.Code, e.Message, e.File));
    }
}
