using System.Diagnostics;
using NativeEngine.Checkpoints;
using NativeEngine.Kernels;
using NativeEngine.Model;
using NativeEngine.Slice;
using NativeEngine.Spec;

namespace NativeEngine.Bench;

/// <summary>One run of the slice benchmark.</summary>
/// <param name="Layers">decoder layers</param>
/// <param name="Tokens">calibration tokens</param>
/// <param name="Seconds">whole run without loading the weights</param>
/// <param name="SecondsPerLayerMegatoken">seconds per layer and million tokens: constant where time is linear in both</param>
public sealed record SliceBenchRow(int Layers, long Tokens, double Seconds, double SecondsPerLayerMegatoken);

/// <summary>How fast weights pass between the disk and the device, measured on one layer of the shape with embedding and head, as BF16.</summary>
/// <param name="Bytes">of these weights</param>
/// <param name="WriteBytesPerSecond">from the device to durable files</param>
/// <param name="ReadBytesPerSecond">from the file cache to the device</param>
public sealed record DiskSpeed(long Bytes, double WriteBytesPerSecond, double ReadBytesPerSecond);

/// <summary>Result of <c>bench slice</c>.</summary>
public sealed record SliceBenchResult : BenchResult
{
    /// <summary>Name of a shape, see <see cref="SyntheticModel.Shapes"/>.</summary>
    public required string Shape { get; init; }

    /// <summary>What found the subspaces.</summary>
    public required EigenSolver Eigen { get; init; }

    /// <summary>Parameters of the dense model.</summary>
    public required long Parameters { get; init; }

    /// <summary>Seconds by phase of the full run; "load" is drawing the weights on the device.</summary>
    public required IReadOnlyDictionary<string, double> Phases { get; init; }

    /// <summary>Floating-point operations of forward, covariance and rotation, over the seconds of those phases.</summary>
    public required double Gflops { get; init; }

    /// <summary>The same over the peak of the type that is computed in, measured in this run.</summary>
    public required double ShareOfPeak { get; init; }

    /// <summary>What files would add.</summary>
    public required DiskSpeed Disk { get; init; }

    /// <summary>The full run last, smaller ones before it.</summary>
    public required IReadOnlyList<SliceBenchRow> Rows { get; init; }
}

/// <summary>Slices random weights in the shape of a real model. They are drawn on the device, and what is left of them goes nowhere.</summary>
public static class SliceBench
{
    /// <summary>Runs <paramref name="shape"/> on <paramref name="samples"/> windows of <paramref name="seqLen"/> tokens; a CPU on quarters and halves of
    /// that before, a GPU on a single layer, which compiles its kernels.</summary>
    public static SliceBenchResult Run(Session session, string shape, int samples, int seqLen, double sparsity, EigenSolver eigen = EigenSolver.Exact)
    {
        session.ExactPhases = true;
        ModelSpec spec = SpecReader.Parse(SyntheticModel.Config(shape), shape);
        int layers = spec.Layers.Count, width = Math.Min(seqLen, spec.MaxPositions), quarter = Math.Max(1, samples / 4), half = Math.Max(1, samples / 2);
        List<(int Layers, int Samples)> sizes = session.Backend.IsHost
            ? [(Math.Max(1, layers / 4), quarter), (Math.Max(1, layers / 2), quarter), (layers, quarter), (layers, half), (layers, samples)]
            : [(1, Math.Min(samples, 2)), (layers, samples)];
        using DeviceMeter meter = DeviceMeter.Of(session.Backend);
        List<SliceBenchRow> rows = [];
        Dictionary<string, double> phases = [];
        double operations = 0;
        foreach ((int l, int n) in sizes.Distinct())
        {
            (phases, operations) = Once(session, shape, l, SyntheticModel.Tokens(spec.Vocab, n, width), sparsity, eigen);
            long tokens = (long)n * width;
            double seconds = phases.Where(phase => phase.Key != "load").Sum(phase => phase.Value);
            rows.Add(new SliceBenchRow(l, tokens, seconds, seconds * 1e6 / (l * (double)tokens)));
        }

        double flops = operations / (phases["forward"] + phases["covariance"] + phases["rotate"]);
        return new SliceBenchResult
        {
            Command = "bench slice",
            Device = meter.Description,
            Shape = shape,
            Eigen = eigen,
            Parameters = spec.ParameterCount(),
            Phases = phases,
            Gflops = flops / 1e9,
            ShareOfPeak = flops / meter.PeakFlops(SyntheticModel.ComputeType(session), spec.Hidden, spec.Hidden, spec.Hidden),
            Disk = Disk(session.Backend, shape),
            Rows = rows,
            Targets = session.Backend.IsHost ? [] : Targets(shape, samples, width, sparsity, eigen, rows[^1].Seconds),
        };
    }

