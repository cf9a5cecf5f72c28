using NativeEngine.Evaluate;
using NativeEngine.Slice;
using NativeEngine.Spec;

namespace NativeEngine.Tests;

/// <summary>Parameters and operations of real models, before and after slicing, from their config.json alone (spec/algorithms.md part 8).</summary>
public sealed class ParameterCountTests
{
    [SkippableTheory]
    [InlineData("opt-125m", 0.20, 147_250_880)]
    [InlineData("phi-2", 0.20, 2_391_772_160)]
    [InlineData("phi-2", 0.25, 2_244_947_200)]
    [InlineData("phi-2", 0.30, 2_099_138_048)]
    [InlineData("llama-2-7b", 0.20, 6_105_940_928)]
    [InlineData("llama-2-7b", 0.25, 5_704_777_728)]
    [InlineData("llama-2-7b", 0.30, 5_292_914_432)]
    [InlineData("llama-2-7b", 0.50, 3_729_784_832)]
    [InlineData("llama-2-13b", 0.25, 11_004_805_120)]
    [InlineData("llama-2-13b", 0.30, 10_214_309_888)]
    [InlineData("llama-2-70b", 0.25, 57_908_133_888)]
    [InlineData("llama-2-70b", 0.30, 53_642_050_560)]
    [InlineData("llama-3-8b", 0.25, 6_775_635_968)]
    [InlineData("llama-3-8b", 0.30, 6_318_884_608)]
    public void Sliced_models_have_the_published_size(string shape, double sparsity, long parameters)
    {
        ModelSpec fused = Fusion.Fused(Read(shape), compat: false);
        Assert.Equal(parameters, SliceSchedule.Constant(fused, sparsity, 8, sliceHead: false).ParameterCount());
    }

    [SkippableTheory]
    [InlineData("llama-7b", 6_738_415_616)]
    [InlineData("llama-3-8b", 8_030_261_248)]
    [InlineData("tinyllama-1.1b", 1_100_048_384)]
    [InlineData("opt-125m", 125_239_296)]
    [InlineData("phi-2", 2_779_683_840)]
    public void Dense_models_have_the_published_size(string shape, long parameters) => Assert.Equal(parameters, Read(shape).ParameterCount());

    [SkippableFact]
    public void Fusion_of_llama_2_7b_leaves_the_published_count() =>
        Assert.Equal(6_738_149_376, (Fusion.Fused(Read("llama-2-7b"), compat: false) with { Shortcuts = false }).ParameterCount());

    [SkippableFact]
    public void Operations_of_llama_7b_reproduce_table_3() => Assert.Equal(424.021, Math.Round(Cost.Macs(Read("llama-7b"), 64) / 1e9, 3));

    private static ModelSpec Read(string shape)
    {
        string file = Golden.Model("shapes", shape + ".json");
        return SpecReader.Parse(File.ReadAllBytes(file), file);
    }
}
