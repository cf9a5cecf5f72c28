using NativeEngine.Checkpoints;
using NativeEngine.Kernels;
using NativeEngine.Kernels.Cpu;
using NativeEngine.Kernels.Cuda;
using NativeEngine.Model;
using NativeEngine.Spec;
using NativeEngine.Testing;
using NativeEngine.Tests;

namespace NativeEngine.Cuda.Tests;

/// <summary>Whole forwards and backwards on the device beside the CPU's, token by token and parameter by parameter.</summary>
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

    [SkippableTheory]
    [MemberData(nameof(Models))]
    public void Gradients_and_their_squares_agree(string name)
    {
        Device.Open();
        string folder = Shared.Path("models", name);
        using GradientRun cpu = new(folder), cuda = new(folder, device: "cuda");
        TokenWindows windows = Tokens.Random(cpu.Spec.Vocab, 2);
        int[] mask = [.. Enumerable.Range(0, windows.Ids.Length).Select(i => i < 5 ? 0 : 1)];
        Dictionary<string, double[]> expected = Gradients(cpu), actual = Gradients(cuda);
        Assert.All(cpu.Losses.Zip(cuda.Losses), pair => Golden.Close(pair.First, pair.Second, Tolerances.Perplexity, 0, "loss"));
        Assert.Equal(expected.Keys, actual.Keys);

        // Without rotary positions the bias of k adds the same to all scores of a query, and its gradient is rounding alone.
        IEnumerable<string> zero = cpu.Spec.Rope is null ? cpu.Spec.Parameters().Where(p => p is { Role: Role.AttnK, IsBias: true }).Select(p => p.Name) : [];
        foreach ((string parameter, double[] values) in expected.ExceptBy(zero, gradient => gradient.Key))
        {
            double atol = Tolerances.GradientTimesMax * values.Max(Math.Abs);
            Assert.All(values.Zip(actual[parameter]), pair => Golden.Close(pair.First, pair.Second, 0, atol, parameter));
        }

        Device.CheckReport(name);

        Dictionary<string, double[]> Gradients(GradientRun run)
        {
            using LabelledBatch batch = run.Batch(windows with { Mask = mask });
            return run.Gradients([batch], squares: true);
        }
    }

    [SkippableFact]
    public void Heads_that_are_too_wide_are_refused_when_a_model_is_opened()
    {
        CudaBackend device = Device.Open();
        string folder = Shared.Fixture("llama-mha");
        ModelSpec spec = SpecReader.Read(folder), wide = spec with { Layers = [.. spec.Layers.Select(layer => layer with { HeadDim = device.LargestHead + 8 })] };
        EngineException error = Assert.Throws<EngineException>(() => CausalModel.Of(device, wide, Checkpoint.Open(folder), DType.F32, 0));
        Assert.Equal(("NE4070", "head_dim", "264", "run with --device cpu"), (error.Code, error.Key, error.Found, error.Hint));
    }

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
        double[] expected = Of(cpu), actual = Of(device);
        Assert.All(expected.Zip(actual), pair => Assert.InRange(Math.Abs(pair.First - pair.Second), 0, Tolerances.LogProb));
        Assert.Contains(expected, v => v != 0);
        Device.CheckReport(folder);

        double[] Of(IBackend backend)
        {
            using CausalModel model = CausalModel.Open(backend, folder, DType.F32, weightMemory);
            return LogProbs(model, backend, Tokens.Random(model.Spec.Vocab, 2), mask);
        }
    }

    /// <summary>The log-probability of every token but the first of each window; 0 behind the last and where the mask is 0.</summary>
    internal static double[] LogProbs(CausalModel model, IBackend backend, TokenWindows windows, int[]? mask = null)
    {
        using var forward = new Forward(backend, model.Spec, model.DType);
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
