using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using NativeEngine.Kernels;
using NativeEngine.Kernels.Cuda;
using NativeEngine.Prune;
using NativeEngine.Testing;

namespace NativeEngine.Cuda.Tests;

/// <summary>Where memory runs out: what is halved, what stays the same, and how it ends when that does not help.</summary>
[Collection(DeviceCollection.Name)]
public sealed class MemoryTests : IDisposable
{
    private static readonly string Model = Shared.Fixture("llama-mha");
    private readonly string folder = Directory.CreateTempSubdirectory("ne-memory-").FullName;

    public static TheoryData<string> Devices => ["cpu", "cuda"];

    [SkippableTheory]
    [MemberData(nameof(Devices))]
    public void Halved_batches_give_the_same_perplexity(string device)
    {
        PerplexityOptions options = new(Model, Text(rows: 9)) { Batch = 8 };
        (PerplexityResult whole, PerplexityResult halved) = Both(device, session => Verbs.Perplexity(session, options));
        Assert.Equal(whole.MeanNll, halved.MeanNll); // windows do not touch each other
    }

    [SkippableTheory]
    [MemberData(nameof(Devices))]
    public void Halved_batches_slice_the_same(string device)
    {
        TextSource text = Text(rows: 9);
        int run = 0;
        (SliceResult whole, SliceResult halved) = Both(
            device, session => Verbs.Slice(session, new SliceOptions(Model, In($"{run++}"), text) { Sparsity = 0.3, Eval = text, Store = DType.F32 }));
        Close(whole.Perplexity!.Sliced, halved.Perplexity!.Sliced); // covariances are summed over other blocks of rows
    }

    [SkippableTheory]
    [InlineData("cpu", PruneScope.Block, LayerScore.First)]
    [InlineData("cuda", PruneScope.Block, LayerScore.First)]
    [InlineData("cpu", PruneScope.Layer, LayerScore.Influence)]
    [InlineData("cuda", PruneScope.Layer, LayerScore.Influence)]
    public void Halved_batches_prune_the_same(string device, PruneScope scope, LayerScore score)
    {
        TextSource text = Text(rows: 9);
        int run = 0;
        (PruneResult whole, PruneResult halved) = Both(device, session => Verbs.Prune(session, new PruneOptions(Model)
        {
            Output = In($"{run++}"),
            Calibration = text,
            Scope = scope,
            LayerScore = score,
            KeepLayers = scope == PruneScope.Layer ? 1 : null,
            Ratio = 0.5,
            AttentionLayers = new LayerRange(0, 1),
            MlpLayers = new LayerRange(0, 1),
            Taylor = TaylorOrder.ParamMix,
        }));
        Assert.NotEmpty(whole.Groups);
        Assert.Equal(whole.Groups.Select(g => (g.Layer, g.Kind, string.Join(' ', g.Pruned))), halved.Groups.Select(g => (g.Layer, g.Kind, string.Join(' ', g.Pruned))));
    }

    [SkippableTheory]
    [MemberData(nameof(Devices))]
    public void Halved_micro_batches_add_up_to_the_same_steps(string device)
    {
        TextSource text = Text(rows: 14);
        int run = 0;
        (TuneResult whole, TuneResult halved) = Both(device, session => Verbs.Tune(session, new TuneOptions(Model, In($"{run++}"), text)
        {
            Format = TuneFormat.Text,
            Steps = 3,
            Batch = 12,
            MicroBatch = 6, // halves of 3, then 1
            Warmup = 0,
            LearningRate = 1e-2,
            Dropout = 0.2, // every row drops what it would in the whole batch
            EvalSamples = 2,
            Rank = 4,
        }));
        Assert.All(whole.Loss.Zip(halved.Loss), pair => Close(pair.First, pair.Second));
        Close(whole.EvalLoss, halved.EvalLoss);
        Assert.NotEqual(whole.Loss[0], whole.Loss[2]);
    }

    [SkippableFact]
    public void What_others_hold_is_not_counted_on()
    {
        CudaBackend first = Device.Open();
        (long free, long total) = first.Context.Memory();
        using Tensor held = first.Alloc(DType.F32, new Shape(free / 16)); // a quarter of what is free
        using Session session = new("cuda");
        Assert.InRange(session.Backend.MemoryBytes, 1, free - held.Bytes);
        Assert.InRange(session.WeightMemory + session.ActivationMemory + session.ResidualMemory, 1, Math.Min(session.Backend.MemoryBytes, total - held.Bytes));
    }

