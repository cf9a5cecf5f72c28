using System.Diagnostics;
using NativeEngine.Kernels;
using NativeEngine.Kernels.Cpu;

namespace NativeEngine.Bench;

/// <summary>Speed and accuracy of one symmetric eigendecomposition.</summary>
/// <param name="N">rows and columns</param>
/// <param name="Threads">threads that worked</param>
/// <param name="Seconds">best of three</param>
/// <param name="Residual">|A V - V L|_F / (n eps |A|_F)</param>
/// <param name="Orthogonality">|V^T V - I|_F / (n eps)</param>
public sealed record EigenRow(int N, int Threads, double Seconds, double Residual, double Orthogonality);

/// <summary>Result of the eigendecomposition benchmark.</summary>
public sealed record EigenBenchResult : RunResult
{
    /// <summary>One row per number of threads and size.</summary>
    public required IReadOnlyList<EigenRow> Rows { get; init; }
}

/// <summary>Times the eigendecomposition of x x^T, x uniform in 0 .. 1, in fp64 on the CPU.</summary>
public static class EigenBench
{
    private const int Runs = 3;
    private const double Epsilon = 2.220446049250313e-16;

    /// <summary>Runs every size with every number of threads.</summary>
    public static EigenBenchResult Run(IReadOnlyList<int> sizes, IReadOnlyList<int> threads)
    {
        var begin = Stopwatch.StartNew();
        var rows = new List<EigenRow>();
        foreach (int count in threads)
        {
            using var cpu = new CpuBackend(count);
            rows.AddRange(sizes.Select(n => Measure(cpu, n)));
        }

        return new EigenBenchResult { Command = "bench eigen", Rows = rows, Seconds = begin.Elapsed.TotalSeconds };
    }

    private static EigenRow Measure(CpuBackend cpu, int n)
    {
        var shape = new Shape(n, n);
        using Tensor a = cpu.Alloc(DType.F64, shape), work = cpu.Alloc(DType.F64, shape), vectors = cpu.Alloc(DType.F64, shape);
        using Tensor values = cpu.Alloc(DType.F64, new Shape(n));
        var random = new Random(n);
        foreach (ref double x in work.AsSpan<double>())
        {
            x = random.NextDouble();
        }

        cpu.Gemm(a, work, work, transposeB: true);
        double best = double.PositiveInfinity;
        for (int run = 0; run < Runs; run++)
        {
            a.AsSpan<double>().CopyTo(work.AsSpan<double>());
            long start = Stopwatch.GetTimestamp();
            cpu.SymEig(values, vectors, work);
            best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalSeconds);
        }

        // Row i of vectors is eigenvector i: the residual of its row of V^T A, and V^T V from the rows.
        cpu.Gemm(work, vectors, a);
        double residual = Norm(work, (i, j) => values.AsSpan<double>()[i] * vectors.Row<double>(i)[j]);
        cpu.Gemm(work, vectors, vectors, transposeB: true);
        double orthogonality = Norm(work, (i, j) => i == j ? 1 : 0);
        double norm = Norm(a, (_, _) => 0);
        return new EigenRow(n, cpu.Threads, best, residual / (n * Epsilon * norm), orthogonality / (n * Epsilon));
    }

    /// <summary>Frobenius norm of x - y.</summary>
    private static double Norm(Tensor x, Func<int, int, double> y)
    {
        double squares = 0;
        for (int i = 0; i < x.Rows; i++)
        {
            Span<double> row = x.Row<double>(i);
            for (int j = 0; j < row.Length; j++)
            {
                double r = row[j] - y(i, j);
                squares += r * r;
            }
        }

        return Math.Sqrt(squares);
    }
}
