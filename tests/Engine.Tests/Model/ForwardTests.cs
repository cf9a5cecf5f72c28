using System.Text.Json;
using NativeEngine.Checkpoints;
using NativeEngine.Kernels;

namespace NativeEngine.Tests;

/// <summary>Log-probabilities, logits and hidden states as recorded from transformers (golden/forward).</summary>
public sealed class ForwardTests
{
    public static TheoryData<string> Models => ["tiny-llama", "tiny-llama3", "tiny-opt", "tiny-phi"];

    public static TheoryData<string> Variants =>
    [
        "llama-mha", "llama-gqa-fp16", "llama-headdim", "llama-bias-sharded", "llama-tied-bf16", "llama-v5",
        "llama-rope-linear", "llama-rope-dynamic", "llama-rope-llama3", "opt-nobias-noaffine",
    ];

    [SkippableTheory]
    [MemberData(nameof(Models))]
    public void Log_probabilities_match(string name)
    {
        GoldenTensors golden = Golden.Tensors("forward", name, "forward.safetensors");
        double atol = Golden.Json("forward", name, "forward.json").GetProperty("tolerance").GetProperty("logprob_atol").GetDouble();
        using var run = new ForwardRun(Golden.Model(name));
        AssertClose(golden.Doubles("logprob64"), run.LogProbs(golden.Windows("input_ids")), atol, name);
    }

    [SkippableTheory]
    [MemberData(nameof(Models))]
    public void Log_probabilities_in_F64_match_the_exact_values(string name)
    {
        GoldenTensors golden = Golden.Tensors("forward", name, "forward.safetensors");
        using var run = new ForwardRun(Golden.Model(name), DType.F64);
        AssertClose(golden.Doubles("logprob64"), run.LogProbs(golden.Windows("input_ids")), Tolerances.ExactLogProb, name);
    }

    [SkippableTheory]
    [MemberData(nameof(Models))]
    public void Logits_and_hidden_states_match(string name)
    {
        GoldenTensors golden = Golden.Tensors("forward", name, "forward.safetensors");
        JsonElement tolerance = Golden.Json("forward", name, "forward.json").GetProperty("tolerance");
        TokenWindows windows = golden.Windows("input_ids");
        using var run = new ForwardRun(Golden.Model(name));
        double[] logits = run.Logits(windows);
        int vocab = run.Model.Spec.Vocab;
        double[] everyEighth = [.. Enumerable.Range(0, 12).SelectMany(i => logits.AsSpan(i * 8 * vocab, vocab).ToArray())];
        AssertClose(golden.Doubles("logits_window0_every_8"), everyEighth, tolerance.GetProperty("logits_atol").GetDouble(), name);

        double[] expected = golden.Doubles("hidden_window0_after_layer_index_1");
        using Tensor hidden = run.Hidden(windows with { Ids = windows.Ids[..windows.Width], Rows = 1 }, 2);
        double[] found = [.. hidden.AsSpan<float>().ToArray().Select(v => (double)v)];
        AssertClose(expected, found, tolerance.GetProperty("hidden_atol_times_max").GetDouble() * expected.Max(Math.Abs), name);
    }

    [SkippableTheory]
    [MemberData(nameof(Models))]
    public void Left_padding_matches(string name)
    {
        GoldenTensors golden = Golden.Tensors("forward", name, "forward.safetensors");
        double atol = Golden.Json("forward", name, "forward.json").GetProperty("tolerance").GetProperty("logprob_atol").GetDouble();
        TokenWindows windows = golden.Windows("padded.input_ids", "padded.attention_mask");
        using var run = new ForwardRun(Golden.Model(name));
        double[] found = run.LogProbs(windows);
        AssertClose(golden.Doubles("padded.logprob_row0"), found[..(windows.Width - 1)], atol, name);
        AssertClose(golden.Doubles("padded.logprob_row1"), found[^59..], atol, name);
    }

    [SkippableTheory]
    [MemberData(nameof(Variants))]
    public void Configuration_variants_match(string name)
    {
        GoldenTensors golden = Golden.Tensors("forward", "variants", name + ".safetensors");
        using var run = new ForwardRun(Golden.Model("variants", name));
        TokenWindows windows = golden.Windows("input_ids");
        AssertClose(golden.Doubles("logprob64_long"), run.LogProbs(windows), Tolerances.VariantLogProb, name);
        AssertClose(golden.Doubles("logprob64_short"), run.LogProbs(new TokenWindows(windows.Ids[..24], null, 1, 24)), Tolerances.VariantLogProb, name);
    }

    [SkippableTheory]
    [MemberData(nameof(Variants))]
    public void Every_spelling_of_config_json_reads_the_same(string name)
    {
        Spec.ModelSpec expected = Spec.SpecReader.Read(Golden.Model("variants", name));
        string styles = Golden.Model("variants", name, "config_styles");
        string[] files = Directory.GetFiles(styles);
        Assert.NotEmpty(files);
        foreach (string file in files)
        {
            Spec.ModelSpec found = Spec.SpecReader.Parse(File.ReadAllBytes(file), file);
            Assert.Equal(expected with { Layers = [], Ids = found.Ids, Names = found.Names }, found with { Layers = [] });
            Assert.Equal(expected.Layers, found.Layers);
        }
    }

    [SkippableFact]
    public void A_model_larger_than_memory_gives_the_same_bits()
    {
        GoldenTensors golden = Golden.Tensors("forward", "tiny-llama", "forward.safetensors");
        using var resident = new ForwardRun(Golden.Model("tiny-llama"));
        using var streamed = new ForwardRun(Golden.Model("tiny-llama"), weightMemory: 0);
        Assert.False(streamed.Model.IsResident);
        Assert.Equal(resident.LogProbs(golden.Windows("input_ids")), streamed.LogProbs(golden.Windows("input_ids")));
    }

    [SkippableTheory]
    [InlineData("llama-bin")]
    [InlineData("llama-bin-sharded")]
    public void Pickles_are_refused(string name)
    {
        EngineException e = Assert.Throws<EngineException>(() => new ForwardRun(Golden.Model("variants", name)));
        Assert.Equal(ExitCode.Unsupported, e.Exit);
    }

    private static void AssertClose(double[] expected, double[] found, double atol, string what)
    {
        Assert.Equal(expected.Length, found.Length);
        for (int i = 0; i < expected.Length; i++)
        {
            Golden.Close(expected[i], found[i], 0, atol, $"{what}[{i}]");
        }
    }
}
