using System.Text.Json;
using NativeEngine.Kernels;
using NativeEngine.Model;
using NativeEngine.Prune;
using NativeEngine.Spec;
using NativeEngine.Testing;
using NativeEngine.Text;
using NativeEngine.Tune;

namespace NativeEngine.Tests.Tune;

/// <summary>The records of golden/llmpruner/tiny-llama/lora.json and of SliceGPT's recovery tuning, and the comparisons of a run with them, on any device.</summary>
internal static class TuneGolden
{
    /// <summary>LLM-Pruner's recipe on the model that lost a quarter of two layers: losses and norms of the first steps; <paramref name="then"/> sees what they made.</summary>
    public static void AssertStepsOfPrunedRecipe(string device, int steps, Action<Session, CausalModel, TuneState>? then = null)
    {
        JsonElement json = Golden.Json("llmpruner", "tiny-llama", "lora.json"), expected = json.GetProperty("result");
        GoldenTensors weights = Golden.Tensors("llmpruner", "tiny-llama", "lora_weights.safetensors");
        double lossRtol = json.GetProperty("rtol_loss").GetDouble(), normRtol = json.GetProperty("rtol_norm").GetDouble();
        using var run = new PruneRun("tiny-llama");
        PrunePlan plan = run.Prune(PruneRun.Variant("taylor.param_first.sum"), 0.25);
        using var session = new Session(device, threads: 2);
        using var dense = CausalModel.Open(session.Backend, Golden.Model("tiny-llama"));
        using CausalModel model = dense.Cut(plan);
        var options = new TuneOptions("", "", new TextSource("")) { Dropout = 0 };
        using TuneState state = Initial(session, model, new LoraConfig(8, 16), weights, "init.", "");
        using var trainer = new Trainer(session, model, options, state);
        TrainingExample[] records = [.. Records(Golden.Model("tiny-llama"), 32)];
        var collator = new Collator(4, 256, model.Spec.MaxPositions, pack: false);
        for (int step = 0; step < steps; step++)
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
                    Golden.Close(norms.GetProperty(name).GetDouble(), Norm(session, value), normRtol, 0, $"{name} behind step {step + 1}");
                }
            }
        }

        then?.Invoke(session, model, state);
    }

    public static TuneState Initial(Session session, CausalModel model, LoraConfig config, GoldenTensors weights, string prefix, string suffix)
    {
        AdapterSet adapters = AdapterSet.Initial(session.Backend, model.Spec, config, LoraTargetRoles.All, seed: 0);
        foreach (((int layer, Role role), Lora lora) in adapters.Maps)
        {
            double[] a = weights.Doubles($"{prefix}{model.Spec.Names.Module(role, layer)}.lora_A{suffix}");
            session.Backend.Upload<float>(lora.A, [.. a.Select(v => (float)v)]);
        }

        return new TuneState(adapters);
    }

    public static void AssertAdapters(Session session, AdapterSet found, ModelSpec spec, GoldenTensors expected, string prefix, string suffix, double atol)
    {
        foreach ((int layer, Role role, char factor, Tensor value) in found.Tensors())
        {
            string name = $"{spec.Names.Module(role, layer)}.lora_{factor}";
            double[] recorded = expected.Doubles(prefix + name + suffix);
            float[] values = session.Backend.Download<float>(value);
            for (int i = 0; i < values.Length; i++)
            {
                Golden.Close(recorded[i], values[i], 0, atol, $"{name}[{i}]");
            }
        }
    }

    private static IEnumerable<TrainingExample> Records(string model, int count)
    {
        var data = new InstructionData(Tokenizer.Load(model, TokenizerChoice.Slow, SilentReporter.Instance), 256, trainOnInputs: false);
        return InstructionFile.Read(Shared.Path("data", "alpaca.json")).Take(count).Select(data.Encode);
    }

    private static double Norm(Session session, Tensor t) => Math.Sqrt(session.Backend.Download<float>(t).Sum(v => (double)v * v));
}