    [SkippableTheory]
    [InlineData("eval perplexity {0} --text {1} --batch 128", 36)]
    [InlineData("slice {0} {2} --calibration {1} --samples 128 --seqlen 33", 35)]
    [InlineData("prune {0} {2} --calibration {1} --samples 16 --seqlen 33 --attention-layers 0..1 --mlp-layers 0..1 --activation-memory 9MB", 37)]
    [InlineData("tune {0} {2} --data {1} --format text --steps 1 --batch 32 --micro-batch 32 --rank 2 --warmup 0", 37)]
    public void A_device_that_is_too_small_gets_smaller_batches(string verb, int megabytes)
    {
        Outcome outcome = OnDevice(verb, megabytes);
        Assert.True(outcome.Exit == 0, outcome.Error);
        Assert.Matches(@"note: \d+ rows at a time do not fit the memory of cuda:0, half as many are tried: .* CUDA_ERROR_OUT_OF_MEMORY", outcome.Error);
        Assert.DoesNotContain("cudasim:", outcome.Error, StringComparison.Ordinal);
    }

    [SkippableTheory]
    [InlineData("eval perplexity {0} --text {1}", 32)] // not even the workspace of cuBLAS
    [InlineData("slice {0} {2} --calibration {1} --samples 128 --seqlen 33", 33)] // not the signal, which is all calibration tokens
    public void Where_nothing_can_be_halved_the_process_ends_with_7(string verb, int megabytes)
    {
        JsonElement error = OnDevice(verb, megabytes).Failed(7);
        Assert.Equal("NE7002", error.GetProperty("code").GetString());
        Assert.Matches(@"[\d,]+ bytes needed, [\d,]+ of [\d,]+ bytes free on the device", error.GetProperty("message").GetString());
        Assert.Empty(Directory.GetFileSystemEntries(folder, "*out*"));
    }

    [SkippableTheory]
    [InlineData("cublasCreate_v2", 1, "CUBLAS_STATUS_NOT_INITIALIZED (1)", "NE8003")]
    [InlineData("cublasLtCreate", 1, "CUBLAS_STATUS_NOT_INITIALIZED (1)", "NE8003")]
    [InlineData("cusolverDnCreate", 7, "CUSOLVER_STATUS_INTERNAL_ERROR (7)", "NE9002")]
    public void A_library_that_does_not_open_because_memory_is_short_is_out_of_memory(string call, int status, string told, string elsewhere)
    {
        Device.Open();
        Skip.IfNot(Device.IsDouble, "the memory of a GPU is what it is");
        Device.Close();
        CudaException ample = Opened();
        using IDisposable little = Device.Configured("CUDASIM_MEMORY_MB", "128", afterwards: "2048");
        CudaException tight = Opened();
        Assert.Equal((elsewhere, "NE7002"), (ample.Code, tight.Code));
        Assert.Matches($@"^{call} on cuda:0 returned {Regex.Escape(told)}; [\d,]+ of 134,217,728 bytes free on the device$", tight.Message);

        CudaException Opened()
        {
            using IDisposable fault = Device.Configured("CUDASIM_FAIL", $"{call}@1={status}", afterwards: "");
            return Assert.Throws<CudaException>(() => new CudaBackend());
        }
    }

    public void Dispose() => Directory.Delete(folder, recursive: true);

    /// <summary>A run in a session with all its memory, and one in a session that has halved its batches twice.</summary>
    private static (T Whole, T Halved) Both<T>(string device, Func<Session, T> run)
    {
        Device.Open();
        using Session ample = new(device, threads: 2), tight = new(device, threads: 2);
        Assert.Equal(1, tight.Fit(4, rows => rows > 1 ? throw new OutOfMemoryException() : rows));
        T whole = run(ample), halved = run(tight);
        Device.CheckReport(device);
        return (whole, halved);
    }

    private Outcome OnDevice(string verb, int megabytes)
    {
        Device.Open();
        Skip.IfNot(Device.IsDouble, "the memory of a GPU is what it is");
        return CommandLine.Run(string.Format(CultureInfo.InvariantCulture, verb, Model, Text(rows: 128).Path, In("out")), ("CUDASIM_MEMORY_MB", $"{megabytes}"));
    }

    private static void Close(double? expected, double? actual) =>
        Assert.InRange(Math.Abs(actual!.Value / expected!.Value - 1), 0, Tolerances.Perplexity);

    private TextSource Text(int rows) => Tokens.File(In($"text-{rows}"), vocab: 512, rows);

    private string In(string name) => Path.Combine(folder, name);
}
