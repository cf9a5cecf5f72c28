using System.Text.Json;
using NativeEngine.Checkpoints;
using NativeEngine.Spec;

namespace NativeEngine.Tests;

/// <summary>The records of golden/slicegpt, and the comparisons of a run with them, on any device.</summary>
internal static class SliceGolden
{
    public static readonly Dictionary<string, string> TokensOf = new()
    {
        ["tiny-llama"] = "spm",
        ["sample-llama"] = "spm",
        ["tiny-llama3"] = "llama3",
        ["tiny-opt"] = "opt",
        ["tiny-phi"] = "phi",
    };

    public static SlicedRun Sliced(string name, Func<ModelSpec, ModelSpec> schedule, Orientation orientation = Orientation.Pca, long seed = 42, string device = "cpu") =>
        new(Golden.Model(name), Tokens(name).Windows("cal_ids"), schedule, compat: true, orientation, seed, device: device);

    public static JsonElement Results(string name) => Golden.Json("slicegpt", name, "results.json");

    public static GoldenTensors Tokens(string name) => Golden.Tensors("slicegpt", $"tokens-{TokensOf[name]}.safetensors");

    public static double Rtol(JsonElement results, string what) => results.GetProperty("suggested_tolerance").GetProperty(what).GetProperty("rtol").GetDouble();

    public static void AssertCountsAndPerplexity(JsonElement results, JsonElement expected, SlicedRun run, string name)
    {
        AssertCounts(expected, run);
        double found = run.Perplexity(Tokens(name).Windows("eval_ids", rows: 64));
        Golden.Close(expected.GetProperty("ppl_first64").GetDouble(), found, Rtol(results, "ppl"), 0, $"{name} perplexity");
    }

    public static void AssertCounts(JsonElement expected, SlicedRun run)
    {
        Assert.Equal(expected.GetProperty("original_parameters").GetInt64(), run.FusedParameters);
        Assert.Equal(expected.GetProperty("sliced_parameters").GetInt64(), run.Target.ParameterCount());
        Assert.Equal(run.Target.ParameterCount(), run.Model.Spec.ParameterCount());
        JsonElement widths = expected.TryGetProperty("slicing_config", out JsonElement w) ? w : default;
        for (int l = 0; widths.ValueKind == JsonValueKind.Object && l < run.Target.Layers.Count; l++)
        {
            Assert.Equal(widths.GetProperty("attention_input_dimensions").GetProperty($"{l}").GetInt32(), run.Target.Layers[l].AttentionInput);
            Assert.Equal(widths.GetProperty("mlp_output_dimensions").GetProperty($"{l}").GetInt32(), run.Target.Layers[l].MlpOutput);
        }
    }

    /// <summary>Frobenius norms of all weights as stored.</summary>
    public static void AssertNorms(JsonElement results, JsonElement norms, SlicedRun run)
    {
        Dictionary<string, double> found = run.Frobenius();
        Assert.Equal(norms.EnumerateObject().Select(p => p.Name).Order(), found.Keys.Order());
        foreach (JsonProperty p in norms.EnumerateObject())
        {
            Golden.Close(p.Value.GetDouble(), found[p.Name], Rtol(results, "frobenius"), 0, p.Name);
        }
    }

    public static void AssertEigenvalues(JsonElement results, GoldenTensors tensors, string prefix, SlicedRun run)
    {
        JsonElement tolerance = results.GetProperty("suggested_tolerance").GetProperty("eigenvalues");
        for (int i = 0; i < run.Eigenvalues.Count; i++)
        {
            double[] expected = tensors.Doubles($"{prefix}.{i:00}");
            for (int k = 0; k < expected.Length; k++)
            {
                Golden.Close(expected[k], run.Eigenvalues[i][k], 0, tolerance.GetProperty("atol_over_largest").GetDouble() * expected[0], $"{prefix}.{i:00}[{k}]");
            }
        }
    }

    public static void AssertLogits(JsonElement results, GoldenTensors tensors, TokenWindows windows, SlicedRun run)
    {
        using var forward = new ForwardRun(run.Folder, device: run.Device);
        double[] found = forward.Logits(windows), expected = tensors.Doubles("sliced_logits");
        int[] positions = tensors.Ints("logit_positions");
        int vocab = forward.Model.Spec.Vocab;
        double atol = results.GetProperty("suggested_tolerance").GetProperty("logits").GetProperty("atol").GetDouble();
        for (int w = 0; w < windows.Rows; w++)
        {
            for (int p = 0; p < positions.Length; p++)
            {
                for (int v = 0; v < vocab; v++)
                {
                    Golden.Close(expected[(w * positions.Length + p) * vocab + v], found[(w * windows.Width + positions[p]) * vocab + v], 0, atol, $"logit {w} {p} {v}");
                }
            }
        }
    }
}
