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

namespace NativeEngine.Tests.Tune;

/// <summary>Recovery tuning step by step against the records of both references: peft and torch on the same tokens.</summary>
public sealed class TrainerTests
{
    /// <summary>golden/llmpruner/tiny-llama/lora.json: post_training.py on the model that lost a quarter of two layers.</summary>
    [SkippableFact]
    public void The_recipe_of_LLM_Pruner_matches_step_by_step()
    {
        JsonElement json = Golden.Json("llmpruner", "tiny-llama", "lora.json"), expected = json.GetProperty("result");
        GoldenTensors weights = Golden.Tensors("llmpruner", "tiny-llama", "lora_weights.safetensors");
        double lossRtol = json.GetProperty("rtol_loss").GetDouble(), normRtol = json.GetProperty("rtol_norm").GetDouble(), pplRtol = json.GetProperty("rtol_ppl").GetDouble();
        using var run = new PruneRun("tiny-llama");
        PrunePlan plan = run.Prune(PruneRun.Variant("taylor.param_first.sum"), 0.25);
        using var session = new Session("cpu", threads: 2);
        using var dense = CausalModel.Open(session.Backend, Golden.Model("tiny-llama"));
        using CausalModel model = dense.Cut(plan);
        var options = new TuneOptions("", "", new TextSource("")) { Dropout = 0 };
        using TuneState state = Initial(session, model, new LoraConfig(8, 16), weights, "init.", "");
        using var trainer = new Trainer(session, model, options, state);
        TrainingExample[] records = AlpacaExamples.First32(trainOnInputs: false);
        var collator = new Collator(4, 256, model.Spec.MaxPositions, pack: false);
        for (int step = 0; step < 16; step++)
        {
            TrainingExample[] batch = [.. Enumerable.Range(step * 16, 16).Select(i => records[i % 32])];
            double loss = trainer.Step([.. collator.Collate(batch)], 1e-4);
            Golden.Close(expected.GetProperty("loss")[step].GetDouble(), loss, lossRtol, 0, $"loss of step {step}");
            Golden.Close(expected.GetProperty("grad_norm")[step].GetDouble(), trainer.GradientNorm, normRtol, 0, $"gradient norm of step {step}");
            if (expected.GetProperty("norms").TryGetProperty($"{step + 1}", out JsonElement norms))
            {
                foreach ((int layer, Role role, char factor, Tensor value) in state.Adapters.Tensors())
                {
                    string name = $"{model.Spec.Names.Module(role, layer)}.lora_{factor}";
                    Golden.Close(norms.GetProperty(name).GetDouble(), Norm(value), normRtol, 0, $"{name} behind step {step + 1}");
                }
            }
        }

        AssertAdapters(state.Adapters, model.Spec, weights, "end.", "", Tolerances.TunedAdapter);
        TokenWindows windows = Golden.Tensors("llmpruner", "tokens", "spm_slow.safetensors").Windows("wt2_test", rows: PruneRun.Windows);
        double ppl = Math.Exp(PerplexityEvaluation.Mean(new PerplexityEvaluation(session, model).Measure(windows, 4, null), PerplexityProtocol.LlmPruner));
        Golden.Close(expected.GetProperty("ppl").GetProperty("wt2_test").GetDouble(), ppl, pplRtol, 0, "perplexity");
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
            AssertAdapters(state.Adapters, model.Spec, weights, "final.", ".weight", Tolerances.TunedAdapter);
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

    private static TuneState Initial(Session session, CausalModel model, LoraConfig config, GoldenTensors weights, string prefix, string suffix)
    {
        AdapterSet adapters = AdapterSet.Initial(session.Backend, model.Spec, config, LoraTargetRoles.All, seed: 0);
        foreach (((int layer, Role role), Lora lora) in adapters.Maps)
        {
            double[] a = weights.Doubles($"{prefix}{model.Spec.Names.Module(role, layer)}.lora_A{suffix}");
            Span<float> values = lora.A.AsSpan<float>();
            for (int i = 0; i < values.Length; i++)
            {
                values[i] = (float)a[i];
            }
        }

        return new TuneState(adapters);
    }

    private static void AssertAdapters(AdapterSet found, ModelSpec spec, GoldenTensors expected, string prefix, string suffix, double atol)
    {
        foreach ((int layer, Role role, char factor, Tensor value) in found.Tensors())
        {
            string name = $"{spec.Names.Module(role, layer)}.lora_{factor}";
            double[] recorded = expected.Doubles(prefix + name + suffix);
            ReadOnlySpan<float> values = value.AsSpan<float>();
            for (int i = 0; i < values.Length; i++)
            {
                Golden.Close(recorded[i], values[i], 0, atol, $"{name}[{i}]");
            }
        }
    }

    private static double Norm(Tensor t) => Math.Sqrt(t.AsSpan<float>().ToArray().Sum(v => (double)v * v));

    private static double[] Numbers(JsonElement json, string key) => [.. json.GetProperty(key).EnumerateArray().Select(e => e.GetDouble())];
}
