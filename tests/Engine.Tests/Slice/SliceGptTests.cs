using System.Globalization;
using System.Text;
using System.Text.Json;
using NativeEngine.Checkpoints;
using NativeEngine.Kernels;
using NativeEngine.Model;
using NativeEngine.Slice;
using NativeEngine.Spec;
using static NativeEngine.Tests.SliceGolden;

namespace NativeEngine.Tests;

/// <summary>What the official SliceGPT code computed on the small models (golden/slicegpt), and what must hold for any model.</summary>
public sealed class SliceGptTests
{
    public static TheoryData<string> Models => [.. TokensOf.Keys];

    public static TheoryData<string, string> ModelsAndSparsities
    {
        get
        {
            var data = new TheoryData<string, string>();
            foreach (string model in TokensOf.Keys)
            {
                foreach (string sparsity in (string[])["0.10", "0.20", "0.30", "0.50", "0.75", "0.90"])
                {
                    data.Add(model, sparsity);
                }
            }

            return data;
        }
    }

    [SkippableTheory]
    [MemberData(nameof(Models))]
    public void A_quarter_sliced_off_gives_the_recorded_model(string name)
    {
        JsonElement results = Results(name), expected = results.GetProperty("const_pca").GetProperty("0.25"), detail = results.GetProperty("detail_0.25");
        using SlicedRun run = Sliced(name, f => SliceSchedule.Constant(f, 0.25, 8, sliceHead: false));
        AssertCountsAndPerplexity(results, expected, run, name);
        AssertNorms(results, detail.GetProperty("frobenius_sliced"), run);

        GoldenTensors tensors = Golden.Tensors("slicegpt", name, "tensors.safetensors");
        AssertEigenvalues(results, tensors, "eig", run);
        AssertLogits(results, tensors, Tokens(name).Windows("win64_ids"), run);
    }

    [SkippableTheory]
    [MemberData(nameof(ModelsAndSparsities))]
    public void Other_sparsities_give_the_recorded_perplexity(string name, string sparsity)
    {
        JsonElement results = Results(name), expected = results.GetProperty("const_pca").GetProperty(sparsity);
        using SlicedRun run = Sliced(name, f => SliceSchedule.Constant(f, double.Parse(sparsity, CultureInfo.InvariantCulture), 8, sliceHead: false));
        AssertCountsAndPerplexity(results, expected, run, name);
    }

    [SkippableTheory]
    [MemberData(nameof(Models))]
    public void Round_interval_one_keeps_more_columns(string name)
    {
        JsonElement results = Results(name);
        JsonProperty[] recorded = [.. results.EnumerateObject().Where(p => p.Name.StartsWith("const_pca_round1_", StringComparison.Ordinal))];
        Assert.NotEmpty(recorded);
        foreach (JsonProperty p in recorded)
        {
            double sparsity = double.Parse(p.Name.AsSpan("const_pca_round1_".Length), CultureInfo.InvariantCulture);
            using SlicedRun run = Sliced(name, f => SliceSchedule.Constant(f, sparsity, 1, sliceHead: false));
            AssertCountsAndPerplexity(results, p.Value, run, name);
        }
    }

    [SkippableTheory]
    [MemberData(nameof(Models))]
    public void The_head_can_be_sliced(string name)
    {
        JsonElement results = Results(name), expected = results.GetProperty("const_pca_slice_head_0.25");
        using SlicedRun run = Sliced(name, f => SliceSchedule.Constant(f, 0.25, 8, sliceHead: true));
        AssertCountsAndPerplexity(results, expected, run, name);
        AssertNorms(results, expected.GetProperty("frobenius_sliced"), run);
    }

    [SkippableTheory]
    [MemberData(nameof(Models))]
    public void A_schedule_per_layer_is_followed(string name)
    {
        JsonElement results = Results(name);
        foreach (string key in (string[])["linear_schedule", "linear_schedule_as_config", "linear_schedule_slice_head"])
        {
            JsonElement expected = results.GetProperty(key);
            byte[] json = Encoding.UTF8.GetBytes(expected.GetProperty("slicing_config").GetRawText());
            using SlicedRun run = Sliced(name, f => SliceSchedule.Parse(f, json, key));
            AssertCountsAndPerplexity(results, expected, run, name);
            if (expected.TryGetProperty("frobenius_sliced", out JsonElement norms))
            {
                AssertNorms(results, norms, run);
            }
        }
    }

