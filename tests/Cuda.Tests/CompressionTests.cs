using NativeEngine.Kernels;
using NativeEngine.Prune;
using NativeEngine.Slice;
using NativeEngine.Testing;

namespace NativeEngine.Cuda.Tests;

/// <summary>Verbs from input to output on the device beside the CPU: the same decisions, the same quality.</summary>
[Collection(DeviceCollection.Name)]
public sealed class CompressionTests : IDisposable
{
    private const int Vocab = 512;
    private static readonly string Model = Shared.Fixture("llama-mha");
    private readonly string folder = Directory.CreateTempSubdirectory("ne-cuda-").FullName;

    [SkippableTheory]
    [InlineData(Orientation.Pca, EigenSolver.Exact)]
    [InlineData(Orientation.Random, EigenSolver.Exact)]
    [InlineData(Orientation.Random, EigenSolver.Projector)]
    public void A_sliced_model_measures_the_same(Orientation orientation, EigenSolver eigen)
    {
        TextSource tokens = Tokens.File(In("tokens"), Vocab, 8);
        SliceResult Slice(string device)
        {
            using Session session = Open(device);
            return Verbs.Slice(session, new SliceOptions(Model, In(device), tokens)
            {
                Sparsity = 0.3,
                Orientation = orientation,
                Eigen = eigen,
                Eval = tokens,
                Store = DType.F32,
            });
        }

        SliceResult cpu = Slice("cpu"), cuda = Slice("cuda");
        Assert.Equal((0, 0), (cpu.EigenFallbacks, cuda.EigenFallbacks));
        Assert.Equal(cpu.ParametersAfter, cuda.ParametersAfter);
        Close(cpu.Perplexity!.Dense, cuda.Perplexity!.Dense);
        Close(cpu.Perplexity!.Sliced, cuda.Perplexity!.Sliced);
        Device.CheckReport("slice");
    }

    [SkippableTheory]
    [InlineData(TaylorOrder.ParamFirst, PruneScope.Block)]
    [InlineData(TaylorOrder.ParamMix, PruneScope.Block)]
    [InlineData(TaylorOrder.ParamFirst, PruneScope.Channel)]
    public void A_pruned_model_loses_the_same_structures(TaylorOrder order, PruneScope scope)
    {
        TextSource tokens = Tokens.File(In("tokens"), Vocab, 4);
        PruneResult Prune(string device)
        {
            using Session session = Open(device);
            return Verbs.Prune(session, new PruneOptions(Model)
            {
                Output = In(device),
                Calibration = tokens,
                Taylor = order,
                Scope = scope,
                Ratio = 0.5,
                AttentionLayers = new LayerRange(0, 1),
                MlpLayers = new LayerRange(0, 1),
                Eval = tokens,
                Store = DType.F32,
            });
        }

        PruneResult cpu = Prune("cpu"), cuda = Prune("cuda");
        Assert.NotEmpty(cpu.Groups);
        Assert.Equal(cpu.Groups.Select(g => (g.Layer, g.Kind, string.Join(' ', g.Pruned))), cuda.Groups.Select(g => (g.Layer, g.Kind, string.Join(' ', g.Pruned))));
        Close(cpu.Perplexity!.Dense, cuda.Perplexity!.Dense);
        Close(cpu.Perplexity!.Pruned, cuda.Perplexity!.Pruned);
        Device.CheckReport("prune");
    }

    [SkippableFact]
    public void Tuning_follows_the_same_losses()
    {
        string data = In("data.jsonl");
        File.WriteAllLines(data, Enumerable.Range(1, 6).Select(i => $$"""{"instruction": "Count to {{i}}.", "input": "", "output": "{{string.Join(' ', Enumerable.Range(1, i))}}"}"""));
        TuneResult Tune(string device)
        {
            using Session session = Open(device);
            return Verbs.Tune(session, new TuneOptions(Shared.Path("models", "tiny-llama"), In(device), new TextSource(data))
            {
                Steps = 3,
                Batch = 2,
                MicroBatch = 2,
                Cutoff = 192,
                Warmup = 0,
                LearningRate = 1e-2,
            });
        }

        TuneResult cpu = Tune("cpu"), cuda = Tune("cuda");
        Assert.Equal(3, cuda.Loss.Count);
        Assert.All(cpu.Loss.Zip(cuda.Loss), pair => Close(pair.First, pair.Second));
        Device.CheckReport("tune");
    }

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private static Session Open(string device)
    {
        Device.Open();
        return new Session(device) { DType = DType.F32 };
    }

    private static void Close(double? expected, double? actual) =>
        Assert.InRange(Math.Abs(actual!.Value / expected!.Value - 1), 0, Tolerances.Perplexity);

    private string In(string name) => Path.Combine(folder, name);
}
