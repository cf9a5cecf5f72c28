using NativeEngine.Kernels;
using NativeEngine.Kernels.Cpu;

namespace NativeEngine.Bench;

/// <summary>Speed and accuracy of one symmetric eigendecomposition.</summary>
/// <param name="N">rows and columns</param>
/// <param name="Threads">threads that worked; null on a GPU</param>
/// <param name="Seconds">best of three</param>
/// <param name="Residual">|A V - V L|_F / (n eps |A|_F)</param>
/// <param name="Orthogonality">|V^T V - I|_F / (n eps)</param>
public sealed record EigenRow(int N, int? Threads, double Seconds, double Residual, double Orthogonality);

/// <summary>Result of <c>bench eigen</c>.</summary>
public sealed record EigenBenchResult : BenchResult
{
    /// <summary>One row per number of threads and size.</summary>
    public required IReadOnlyList<EigenRow> Rows { get; init; }
}

/// <summary>Times the eigendecomposition of x x^T, x uniform in -1 .. 1, in fp64.</summary>
public static class EigenBench
{
    private const int Runs = 3;
    private const double Epsilon = 2.220446049250313e-16;

    /// <summary>Runs every size; on the CPU with each of <paramref name="threads"/>.</summary>
    public static EigenBenchResult Run(Session session, IReadOnlyList<int> sizes, IReadOnlyList<int> threads)
    {
        using DeviceMeter own = DeviceMeter.Of(session.Backend);
        List<EigenRow> rows = [];
        if (session.Backend.IsHost)
        {
            foreach (int count in threads)
            {
                using var cpu = new CpuBackend(count);
                using DeviceMeter meter = DeviceMeter.Of(cpu);
                rows.AddRange(sizes.Select(n => Measure(session, cpu, meter, n, count)));
            }
        }
        else
        {
            rows.AddRange(sizes.Select(n => Measure(session, session.Backend, own, n, null)));
        }

        return new EigenBenchResult { Command = "bench eigen", Device = own.Description, Rows = rows };
    }

    private static EigenRow Measure(Session session, IBackend backend, DeviceMeter meter, int n, int? threads)
    {
        var shape = new Shape(n, n);
        using Tensor a = backend.Alloc(DType.F64, shape), work = backend.Alloc(DType.F64, shape), vectors = backend.Alloc(DType.F64, shape);
        using Tensor values = backend.Alloc(DType.F64, new Shape(n));
        backend.Uniform(work, 1, 0);
        backend.Gemm(a, work, work, transposeB: true);
        double best = double.PositiveInfinity;
        for (int run = 0; run < Runs; run++)
        {
            session.Cancel.ThrowIfCancellationRequested();
            backend.Copy(work, a);
            backend.Synchronize();
            best = Math.Min(best, meter.Seconds(() => backend.SymEig(values, vectors, work)));
        }

        // Row i of vectors is eigenvector i: V A - L V and V V^T - I, with L and I as matrices.
        using Tensor diagonal = backend.Alloc(DType.F64, shape);
        SetDiagonal(backend, diagonal, values);
        backend.Gemm(work, vectors, a);
        backend.Gemm(work, diagonal, vectors, alpha: -1, beta: 1);
        double residual = Math.Sqrt(backend.SumOfSquares(work));
        using Tensor ones = backend.Upload<double>(new Shape(n), [.. Enumerable.Repeat(1.0, n)]);
        SetDiagonal(backend, work, ones);
        backend.Gemm(work, vectors, vectors, transposeB: true, beta: -1);
        double orthogonality = Math.Sqrt(backend.SumOfSquares(work)), norm = Math.Sqrt(backend.SumOfSquares(a));
        return new EigenRow(n, threads, best, residual / (n * Epsilon * norm), orthogonality / (n * Epsilon));
    }

    private static void SetDiagonal(IBackend backend, Tensor matrix, Tensor values)
    {
        backend.Zero(matrix);
        backend.Copy(matrix.Diagonal(), values.Reshape(new Shape(values.Columns, 1)));
    }
}
