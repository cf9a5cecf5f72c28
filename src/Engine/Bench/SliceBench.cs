using NativeEngine.Checkpoints;
using NativeEngine.Export;
using NativeEngine.Kernels;
using NativeEngine.Kernels.Cpu;
using NativeEngine.Model;
using NativeEngine.Slice;
using NativeEngine.Spec;

namespace NativeEngine.Bench;

/// <summary>One run of the slice benchmark.</summary>
/// <param name="Layers">decoder layers</param>
/// <param name="Tokens">calibration tokens</param>
/// <param name="Seconds">whole run without making the weights</param>
/// <param name="SecondsPerLayerMegatoken">seconds per layer and million tokens: constant where time is linear in both</param>
public sealed record SliceBenchRow(int Layers, long Tokens, double Seconds, double SecondsPerLayerMegatoken);

/// <summary>Result of <c>bench slice</c>.</summary>
public sealed record SliceBenchResult : RunResult
{
    /// <summary>Name of a shape, see <see cref="SyntheticModel.Shapes"/>.</summary>
    public required string Shape { get; init; }

    /// <summary>Parameters of the dense model.</summary>
    public required long Parameters { get; init; }

    /// <summary>Threads that worked.</summary>
    public required int Threads { get; init; }

    /// <summary>Seconds by phase of the full run.</summary>
    public required IReadOnlyDictionary<string, double> Phases { get; init; }

    /// <summary>Floating-point operations of forward, covariance and rotation, over the seconds of those phases.</summary>
    public required double Gflops { get; init; }

    /// <summary>The same over the FMA peak of the F32 unit, measured in this run.</summary>
    public required double ShareOfPeak { get; init; }

    /// <summary>The full run last, smaller ones before it.</summary>
    public required IReadOnlyList<SliceBenchRow> Rows { get; init; }
}

/// <summary>Slices random weights in the shape of a real model, through the same code and files as <c>slice</c>.</summary>
public static class SliceBench
{
    /// <summary>Runs <paramref name="shape"/> on <paramref name="samples"/> windows of <paramref name="seqLen"/> tokens, and on quarters and halves of that for the table.</summary>
    public static SliceBenchResult Run(Func<Session> open, string shape, int samples, int seqLen, double sparsity)
    {
        ModelSpec spec = SpecReader.Parse(SyntheticModel.Config(shape), shape);
        int layers = spec.Layers.Count, quarter = Math.Max(1, samples / 4), half = Math.Max(1, samples / 2);
        List<(int Layers, int Samples)> sizes = [(Math.Max(1, layers / 4), quarter), (Math.Max(1, layers / 2), quarter), (layers, quarter), (layers, half), (layers, samples)];
        List<SliceBenchRow> rows = [];
        IReadOnlyDictionary<string, double> phases = new Dictionary<string, double>();
        double operations = 0, peak = 0;
        int threads = 0;
        foreach ((int l, int n) in sizes.Distinct())
        {
            using Session session = open();
            threads = ((CpuBackend)session.Backend).Threads;
            (phases, operations) = Once(session, shape, l, SyntheticModel.Tokens(spec.Vocab, n, Math.Min(seqLen, spec.MaxPositions)), sparsity);
            long tokens = (long)n * Math.Min(seqLen, spec.MaxPositions);
            double seconds = phases.Values.Sum();
            rows.Add(new SliceBenchRow(l, tokens, seconds, seconds * 1e6 / (l * (double)tokens)));
        }

        peak = GemmPeak.Measure(DType.F32, threads);
        double busy = phases["forward"] + phases["covariance"] + phases["rotate"];
        return new SliceBenchResult
        {
            Command = "bench slice",
            Shape = shape,
            Parameters = spec.ParameterCount(),
            Threads = threads,
            Phases = phases,
            Gflops = operations / busy / 1e9,
            ShareOfPeak = operations / busy / 1e9 / peak,
            Rows = rows,
        };
    }

    private static (IReadOnlyDictionary<string, double> Phases, double Operations) Once(Session session, string shape, int layers, TokenWindows tokens, double sparsity)
    {
        string root = Directory.CreateTempSubdirectory("nativeengine-bench-").FullName;
        try
        {
            string folder = Path.Combine(root, "dense");
            SyntheticModel.Write(session.Backend, shape, folder, layers);
            using CausalModel model = CausalModel.Open(session.Backend, folder, DType.F32, session.WeightMemory);
            ModelSpec target = SliceSchedule.Constant(Fusion.Fused(model.Spec, compat: false), sparsity, 8, sliceHead: false);
            using var writer = new ModelFolderWriter(session.Backend, model, target, null, "slicegpt", Path.Combine(root, "sliced"), overwrite: false);
            using var slicer = new SliceGpt(session, model, target, Orientation.Pca, 42, compat: false);
            slicer.Run(tokens, writer.Write);
            session.Switch("write");
            writer.Commit([]);
            return (session.Phases, SliceCost.Operations(model.Spec, target, tokens.Rows, tokens.Width));
        }
        finally
        {
            Directory.Delete(root, recursive: true);
        }
    }
}

/// <summary>Operations that a slice cannot do without.</summary>
internal static class SliceCost
{
    /// <summary>Multiplications and additions of one forward, the triangles of the covariances, and the rotations of signal and weights.</summary>
    public static double Operations(ModelSpec dense, ModelSpec target, int rows, int width)
    {
        double tokens = (double)rows * width, d = dense.Hidden, sum = tokens * d * d;
        bool parallel = dense.Residual == ResidualKind.Parallel;
        for (int l = 0; l < dense.Layers.Count; l++)
        {
            LayerShape s = dense.Layers[l], t = target.Layers[l];
            double inputs = s.QueryWidth + 2.0 * s.KeyWidth, mlpIn = (dense.GatedMlp ? 2.0 : 1.0) * s.Ffn;
            double perToken = t.AttentionInput * inputs + s.QueryWidth * d + t.MlpInput * mlpIn + s.Ffn * d // linear maps
                + (double)width * s.QueryWidth // causal attention: half of q k^T and half of p v
                + (parallel ? 2 : 4) * t.AttentionInput * d // signal into the basis, and past the station
                + (parallel ? 0.5 : 1) * d * d; // triangles of the covariances
            double weights = (inputs * t.AttentionInput + mlpIn * t.MlpInput + s.QueryWidth * t.AttentionOutput + s.Ffn * t.MlpOutput) * d;
            sum += 2 * (tokens * perToken + weights);
        }

        return sum;
    }
}
