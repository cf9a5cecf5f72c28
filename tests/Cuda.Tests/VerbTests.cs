using NativeEngine.Testing;

namespace NativeEngine.Cuda.Tests;

/// <summary>Every verb once through the real command line on the device.</summary>
[Collection(DeviceCollection.Name)]
public sealed class VerbTests : IDisposable
{
    private static readonly string Model = Shared.Fixture("llama-mha");
    private readonly string folder = Directory.CreateTempSubdirectory("ne-verbs-").FullName, tokens;

    public VerbTests() => tokens = Tokens.File(In("text"), vocab: 512, rows: 8).Path;

    [SkippableFact]
    public void Verbs_that_compute_work_on_what_the_one_before_made()
    {
        Device.Open();
        Done($"eval perplexity {Model} --text {tokens}");
        Done($"slice {Model} {In("sliced")} --sparsity 0.25 --calibration {tokens} --eval {tokens}");
        Done($"prune {In("sliced")} {In("pruned")} --ratio 0.5 --attention-layers 0..1 --mlp-layers 0..1 --calibration {tokens} --eval {tokens}");
        Done($"tune {In("pruned")} {In("adapter")} --format text --data {tokens} --steps 2 --batch 4 --micro-batch 2 --eval-samples 2 --warmup 1 --rank 4");
        Done($"merge {In("pruned")} {In("adapter")} {In("merged")}");
        Done($"export {In("merged")} {In("half")} --to hf --store fp16");
        Outcome generated = Done($"generate {In("half")} --prompt-ids 1,40,7 --max-new-tokens 5 --ignore-eos");
        Assert.Equal(5, generated.Json.GetProperty("ids").GetArrayLength());
    }

    [SkippableFact]
    public void Verbs_that_read_alone_accept_the_device()
    {
        Device.Open();
        Assert.Equal(2, Done($"inspect {Model}").Json.GetProperty("layers").GetArrayLength());
        Done($"groups {Model}");
        Done($"tokenize {Shared.Path("models", "tiny-llama")} --text history");
    }

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private static Outcome Done(string line)
    {
        Outcome outcome = CommandLine.Run(line);
        Assert.True(outcome.Exit == 0, $"{line}: {outcome.Error}");
        Assert.DoesNotContain("cudasim:", outcome.Error, StringComparison.Ordinal); // what the double has found, leaks among it
        return outcome;
    }

    private string In(string name) => Path.Combine(folder, name);
}
