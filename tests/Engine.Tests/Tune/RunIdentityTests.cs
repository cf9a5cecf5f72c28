using NativeEngine.Checkpoints;
using NativeEngine.Kernels;
using NativeEngine.Testing;
using NativeEngine.Tests.Checkpoints;
using NativeEngine.Tune;

namespace NativeEngine.Tests.Tune;

public sealed class RunIdentityTests : IDisposable
{
    private readonly TemporaryFolder folder = new();
    private readonly string data;
    private readonly TuneOptions options;

    public RunIdentityTests()
    {
        data = folder.Write("data.json", "[]");
        options = new TuneOptions(Shared.Fixture("llama-mha"), "out", new TextSource(data));
    }

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Where_things_are_makes_no_difference()
    {
        string copy = folder.Write("copy.json", "[]");
        using var model = new TemporaryModel("llama-mha");
        File.Copy(Path.Combine(options.Model, "config.json"), Path.Combine(model.Folder, "config.json"), overwrite: true);
        File.Delete(Path.Combine(model.Folder, Manifest.FileName));
        Assert.Empty(Differences(options with { Model = model.Folder, Output = "elsewhere", Data = new TextSource(copy), Overwrite = true, Resume = true }));
    }

    [Fact]
    public void Every_option_that_changes_numbers_is_compared()
    {
        Assert.Equal(["lr: 0.0001 before, 0.0003 now"], Differences(options with { LearningRate = 3e-4 }));
        Assert.Equal(["steps: nothing before, 7 now", "epochs: 2 before, nothing now"], Differences(options with { Steps = 7 }));
        Assert.Equal(["targets: nothing before, q,v now"], Differences(options with { Targets = LoraTargets.V | LoraTargets.Q }));
        TuneOptions[] changed =
        [
            options with { Format = TuneFormat.Text }, options with { Rank = 4 }, options with { Alpha = 8 }, options with { Dropout = 0 },
            options with { Decay = LearningRateDecay.Cosine }, options with { Warmup = 0 }, options with { WeightDecay = 0.01 }, options with { Clip = 0 },
            options with { Batch = 32 }, options with { MicroBatch = 2 }, options with { Epochs = 3 }, options with { Cutoff = 128 }, options with { Pack = true },
            options with { TrainOnInputs = true }, options with { Beta2 = 0.95 }, options with { EvalSamples = 3 }, options with { Tokenizer = TokenizerChoice.Slow }, options with { Seed = 1 },
        ];
        Assert.All(changed, o => Assert.NotEmpty(Differences(o)));
    }

    [Fact]
    public void Another_device_is_another_run()
    {
        using Checkpoint weights = Checkpoint.Open(options.Model);
        RunIdentity before = RunIdentity.Of(options, "cuda:0", weights, DType.F32, [], []), now = RunIdentity.Of(options, "cpu", weights, DType.F32, [], []);
        Assert.StartsWith("device: cuda:0 before, cpu, ", Assert.Single(now.Differences(before)), StringComparison.Ordinal);
    }

    [Fact]
    public void Inputs_are_compared_by_content()
    {
        RunIdentity before = Of(options);
        File.WriteAllText(data, "[ ]");
        Assert.StartsWith("sha256 of the data: ", Assert.Single(Of(options).Differences(before)), StringComparison.Ordinal);

        using var model = new TemporaryModel("llama-mha", config: config => config["max_position_embeddings"] = 99);
        Assert.Equal(
            ["sha256 of the model's config.json", "sha256 of the model's nativeengine.manifest.json", "sha256 of the data"],
            Of(options with { Model = model.Folder }).Differences(before).Select(line => line.Split(':')[0]));
    }

    [Fact]
    public void Examples_are_compared_since_the_tokenizer_makes_them()
    {
        RunIdentity one = Of(options, new TrainingExample([1, 2, 3], 1));
        Assert.Empty(Of(options, new TrainingExample([1, 2, 3], 1)).Differences(one));
        Assert.StartsWith("sha256 of the examples", Assert.Single(Of(options, new TrainingExample([1, 2, 3], 2)).Differences(one)), StringComparison.Ordinal);
        Assert.Single(Of(options, new TrainingExample([1, 2], 1), new TrainingExample([3])).Differences(one));
    }

    private IReadOnlyList<string> Differences(TuneOptions other) => Of(other).Differences(Of(options));

    [Fact]
    public void What_a_run_computes_in_counts() =>
        Assert.Equal(["type: F32 before, BF16 now"], Of(options, DType.BF16).Differences(Of(options)));

    private static RunIdentity Of(TuneOptions options, params TrainingExample[] train) => Of(options, DType.F32, train);

    private static RunIdentity Of(TuneOptions options, DType dtype, params TrainingExample[] train)
    {
        using Checkpoint weights = Checkpoint.Open(options.Model);
        return RunIdentity.Of(options, "cpu", weights, dtype, train, []);
    }
}
