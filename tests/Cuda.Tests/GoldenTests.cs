using System.Text.Json;
using NativeEngine.Checkpoints;
using NativeEngine.Slice;
using NativeEngine.Tests;
using NativeEngine.Tests.Tune;

namespace NativeEngine.Cuda.Tests;

/// <summary>One setting of every record of the reference implementations on the device; the CPU's tests run all of them.</summary>
[Collection(DeviceCollection.Name)]
public sealed class GoldenTests
{
    private const string Cuda = "cuda";
    private const int EvaluatedWindows = 4; // the double takes milliseconds for a token

    [SkippableTheory]
    [InlineData("tiny-llama")]
    [InlineData("tiny-llama3")]
    [InlineData("tiny-opt")]
    [InlineData("tiny-phi")]
    public void A_quarter_sliced_off_gives_the_recorded_model(string name)
    {
        Device.Open();
        JsonElement results = SliceGolden.Results(name), detail = results.GetProperty("detail_0.25");
        GoldenTensors tensors = Golden.Tensors("slicegpt", name, "tensors.safetensors"), tokens = SliceGolden.Tokens(name);
        using SlicedRun run = SliceGolden.Sliced(name, f => SliceSchedule.Constant(f, 0.25, 8, sliceHead: false), device: Cuda);
        SliceGolden.AssertCounts(results.GetProperty("const_pca").GetProperty("0.25"), run);
        SliceGolden.AssertEigenvalues(results, tensors, "eig", run);
        SliceGolden.AssertNorms(results, detail.GetProperty("frobenius_sliced"), run);
        SliceGolden.AssertLogits(results, tensors, tokens.Windows("win64_ids"), run);

        // The record is of 64 windows; the CPU, which meets it, measures the same few.
        TokenWindows few = tokens.Windows("eval_ids", rows: EvaluatedWindows);
        using SlicedRun cpu = SliceGolden.Sliced(name, f => SliceSchedule.Constant(f, 0.25, 8, sliceHead: false));
        Golden.Close(cpu.Perplexity(few), run.Perplexity(few), SliceGolden.Rtol(results, "ppl"), 0, "perplexity");
        Device.CheckReport(name);
    }

    [SkippableTheory]
    [InlineData("tiny-llama", "taylor.param_first.sum")]
    [InlineData("tiny-llama3", "taylor.param_mix.sum")]
    public void Scores_and_pruned_structures_match_LLM_Pruner(string name, string variant)
    {
        Device.Open();
        using PruneRun run = new(name, device: Cuda);
        PruneGolden.AssertScoresAndChoice(run, name, variant);
        Device.CheckReport(name);
    }

    [SkippableFact]
    public void Two_steps_of_tuning_match_the_recipe_of_LLM_Pruner()
    {
        Device.Open();
        TuneGolden.AssertStepsOfPrunedRecipe(Cuda, steps: 2);
        Device.CheckReport("tune");
    }
}
