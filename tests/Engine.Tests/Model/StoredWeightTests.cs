using NativeEngine.Kernels;
using NativeEngine.Kernels.Cpu;
using NativeEngine.Model;

namespace NativeEngine.Tests;

/// <summary>The type that weights have in memory: as stored where only a forward reads them.</summary>
public sealed class StoredWeightTests
{
    [SkippableFact]
    public void Stored_bf16_matrices_stay_bf16_for_a_forward_and_give_the_bits_of_widened_ones()
    {
        using var backend = new CpuBackend(2);
        using var model = CausalModel.Open(backend, Golden.Model("tiny-llama"));
        Station attention = model.Layer(0).Stations[0];
        using LayerWeights loaded = model.LoadLayer(0);
        Assert.Equal((DType.BF16, DType.F32), (attention.Qkv!.Weight.DType, attention.Norm.Gain!.DType));
        Assert.Equal((DType.F32, DType.F32), (loaded.Stations[0].Qkv!.Weight.DType, loaded.Stations[0].Norm.Gain!.DType));
        Assert.Equal(DType.BF16, model.Outer.Embed.DType);
        using (OuterWeights outer = model.LoadOuter())
        {
            Assert.Equal((DType.F32, DType.F32), (outer.Embed.DType, outer.Head.Weight.DType));
        }

        foreach (int length in new[] { 1, 5, 40 })
        {
            using var batch = new TokenBatch(backend, model.Spec, [.. Enumerable.Range(3, length)], length);
            using var forward = new Forward(backend, model.Spec, DType.F32);
            using Tensor x = forward.Layer(model.Layer(0), 0, forward.Embed(model.Outer, batch), batch);
            using Tensor y = forward.Layer(loaded, 0, forward.Embed(model.Outer, batch), batch);
            Assert.True(x.AsSpan<float>().SequenceEqual(y.AsSpan<float>()), $"{length} tokens");
        }
    }

    [SkippableFact]
    public void F64_widens_every_weight()
    {
        using var backend = new CpuBackend(1);
        using var model = CausalModel.Open(backend, Golden.Model("tiny-llama"), DType.F64);
        Assert.Equal((DType.F64, DType.F64), (model.Layer(0).Stations[1].MlpDown!.Weight.DType, model.Outer.Head.Weight.DType));
    }
}
