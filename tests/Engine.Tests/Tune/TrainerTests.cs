using System.Text.Json;
using NativeEngine.Checkpoints;
using NativeEngine.Evaluate;
using NativeEngine.Kernels;
using NativeEngine.Model;
using NativeEngine.Prune;
using NativeEngine.Slice;
using NativeEngine.Spec;
using NativeEngine.Testing;
using NativeEngine.Text;
using NativeEngine.Tune;
using static NativeEngine.Tests.Tune.TuneGolden;

namespace NativeEngine.Tests.Tune;

/// <summary>Recovery tuning step by step against the records of both references: peft and torch on the same tokens.</summary>
public sealed class TrainerTests
{
    /// <summary>golden/llmpruner/tiny-llama/lora.json: post_training.py on the model that lost a quarter of two layers.</summary>
    [SkippableFact]
    public void The_recipe_of_LLM_Pruner_matches_step_by_step()
    {
        JsonElement json = Golden.Json("llmpruner", "tiny-llama", "lora.json");
        AssertStepsOfPrunedRecipe("cpu", steps: 16, (session, model, state) =>
        {
            AssertAdapters(session, state.Adapters, model.Spec, Golden.Tensors("llmpruner", "tiny-llama", "lora_weights.safetensors"), "end.", "", Tolerances.TunedAdapter);
            TokenWindows windows = Golden.Tensors("llmpruner", "tokens", "spm_slow.safetensors").Windows("wt2_test", rows: PruneRun.Windows);
            double ppl = Math.Exp(PerplexityEvaluation.Mean(new PerplexityEvaluation(session, model).Measure(windows, 4, null), PerplexityProtocol.LlmPruner));
            Golden.Close(json.GetProperty("result").GetProperty("ppl").GetProperty("wt2_test").GetDouble(), ppl, json.GetProperty("rtol_ppl").GetDouble(), 0, "perplexity");
        });
    }

    /// <summary>golden/slicegpt/tiny-llama/finetune.json: run_finetuning.py on the model sliced by a quarter.</summary>
    [SkippableTheory]
    [InlineData(false)]
    [InlineData(true)]
    public void The_recipe_of_SliceGPT_matches_step_by_step(bool padded)
    {
        JsonElement json = Golden.Json("slicegpt", "tiny-llama", "finetune.json"), expected = padded ? json.GetProperty("padded_labels_S13") : json;
        GoldenTensors weights = Golden.Tensors("slicegpt", "tiny-llama", "finetune.safetensors"), rotations = Golden.Tensors("slicegpt", "tiny-llama", "tensors.safetensors");
        GoldenTensors tokens = Golden.Tensors("slicegpt", "tokens-spm.safetensors");
        using var sliced = new SlicedRun(
            Golden.Model("tiny-llama"), tokens.Windows("cal_ids"), fused => SliceSchedule.Constant(fused, 0.25, 8, sliceHead: false), onComponents: Replay(rotations));
        using var session = new Session("cpu", threads: 2);
        using var model = CausalModel.Open(session.Backend, sliced.Folder);
        var options = new TuneOptions("", "", new TextSource("")) { Dropout = 0, Beta2 = 0.95, WeightDecay = 0.01 };
        using TuneState state = Initial(session, model, new LoraConfig(8, 16), weights, "init.", ".weight");
        using var trainer = new Trainer(session, model, options, state);
        double[] losses = Numbers(expected, "losses"), norms = Numbers(expected, "gradient_norms_before_clip");
        for (int step = 0; step < losses.Length; step++)
        {
            double loss = trainer.Step([Batch(step)], 2e-4);
            Golden.Close(losses[step], loss, Tolerances.TuneLoss, 0, $"loss of step {step}");
            Golden.Close(norms[step], trainer.GradientNorm, Tolerances.TuneGradientNorm, 0, $"gradient norm of step {step}");
        }

        if (!padded)
        {
            AssertAdapters(session, state.Adapters, model.Spec, weights, "final.", ".weight", Tolerances.TunedAdapter);
            TokenWindows windows = tokens.Windows("eval_ids", rows: 64);
            double ppl = Math.Exp(PerplexityEvaluation.Mean(new PerplexityEvaluation(session, model).Measure(windows, 8, null), PerplexityProtocol.SliceGpt));
            Golden.Close(expected.GetProperty("after").GetProperty("ppl_first64").GetDouble(), ppl, Tolerances.TuneLoss, 0, "perplexity");
        }

        MicroBatch Batch(int step)
        {
            if (!padded)
            {
                int[] ids = tokens.Ints("finetune_ids")[(step * 512)..((step + 1) * 512)];
                return new MicroBatch(ids, Labels(ids), null, null, 4, 128, 4 * 127);
            }

            int from = step % 2 * 512; // S13: the pads are trained on as well
            int[] padIds = tokens.Ints("pad_right_ids")[from..(from + 512)];
            return new MicroBatch(padIds, Labels(padIds), tokens.Ints("pad_right_mask")[from..(from + 512)], null, 4, 128, 4 * 127);
        }

        static int[] Labels(int[] ids) => ids;
    }

    /// <summary>Puts the recorded eigenvectors, which are columns, where ours are rows.</summary>
    private static Action<int, Tensor> Replay(GoldenTensors rotations) => (i, q) =>
    {
        double[] recorded = rotations.Doubles($"Q.{i:00}");
        int d = (int)q.Columns;
        for (int r = 0; r < d; r++)
        {
            Span<double> row = q.Row<double>(r);
            double sign = 0;
            for (int c = 0; c < d; c++)
            {
                sign += row[c] * recorded[c * d + r];
            }

            Assert.InRange(Math.Abs(sign), 1 - Tolerances.SameComponent, 1 + Tolerances.SameComponent);
            for (int c = 0; c < d; c++)
            {
                row[c] = recorded[c * d + r];
            }
        }
    };

    private static double[] Numbers(JsonElement json, string key) => [.. json.GetProperty(key).EnumerateArray().Select(e => e.GetDouble())];
}
