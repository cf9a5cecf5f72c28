using System.Text.Json;
using NativeEngine.Checkpoints;
using NativeEngine.Kernels;
using NativeEngine.Model;
using NativeEngine.Prune;
using NativeEngine.Spec;
using NativeEngine.Testing;
using NativeEngine.Tests;
using NativeEngine.Tune;

namespace NativeEngine.Cuda.Tests;

/// <summary>Models in 16-bit types: beside exact numbers, no further from them than torch is, and verbs beside the CPU in F32.</summary>
[Collection(DeviceCollection.Name)]
public sealed class ReducedPrecisionTests : IDisposable
{
    private const int Vocab = 512;
    private const double GradientScale = 256; // of some 190 tokens, so that it is a sum rather than a mean
    private readonly string folder = Directory.CreateTempSubdirectory("ne-narrow-").FullName;

    public static IEnumerable<object[]> Models =>
        from model in new[] { "tiny-llama", "tiny-llama3", "tiny-opt", "tiny-phi" }
        from dtype in new[] { DType.BF16, DType.F16 }
        select new object[] { model, dtype };

    [SkippableTheory]
    [MemberData(nameof(Models))]
    public void Log_probabilities_are_as_close_as_those_of_torch(string name, DType dtype)
    {
        IBackend device = Device.Open();
        JsonElement torch = Golden.Json("forward", name, "forward.json").GetProperty("reduced_precision_cpu").GetProperty(Word(dtype));
        GoldenTensors golden = Golden.Tensors("forward", name, "forward.safetensors");
        TokenWindows windows = golden.Windows("input_ids");
        using CausalModel model = CausalModel.Open(device, Shared.Path("models", name), dtype);
        double[] found = ModelTests.LogProbs(model, device, windows);
        double[] errors = [.. found.Where((_, i) => i % windows.Width < windows.Width - 1).Zip(golden.Doubles("logprob64"), (a, b) => Math.Abs(a - b))];
        Assert.Equal(windows.Rows * (windows.Width - 1), errors.Length);
        double mean = errors.Average() / torch.GetProperty("mean_abs_diff_logprob").GetDouble(), largest = errors.Max() / torch.GetProperty("max_abs_diff_logprob").GetDouble();
        Assert.True(
            mean <= Tolerances.MeanOfTorchs && largest <= Tolerances.LargestOfTorchs, $"the mean distance is {mean:F2} of torch's, the largest {largest:F2}");
        Device.CheckReport(name);
    }

    [SkippableTheory]
    [MemberData(nameof(Models))]
    public void Gradients_agree_with_the_recorded_ones(string name, DType dtype)
    {
        Device.Open();
        GoldenTensors golden = Golden.Tensors("forward", name, "forward.safetensors");
        using GradientRun run = new(Shared.Path("models", name), dtype, device: "cuda") { LossScale = GradientScale };
        using LabelledBatch batch = run.Batch(golden.Windows("input_ids"));
        Dictionary<string, double[]> gradients = run.Gradients([batch]);
        string[] recorded = [.. gradients.Keys.Where(parameter => golden.Has($"grad.{parameter}"))];
        Assert.NotEmpty(recorded);
        foreach (string parameter in recorded)
        {
            double[] expected = golden.Doubles($"grad.{parameter}");
            double error = Norm(gradients[parameter].Zip(expected, (a, b) => a - b)) / Norm(expected);
            Assert.True(error <= Tolerances.Gradient(dtype), $"{parameter}: {error:E2} of {Tolerances.Gradient(dtype):E2}");
        }

        Device.CheckReport(name);
    }

    [SkippableTheory]
    [InlineData(DType.BF16)]
    [InlineData(DType.F16)]
    public void A_sliced_model_is_as_good_as_one_sliced_in_F32(DType dtype)
    {
        TextSource tokens = Tokens.File(In("tokens"), Vocab, 8);
        double? Slice(Session session, string output)
        {
            var options = new SliceOptions(Shared.Fixture("llama-mha"), In(output), tokens) { Sparsity = 0.3, Eval = tokens, Store = DType.F32 };
            return Verbs.Slice(session, options).Perplexity!.Sliced;
        }

        Compare(dtype, Slice);
    }

