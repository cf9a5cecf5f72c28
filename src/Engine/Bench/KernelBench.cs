using System.Globalization;
using NativeEngine.Kernels;

namespace NativeEngine.Bench;

/// <summary>Speed of one op.</summary>
/// <param name="Kernel">the op, and what is particular about the call</param>
/// <param name="Seconds">median, operands read from memory</param>
/// <param name="GigabytesPerSecond">bytes that are read and written, over the time; null for an op that is bound by arithmetic</param>
/// <param name="Gflops">operations that have to be made, over the time; null for an op that is bound by memory</param>
/// <param name="Share">of the copy bandwidth or of the peak of products; null for copies between host and device</param>
public sealed record KernelRow(string Kernel, double Seconds, double? GigabytesPerSecond, double? Gflops, double? Share);

/// <summary>Result of <c>bench kernels</c>.</summary>
public sealed record KernelBenchResult : BenchResult
{
    /// <summary>What the ops computed in.</summary>
    public required string Dtype { get; init; }

    /// <summary>Rows and columns of the matrices.</summary>
    public required string Size { get; init; }

    /// <summary>Measured in this run: read and written.</summary>
    public required double CopyGigabytesPerSecond { get; init; }

    /// <summary>Measured in this run, by type.</summary>
    public required IReadOnlyDictionary<string, double> PeakGflops { get; init; }

    /// <summary>One row per op.</summary>
    public required IReadOnlyList<KernelRow> Rows { get; init; }
}

/// <summary>Times every op of the back-end on matrices that no cache holds, beside what the device can do at best.</summary>
public static class KernelBench
{
    private const double BandwidthGoal = 0.85, ForwardGoal = 290, CausalGoal = 240; // share; TFLOP/s

    /// <summary>Runs all ops that the device has for <paramref name="dtype"/>.</summary>
    /// <param name="session">the device</param>
    /// <param name="dtype">F32, F64, or what else the device computes in</param>
    /// <param name="rows">rows, which are tokens</param>
    /// <param name="columns">columns, which are the width of the model: a multiple of 16</param>
    public static KernelBenchResult Run(Session session, DType dtype, int rows, int columns)
    {
        if (columns % KernelCases.LeastHeadDim != 0)
        {
            throw new EngineException("NE2043", "the columns cannot be cut into attention heads")
            {
                Key = "--columns",
                Found = columns.ToString(CultureInfo.InvariantCulture),
                Expected = $"a multiple of {KernelCases.LeastHeadDim}",
            };
        }

        using DeviceMeter meter = DeviceMeter.Of(session.Backend);
        using var table = new KernelCases(session.Backend, dtype, rows, columns);
        double copy = meter.CopyBytesPerSecond();
        Dictionary<DType, double> peaks = [];
        List<KernelRow> results = [];
        List<Target> targets = [];
        KernelRow? slowest = null;
        foreach (KernelCase test in table.All)
        {
            session.Cancel.ThrowIfCancellationRequested();
            double seconds = meter.Median(test.Run, fromMemory: test.Flops == 0);
            if (test.Flops > 0)
            {
                if (!peaks.TryGetValue(test.Peak, out double peak))
                {
                    peak = peaks[test.Peak] = meter.PeakFlops(test.Peak, columns, columns, columns);
                }

                results.Add(new KernelRow(test.Name, seconds, null, test.Flops / seconds / 1e9, test.Flops / seconds / peak));
                if (dtype is DType.BF16 or DType.F16 && test.Op == Op.Attention && table.HeadDim == 128)
                {
                    targets.Add(Target.AtLeast(test.Name, test.Flops / seconds / 1e12, test.Causal ? CausalGoal : ForwardGoal, "TFLOP/s"));
                }
            }
            else
            {
                results.Add(new KernelRow(test.Name, seconds, test.Bytes / seconds / 1e9, null, test.OverBus ? null : test.Bytes / seconds / copy));
                slowest = test.OverBus || test.Returns || slowest?.Share < results[^1].Share ? slowest : results[^1];
            }
        }

        targets.Add(Target.AtLeast(
            $"memory-bound ops that return no value, share of copy; the lowest is {slowest!.Kernel}", slowest.Share!.Value, BandwidthGoal, ""));
        return new KernelBenchResult
        {
            Command = "bench kernels",
            Device = meter.Description,
            Dtype = Name(dtype),
            Size = $"{rows} x {columns}",
            CopyGigabytesPerSecond = copy / 1e9,
            PeakGflops = peaks.ToDictionary(peak => Name(peak.Key), peak => peak.Value / 1e9),
            Rows = results,
            Targets = session.Backend.IsHost ? [] : targets,
        };
    }

    private static string Name(DType dtype) => dtype switch
    {
        DType.F64 => "fp64",
        DType.F32 => "fp32",
        DType.F16 => "fp16",
        _ => "bf16",
    };
}