    private static (Dictionary<string, double> Phases, double Operations) Once(
        Session session, string shape, int layers, TokenWindows tokens, double sparsity, EigenSolver eigen)
    {
        IReadOnlyDictionary<string, double> before = session.Phases;
        using CausalModel model = SyntheticModel.Open(session, shape, layers);
        ModelSpec target = SliceSchedule.Constant(Fusion.Fused(model.Spec, compat: false), sparsity, 8, sliceHead: false);
        using var slicer = new SliceGpt(
            session, model, target, eigen == EigenSolver.Projector ? Orientation.Random : Orientation.Pca, 42, compat: false, eigen);
        slicer.Run(tokens, (_, _, _, _) => { });
        session.Switch(null);
        Dictionary<string, double> phases = session.Phases.ToDictionary(phase => phase.Key, phase => phase.Value - before.GetValueOrDefault(phase.Key));
        return (phases, SliceCost.Operations(model.Spec, target, tokens.Rows, tokens.Width, measuresLast: eigen == EigenSolver.Exact));
    }

    private static DiskSpeed Disk(IBackend backend, string shape)
    {
        string root = Directory.CreateTempSubdirectory("nativeengine-bench-").FullName;
        try
        {
            string folder = Path.Combine(root, "dense");
            long start = Stopwatch.GetTimestamp();
            SyntheticModel.Write(backend, shape, folder, layers: 1);
            double write = Stopwatch.GetElapsedTime(start).TotalSeconds;
            using CausalModel model = CausalModel.Open(backend, folder);
            start = Stopwatch.GetTimestamp();
            _ = model.Outer;
            _ = model.Layer(0);
            backend.Synchronize();
            return new DiskSpeed(model.Checkpoint.WeightBytes, model.Checkpoint.WeightBytes / write, model.Checkpoint.WeightBytes / Stopwatch.GetElapsedTime(start).TotalSeconds);
        }
        finally
        {
            Directory.Delete(root, recursive: true);
        }
    }

    /// <summary>The official implementation takes 44 minutes for 1024 windows on one H100 (Ashkboos et al. 2024, table 3).</summary>
    private static IReadOnlyList<Target> Targets(string shape, int samples, int seqLen, double sparsity, EigenSolver eigen, double seconds) =>
        (shape, samples, seqLen, sparsity, eigen) switch
        {
            ("llama-7b" or "llama-2-7b", 128, 2048, 0.3, EigenSolver.Exact) => [Target.Seconds("128 x 2048, with cuSOLVER", seconds, 45)],
            ("llama-7b" or "llama-2-7b", 128, 2048, 0.3, EigenSolver.Projector) => [Target.Seconds("128 x 2048, by projector", seconds, 15)],
            ("llama-7b" or "llama-2-7b", 1024, 2048, 0.3, EigenSolver.Exact) =>
                [Target.Seconds("1024 x 2048, with cuSOLVER", seconds, 110), Target.Seconds("1024 x 2048, official", seconds, 44 * 60)],
            ("llama-7b" or "llama-2-7b", 1024, 2048, 0.3, EigenSolver.Projector) =>
                [Target.Seconds("1024 x 2048, by projector", seconds, 75), Target.Seconds("1024 x 2048, official", seconds, 44 * 60)],
            _ => [],
        };
}