    [SkippableTheory]
    [InlineData(DType.BF16, TaylorOrder.ParamFirst)]
    [InlineData(DType.F16, TaylorOrder.ParamMix)]
    public void A_pruned_model_loses_nearly_the_same_structures(DType dtype, TaylorOrder order)
    {
        TextSource tokens = Tokens.File(In("tokens"), Vocab, 4);
        HashSet<(int Layer, StructureKind Kind, int Index)> Prune(Session session)
        {
            var options = new PruneOptions(Shared.Fixture("llama-mha"))
            {
                Plan = In($"{session.Backend.Name.Split(':')[0]}.json"),
                Calibration = tokens,
                Taylor = order,
                Ratio = 0.5,
                AttentionLayers = new LayerRange(0, 1),
                MlpLayers = new LayerRange(0, 1),
            };
            return [.. Verbs.Prune(session, options).Groups.SelectMany(g => g.Pruned.Select(i => (g.Layer, g.Kind, i)))];
        }

        using Session cpu = new("cpu"), cuda = Open(dtype);
        HashSet<(int, StructureKind, int)> expected = Prune(cpu), found = Prune(cuda);
        Assert.Equal(expected.Count, found.Count);
        Assert.InRange(expected.Except(found).Count(), 0, expected.Count / 20); // those beside the threshold
        Device.CheckReport("prune");
    }

    [SkippableTheory]
    [InlineData(DType.BF16)]
    [InlineData(DType.F16)]
    public void Tuning_reaches_the_loss_of_F32(DType dtype)
    {
        TextSource tokens = Tokens.File(In("tokens"), Vocab, 4);
        double? Tune(Session session, string output)
        {
            var options = new TuneOptions(Shared.Fixture("llama-mha"), In(output), tokens)
            {
                Format = TuneFormat.Text,
                Steps = 4,
                Batch = 4,
                MicroBatch = 4,
                Cutoff = Tokens.Width,
                Warmup = 0,
                LearningRate = 1e-2,
            };
            TuneResult result = Verbs.Tune(session, options);
            Assert.InRange(result.Loss[^1], 0, 0.9 * result.Loss[0]);
            return result.Loss[^1];
        }

        Compare(dtype, Tune);
    }

    [SkippableFact]
    public void A_gradient_that_overflows_costs_its_step_and_halves_the_scale()
    {
        using Session session = Open(DType.F16);
        using CausalModel model = CausalModel.Open(session.Backend, Shared.Fixture("llama-mha"), DType.F16);
        using var state = new TuneState(AdapterSet.Initial(session.Backend, model.Spec, new LoraConfig(2, 4), [Role.AttnQ, Role.MlpDown], seed: 1));
        state.LossScale = new LossScale(1L << 40, 5, 0);
        using var trainer = new Trainer(session, model, new TuneOptions("", "", new TextSource("")), state);
        MicroBatch[] batch = [.. new Collator(1, 16, 512, pack: false).Collate([new TrainingExample([1, 40, 7, 300])])];
        float[] before = session.Backend.Download<float>(state.Adapters.Flat);
        double loss = trainer.Step(batch, 1e-2);
        Assert.Equal((1, new LossScale(1L << 39, 0, 1)), (state.Step, state.LossScale));
        Assert.Equal(before, session.Backend.Download<float>(state.Adapters.Flat));

        state.LossScale = LossScale.Initial;
        Assert.Equal(loss, trainer.Step(batch, 1e-2));
        Assert.Equal(LossScale.Initial.Kept(), state.LossScale);
        Assert.NotEqual(before, session.Backend.Download<float>(state.Adapters.Flat));
    }

    public void Dispose() => Directory.Delete(folder, recursive: true);

    /// <summary>What a verb measures in <paramref name="dtype"/> on the device is what it measures in F32 on the CPU, but not the same number.</summary>
    private static void Compare(DType dtype, Func<Session, string, double?> measure)
    {
        using Session cpu = new("cpu"), cuda = Open(dtype);
        double expected = measure(cpu, "cpu")!.Value, found = measure(cuda, "cuda")!.Value;
        Assert.NotEqual(expected, found);
        Assert.InRange(Math.Abs(found / expected - 1), 0, Tolerances.Verb(dtype));
        Device.CheckReport($"{dtype}");
    }

    private static Session Open(DType dtype)
    {
        Device.Open();
        return new Session("cuda") { DType = dtype };
    }

    private static string Word(DType dtype) => dtype == DType.BF16 ? "bf16" : "fp16";

    private static double Norm(IEnumerable<double> values) => Math.Sqrt(values.Sum(v => v * v));

    private string In(string name) => Path.Combine(folder, name);
}
