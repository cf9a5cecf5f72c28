using System.Diagnostics;
using NativeEngine.Kernels;
using NativeEngine.Kernels.Cpu;

namespace NativeEngine.Bench;

/// <summary>Speed of one square matrix product.</summary>
/// <param name="Dtype">fp32 or fp64</param>
/// <param name="N">rows and columns of all three matrices</param>
/// <param name="Threads">threads that worked</param>
/// <param name="Gflops">2 n^3 over the best time, in GFLOP/s</param>
/// <param name="ShareOfPeak"><paramref name="Gflops"/> over the multiply-add peak of as many threads, measured in the same run</param>
public sealed record GemmRow(string Dtype, int N, int Threads, double Gflops, double ShareOfPeak);

/// <summary>Result of the product benchmark.</summary>
public sealed record GemmBenchResult : RunResult
{
    /// <summary>Multiply-add peak in GFLOP/s by type, then by threads.</summary>
    public required IReadOnlyDictionary<string, IReadOnlyDictionary<string, double>> PeakGflops { get; init; }

    /// <summary>One row per type, number of threads and size.</summary>
    public required IReadOnlyList<GemmRow> Rows { get; init; }
}

/// <summary>Times c = a b on the CPU against the multiply-add peak of the same cores.</summary>
public static class GemmBench
{
    private const int MinRuns = 5;
    private const double SecondsPerRow = 0.5;

    /// <summary>Runs every size with every number of threads in both types; about half a second each.</summary>
    public static GemmBenchResult Run(IReadOnlyList<int> sizes, IReadOnlyList<int> threads)
    {
        var begin = Stopwatch.StartNew();
        var peaks = new Dictionary<string, IReadOnlyDictionary<string, double>>();
        var rows = new List<GemmRow>();
        foreach ((string name, DType dtype) in new[] { ("fp32", DType.F32), ("fp64", DType.F64) })
        {
            var peakByThreads = new Dictionary<string, double>();
            peaks[name] = peakByThreads;
            foreach (int count in threads)
            {
                // The clock drifts, so the peak is taken around every product, and the best one is what counts.
                double peak = GemmPeak.Measure(dtype, count);
                var times = new List<(int N, double Seconds)>();
                using var cpu = new CpuBackend(count);
                foreach (int n in sizes)
                {
                    times.Add((n, Time(cpu, dtype, n)));
                    peak = Math.Max(peak, GemmPeak.Measure(dtype, count));
                }

                peakByThreads[count.ToString()] = Math.Round(peak, 1);
                rows.AddRange(times.Select(t =>
                {
                    double gflops = 2.0 * t.N * t.N * t.N / t.Seconds / 1e9;
                    return new GemmRow(name, t.N, count, Math.Round(gflops, 1), Math.Round(gflops / peak, 3));
                }));
            }
        }

        return new GemmBenchResult { Command = "bench gemm", PeakGflops = peaks, Rows = rows, Seconds = begin.Elapsed.TotalSeconds };
    }

    /// <summary>Best of several runs, in seconds.</summary>
    private static double Time(CpuBackend cpu, DType dtype, int n)
    {
        var shape = new Shape(n, n);
        using Tensor a = cpu.Alloc(dtype, shape), b = cpu.Alloc(dtype, shape), c = cpu.Alloc(dtype, shape);
        foreach (Tensor x in new[] { a, b })
        {
            if (dtype == DType.F32)
            {
                x.AsSpan<float>().Fill(0.5f);
            }
            else
            {
                x.AsSpan<double>().Fill(0.5);
            }
        }

        cpu.Gemm(c, a, b);
        double best = double.PositiveInfinity;
        var all = Stopwatch.StartNew();
        for (int run = 0; run < MinRuns || all.Elapsed.TotalSeconds < SecondsPerRow; run++)
        {
            long start = Stopwatch.GetTimestamp();
            cpu.Gemm(c, a, b);
            best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalSeconds);
        }

        return best;
    }
}