    [SkippableTheory]
    [MemberData(nameof(Models))]
    public void Rotation_alone_keeps_the_perplexity(string name)
    {
        JsonElement results = Results(name);
        using SlicedRun run = Sliced(name, f => f);
        TokenWindows first64 = Tokens(name).Windows("eval_ids", rows: 64);
        double fused = results.GetProperty("fused").GetProperty("ppl_first64").GetDouble();
        Golden.Close(fused, run.Perplexity(first64), Rtol(results, "ppl"), 0, "perplexity");
        if (results.GetProperty("rotated").ValueKind == JsonValueKind.Object)
        {
            Assert.Equal(results.GetProperty("rotated").GetProperty("parameters").GetInt64(), run.Target.ParameterCount());
            AssertNorms(results, results.GetProperty("rotated").GetProperty("frobenius"), run);
        }
    }

    [SkippableTheory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public void A_random_orientation_gives_the_same_function(int seed)
    {
        foreach (string name in TokensOf.Keys.Where(n => n != "sample-llama"))
        {
            JsonElement results = Results(name);
            double expected = results.GetProperty("random_orientation_0.25").GetProperty("seeds").GetProperty(seed.ToString(CultureInfo.InvariantCulture)).GetProperty("ppl_first64").GetDouble();
            using SlicedRun run = Sliced(name, f => SliceSchedule.Constant(f, 0.25, 8, false), Orientation.Random, seed);
            Golden.Close(expected, run.Perplexity(Tokens(name).Windows("eval_ids", rows: 64)), Rtol(results, "ppl"), 0, name);
        }
    }

    [SkippableTheory]
    [MemberData(nameof(Models))]
    public void Padding_on_either_side_is_masked(string name)
    {
        JsonElement results = Results(name), padded = results.GetProperty("padded_0.25");
        GoldenTensors tensors = Golden.Tensors("slicegpt", name, "tensors.safetensors");
        foreach (string side in (string[])["left", "right"])
        {
            JsonElement expected = padded.GetProperty(side);
            using var run = new SlicedRun(Golden.Model(name), Tokens(name).Windows($"pad_{side}_ids", $"pad_{side}_mask"), f => SliceSchedule.Constant(f, 0.25, 8, false));
            AssertCountsAndPerplexity(results, expected, run, name);
            AssertNorms(results, expected.GetProperty("frobenius_sliced"), run);
            AssertEigenvalues(results, tensors, $"padded_{side}.eig", run);
        }
    }

    [SkippableFact]
    public void Without_compat_the_embedding_keeps_its_mean()
    {
        JsonElement verify = Golden.Json("slicegpt", "tiny-llama", "verify.json"), results = Results("tiny-llama");
        double expected = verify.GetProperty("S1_embedding_mean").GetProperty("sliced_0.25_without").GetProperty("ppl_first64").GetDouble();
        using var run = new SlicedRun(Golden.Model("tiny-llama"), Tokens("tiny-llama").Windows("cal_ids"), f => SliceSchedule.Constant(f, 0.25, 8, false), compat: false);
        Golden.Close(expected, run.Perplexity(Tokens("tiny-llama").Windows("eval_ids", rows: 64)), Rtol(results, "ppl"), 0, "perplexity");
    }

    [SkippableTheory]
    [MemberData(nameof(Models))]
    public void A_sliced_model_can_be_sliced_further(string name)
    {
        TokenWindows calibration = Tokens(name).Windows("cal_ids"), eval = Tokens(name).Windows("eval_ids", rows: 16);
        using SlicedRun tenth = Sliced(name, f => SliceSchedule.Constant(f, 0.10, 8, false));
        using var half = new SlicedRun(tenth.Folder, calibration, f => SliceSchedule.Constant(f, 0.5, 8, false));
        using SlicedRun direct = Sliced(name, f => SliceSchedule.Constant(f, 0.5, 8, false));
        Assert.Equal(direct.Target.Layers, half.Target.Layers);
        Golden.Close(direct.Perplexity(eval), half.Perplexity(eval), Tolerances.SlicedTwice, 0, "perplexity");

        using var same = new SlicedRun(tenth.Folder, calibration, f => f);
        Golden.Close(tenth.Perplexity(eval), same.Perplexity(eval), Rtol(Results(name), "ppl"), 0, "rotated again");
    }
}
