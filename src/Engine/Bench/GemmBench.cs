using System.Globalization;
using NativeEngine.Kernels;
using NativeEngine.Kernels.Cpu;

namespace NativeEngine.Bench;

/// <summary>Speed of one square matrix product.</summary>
/// <param name="Dtype">fp32, fp64, bf16 or fp16</param>
/// <param name="N">rows and columns of all three matrices</param>
/// <param name="Threads">threads that worked; null on a GPU</param>
/// <param name="Gflops">2 n^3 over the median time, in GFLOP/s; null where the engine does not multiply this type</param>
/// <param name="PeakGflops">measured in the same run: the multiply-add peak of as many threads, or what cuBLASLt alone gives for the same sizes</param>
/// <param name="ShareOfPeak"><paramref name="Gflops"/> over <paramref name="PeakGflops"/></param>
public sealed record GemmRow(string Dtype, int N, int? Threads, double? Gflops, double PeakGflops, double? ShareOfPeak);

/// <summary>Result of <c>bench gemm</c>.</summary>
public sealed record GemmBenchResult : BenchResult
{
    /// <summary>One row per type, number of threads and size.</summary>
    public required IReadOnlyList<GemmRow> Rows { get; init; }
}

/// <summary>Times c = a b^T, the product of a linear map, beside what the same device can do at best.</summary>
public static class GemmBench
{
    private const double Goal = 0.9;

    private static readonly (string Name, DType DType)[] Types = [("fp32", DType.F32), ("fp64", DType.F64), ("bf16", DType.BF16), ("fp16", DType.F16)];

    /// <summary>Runs every size in every type; on the CPU with each of <paramref name="threads"/>.</summary>
    public static GemmBenchResult Run(Session session, IReadOnlyList<int> sizes, IReadOnlyList<int> threads)
    {
        using DeviceMeter own = DeviceMeter.Of(session.Backend);
        List<GemmRow> rows = [];
        if (session.Backend.IsHost)
        {
            foreach (int count in threads)
            {
                using var cpu = new CpuBackend(count);
                using DeviceMeter meter = DeviceMeter.Of(cpu);
                rows.AddRange(Types[..2].SelectMany(type => sizes.Select(n => Measure(session, cpu, meter, type, n, count))));
            }
        }
        else
        {
            rows.AddRange(Types.SelectMany(type => sizes.Select(n => Measure(session, session.Backend, own, type, n, null))));
        }

        return new GemmBenchResult
        {
            Command = "bench gemm",
            Device = own.Description,
            Rows = rows,
            Targets = session.Backend.IsHost ? [] : [.. rows.Where(row => row.ShareOfPeak is not null).Select(row =>
                Target.AtLeast(string.Create(CultureInfo.InvariantCulture, $"{row.Dtype} {row.N}, share of cuBLASLt alone"), row.ShareOfPeak!.Value, Goal, ""))],
        };
    }

    private static GemmRow Measure(Session session, IBackend backend, DeviceMeter meter, (string Name, DType DType) type, int n, int? threads)
    {
        session.Cancel.ThrowIfCancellationRequested();
        double peak = meter.PeakFlops(type.DType, n, n, n) / 1e9;
        double? gflops = null, share = null;
        if (Multiplies(backend, type.DType))
        {
            var shape = new Shape(n, n);
            using Tensor a = backend.Alloc(type.DType, shape), b = backend.Alloc(type.DType, shape), c = backend.Alloc(type.DType, shape);
            using (Tensor drawn = backend.Alloc(DType.F32, shape))
            {
                backend.Uniform(drawn, 1, 0);
                backend.Copy(a, drawn);
                backend.Copy(b, drawn);
            }

            double seconds = meter.Median(() => backend.Gemm(c, a, b, transposeB: true), fromMemory: false);
            peak = Math.Max(peak, meter.PeakFlops(type.DType, n, n, n) / 1e9); // clocks drift, so it is taken on both sides
            gflops = Math.Round(2.0 * n * n * n / seconds / 1e9, 1);
            share = Math.Round(gflops.Value / peak, 3);
        }

        return new GemmRow(type.Name, n, threads, gflops, Math.Round(peak, 1), share);
    }

    /// <summary>Whether all three matrices may have this type: of BF16, <see cref="IBackend.Supports"/> speaks of the weight alone, but where F16 is computed BF16 is.</summary>
    private static bool Multiplies(IBackend backend, DType dtype) => backend.Supports(Op.Gemm, dtype == DType.BF16 ? DType.F16 : dtype);
}
