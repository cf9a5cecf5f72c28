using NativeEngine.Checkpoints;
using NativeEngine.Kernels;
using NativeEngine.Kernels.Cpu;
using NativeEngine.Model;
using NativeEngine.Testing;

namespace NativeEngine.Cuda.Tests;

/// <summary>Whole forwards on the device beside the CPU's, token by token.</summary>
[Collection(DeviceCollection.Name)]
public sealed class ModelTests
{
    public static TheoryData<string> Models =>
    [
        "variants/llama-mha", "variants/llama-gqa-fp16", "variants/llama-headdim", "variants/llama-bias-sharded", "variants/llama-tied-bf16", "variants/llama-v5",
        "variants/llama-rope-linear", "variants/llama-rope-dynamic", "variants/llama-rope-llama3", "variants/opt-nobias-noaffine",
        "tiny-llama", "tiny-llama3", "tiny-opt", "tiny-phi",
    ];

    [SkippableTheory]
    [MemberData(nameof(Models))]
    public void Log_probabilities_agree(string name) => Compare(Shared.Path("models", name), mask: null);

    [SkippableTheory]
    [InlineData("variants/llama-mha")]
    [InlineData("variants/opt-nobias-noaffine")]
    public void Log_probabilities_agree_behind_padding(string name) =>
        Compare(Shared.Path("models", name), [.. Enumerable.Range(0, 2 * Tokens.Width).Select(i => i < 7 || i % 13 == 12 ? 0 : 1)]);

    [SkippableFact]
    public void Log_probabilities_of_a_streamed_model_agree() => Compare(Shared.Fixture("llama-mha"), mask: null, weightMemory: 0);

    [SkippableFact]
    public void Decoding_with_a_cache_finds_the_same_ids()
    {
        Device.Open();
        GenerateOptions options = new(Shared.Fixture("llama-mha")) { PromptIds = [1, 40, 7, 300], MaxNewTokens = 40, IgnoreEos = true, RepetitionPenalty = 1.2 };
        using Session cpu = new("cpu"), cuda = new("cuda");
        Assert.Equal(Verbs.Generate(cpu, options).Ids, Verbs.Generate(cuda, options).Ids);
        Device.CheckReport("generate");
    }

    private static void Compare(string folder, int[]? mask, long weightMemory = long.MaxValue)
    {
        IBackend device = Device.Open();
        using var cpu = new CpuBackend();
        double[] expected = LogProbs(cpu, folder, mask, weightMemory), actual = LogProbs(device, folder, mask, weightMemory);
        Assert.All(expected.Zip(actual), pair => Assert.InRange(Math.Abs(pair.First - pair.Second), 0, Tolerances.LogProb));
        Assert.Contains(expected, v => v != 0);
        Device.CheckReport(folder);
    }

    private static double[] LogProbs(IBackend backend, string folder, int[]? mask, long weightMemory)
    {
        using CausalModel model = CausalModel.Open(backend, folder, DType.F32, weightMemory);
        using var forward = new Forward(backend, model.Spec, DType.F32);
        TokenWindows windows = Tokens.Random(model.Spec.Vocab, 2);
        using var batch = new TokenBatch(backend, model.Spec, windows.Ids, windows.Width, mask);
        Tensor x = forward.Embed(model.Outer, batch);
        for (int l = 0; l < model.Spec.Layers.Count; l++)
        {
            LayerWeights layer = model.Layer(l);
            x = forward.Layer(layer, l, x, batch);
            model.Release(layer);
        }

        int[] next = [.. windows.Ids.Select((_, i) => i % windows.Width == windows.Width - 1 || mask?[i] == 0 ? -1 : windows.Ids[i + 1])];
        using Tensor targets = backend.Upload<int>(new Shape(next.Length), next), y = backend.Alloc(DType.F64, new Shape(next.Length));
        forward.TokenLogProbs(y, model.Outer, x, targets);
        x.Dispose();
        return backend.Download<double>(y);
    }
}
