using NativeEngine.Kernels;
using NativeEngine.Kernels.Cpu;
using NativeEngine.Spec;
using NativeEngine.Testing;
using NativeEngine.Tune;

namespace NativeEngine.Tests.Tune;

public sealed class AdapterSetTests : IDisposable
{
    private static readonly ModelSpec Spec = SpecReader.Read(Shared.Fixture("llama-mha"));

    private readonly CpuBackend cpu = new(1);

    public void Dispose() => cpu.Dispose();

    [Fact]
    public void A_is_uniform_within_the_bound_of_its_inputs_and_B_is_zero()
    {
        using AdapterSet set = Initial(LoraTargetRoles.All, rank: 64);
        Assert.Equal(Spec.Layers.Count * 7, set.Maps.Count);
        foreach (((int layer, Role role), Lora lora) in set.Maps)
        {
            Parameter p = Spec.LayerParameters(layer).Single(p => p.Role == role && !p.IsBias);
            Assert.Equal((new Shape(64, p.Shape[1]), new Shape(p.Shape[0], 64)), (lora.A.Shape, lora.B.Shape));
            Assert.All(lora.B.AsSpan<float>().ToArray(), b => Assert.Equal(0, b));

            double bound = 1 / Math.Sqrt(p.Shape[1]);
            double[] a = [.. lora.A.AsSpan<float>().ToArray().Select(x => x / bound)];
            Assert.All(a, x => Assert.InRange(x, -1.0000001, 1.0000001));

            // Mean and mean square of a uniform distribution, within five standard errors.
            Assert.InRange(a.Average(), -5 / Math.Sqrt(3 * a.Length), 5 / Math.Sqrt(3 * a.Length));
            Assert.InRange(a.Average(x => x * x), 1 / 3.0 - 1.5 / Math.Sqrt(a.Length), 1 / 3.0 + 1.5 / Math.Sqrt(a.Length));
        }
    }

    [Fact]
    public void What_is_drawn_depends_on_seed_layer_and_role_alone()
    {
        using AdapterSet all = Initial(LoraTargetRoles.All), some = Initial([Role.MlpDown]), other = Initial(LoraTargetRoles.All, seed: 43);
        Assert.Equal(Values(all, 1, Role.MlpDown), Values(some, 1, Role.MlpDown));
        Assert.NotEqual(Values(all, 1, Role.MlpDown), Values(other, 1, Role.MlpDown));
        Assert.NotEqual(Values(all, 1, Role.MlpDown), Values(all, 0, Role.MlpDown));
        Assert.NotEqual(Values(all, 0, Role.AttnQ), Values(all, 0, Role.AttnK));
        Assert.Null(some[1, Role.AttnQ]);
    }

    [Fact]
    public void A_copy_has_the_same_values_in_memory_of_its_own()
    {
        using AdapterSet set = Initial([Role.AttnQ]), copy = set.ZerosAlike();
        Assert.All(copy.Tensors(), t => Assert.All(t.Value.AsSpan<float>().ToArray(), x => Assert.Equal(0, x)));
        copy.CopyFrom(set);
        Assert.Equal(Values(set, 0, Role.AttnQ), Values(copy, 0, Role.AttnQ));
        set[0, Role.AttnQ]!.A.AsSpan<float>()[0] = 7;
        Assert.NotEqual(Values(set, 0, Role.AttnQ), Values(copy, 0, Role.AttnQ));
    }

    [Fact]
    public void Scale_is_alpha_by_rank_or_by_its_root()
    {
        Assert.Equal(2, new LoraConfig(8, 16).Scale);
        Assert.Equal(4, new LoraConfig(16, 16, RankStabilized: true).Scale);
    }

    [Theory]
    [InlineData("q", LoraTargets.Q)]
    [InlineData("down,q, o", LoraTargets.Down | LoraTargets.Q | LoraTargets.O)]
    [InlineData("q,k,v,o,gate,up,down", LoraTargets.All)]
    public void Targets_are_words(string text, LoraTargets targets)
    {
        Assert.True(LoraTargetRoles.TryParse(text, out LoraTargets found));
        Assert.Equal(targets, found);
        Assert.True(LoraTargetRoles.TryParse(LoraTargetRoles.Format(targets), out LoraTargets again));
        Assert.Equal(targets, again);
    }

    [Theory]
    [InlineData("")]
    [InlineData("q,")]
    [InlineData("q_proj")]
    public void What_is_no_target_is_refused(string text) => Assert.False(LoraTargetRoles.TryParse(text, out _));

    [SkippableFact]
    public void A_target_that_the_family_lacks_is_left_out_by_default_and_refused_by_name()
    {
        ModelSpec opt = SpecReader.Read(Golden.Model("tiny-opt"));
        Notices notices = [];
        Assert.Equal([Role.AttnQ, Role.AttnK, Role.AttnV, Role.AttnOut, Role.MlpUp, Role.MlpDown], LoraTargetRoles.Of(null, opt, notices));
        Assert.Single(notices, n => n.Contains("no adapters for gate: opt models", StringComparison.Ordinal));
        EngineException e = Assert.Throws<EngineException>(() => LoraTargetRoles.Of(LoraTargets.Q | LoraTargets.Gate, opt, notices));
        Assert.Equal(("NE2040", "gate", "q,k,v,o,up,down"), (e.Code, e.Found, e.Expected));
        Assert.Equal([Role.AttnK], LoraTargetRoles.Of(LoraTargets.K, opt, notices));
    }

    private static float[] Values(AdapterSet set, int layer, Role role) => set[layer, role]!.A.AsSpan<float>().ToArray();

    private AdapterSet Initial(IReadOnlyCollection<Role> roles, int rank = 4, long seed = 42) => AdapterSet.Initial(cpu, Spec, new LoraConfig(rank, 16), roles, seed);
}
