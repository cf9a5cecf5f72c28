using NativeEngine.Kernels;
using NativeEngine.Kernels.Cpu;
using NativeEngine.Kernels.Cuda;
using NativeEngine.Slice;

namespace NativeEngine.Bench;

/// <summary>Speed and accuracy of one way to the eigenvectors of a symmetric matrix, or to the subspace of the largest.</summary>
/// <param name="N">rows and columns</param>
/// <param name="Threads">threads that worked; null on a GPU</param>
/// <param name="Method">exact (Xsyevd on a GPU), batched (cusolverDnXsyevBatched, one matrix) or projector (to seven tenths of the vectors)</param>
/// <param name="Seconds">best of three; null, as all figures, where there is no result</param>
/// <param name="Residual">|V A - L V|_F / (n eps |A|_F); L is V A V^T of a subspace</param>
/// <param name="Orthogonality">|V V^T - I|_F / (n eps)</param>
/// <param name="EnergyGap">how much less than those of the exact method the first seven tenths of the vectors hold, relative</param>
/// <param name="Problem">why there is no result</param>
public sealed record EigenRow(int N, int? Threads, string Method, double? Seconds, double? Residual, double? Orthogonality, double? EnergyGap, string? Problem = null);

/// <summary>Result of <c>bench eigen</c>.</summary>
public sealed record EigenBenchResult : BenchResult
{
    /// <summary>One row per number of threads, size and method.</summary>
    public required IReadOnlyList<EigenRow> Rows { get; init; }
}

/// <summary>Times the eigendecomposition of x x^T, x uniform in -1 .. 1, in fp64, and what can stand in for it.</summary>
public static class EigenBench
{
    private const int Runs = 3;
    private const double Kept = 0.7;
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
                rows.AddRange(sizes.SelectMany(n => new Case(session, cpu, meter, n, count).Rows()));
            }
        }
        else
        {
            rows.AddRange(sizes.SelectMany(n => new Case(session, session.Backend, own, n, null).Rows()));
        }

        return new EigenBenchResult { Command = "bench eigen", Device = own.Description, Rows = rows };
    }

    /// <summary>One size with one number of threads.</summary>
    private sealed class Case(Session session, IBackend backend, DeviceMeter meter, int n, int? threads)
    {
        private readonly Shape square = new(n, n);
        private readonly long kept = Math.Max(1, (long)(Kept * n));

        public List<EigenRow> Rows()
        {
            using Tensor a = backend.Alloc(DType.F64, square), work = backend.Alloc(DType.F64, square), vectors = backend.Alloc(DType.F64, square);
            using Tensor values = backend.Alloc(DType.F64, new Shape(n));
            backend.Uniform(work, 1, 0);
            backend.Gemm(a, work, work, transposeB: true);
            double seconds = Best(() => backend.SymEig(values, vectors, work), () => backend.Copy(work, a));
            double energy = Energy(a, vectors.RowRange(n - kept, kept));
            List<EigenRow> rows = [Row("exact", seconds, a, vectors, energy)];
            if (backend is CudaBackend cuda)
            {
                rows.Add(CudaBackend.SymEigBatchedProblem is { } problem ? Missing("batched", problem)
                    : Row("batched", Best(() => cuda.SymEigBatched(values, vectors, work), () => backend.Copy(work, a)), a, vectors, energy));
            }

            rows.Add(Projector(a, energy));
            return rows;
        }

        private EigenRow Projector(Tensor a, double energy)
        {
            var projector = new SpectralProjector(backend, 42);
            Projection found = new(null, 0, 0);
            double seconds = Best(() => found = projector.Top(a, kept), () => found.Rows?.Dispose());
            using Tensor? rows = found.Rows;
            return rows is null ? Missing("projector", found.Problem!) : Row("projector", seconds, a, rows, energy);
        }

        private EigenRow Missing(string method, string problem) => new(n, threads, method, null, null, null, null, problem);

        private double Best(Action run, Action prepare)
        {
            double best = double.PositiveInfinity;
            for (int i = 0; i < Runs; i++)
            {
                session.Cancel.ThrowIfCancellationRequested();
                prepare();
                backend.Synchronize();
                best = Math.Min(best, meter.Seconds(run));
            }

            return best;
        }

        /// <summary>Row i of v is vector i, largest eigenvalue last. (K,N)</summary>
        private EigenRow Row(string method, double seconds, Tensor a, Tensor v, double energy)
        {
            using Tensor image = backend.Alloc(DType.F64, v.Shape), small = backend.Alloc(DType.F64, new Shape(v.Rows, v.Rows));
            backend.Gemm(image, v, a);
            backend.Gemm(small, image, v, transposeB: true);
            if (v.Rows == n)
            {
                DiagonalOnly(small);
            }

            backend.Gemm(image, small, v, alpha: -1, beta: 1);
            double residual = Math.Sqrt(backend.SumOfSquares(image)), norm = Math.Sqrt(backend.SumOfSquares(a));
            backend.Zero(small);
            using Tensor ones = backend.Upload<double>(new Shape(v.Rows, 1), [.. Enumerable.Repeat(1.0, (int)v.Rows)]);
            backend.Copy(small.Diagonal(), ones);
            backend.Gemm(small, v, v, transposeB: true, beta: -1);
            double orthogonality = Math.Sqrt(backend.SumOfSquares(small)), gap = 1 - Energy(a, v.RowRange(v.Rows - kept, kept)) / energy;
            return new EigenRow(n, threads, method, seconds, residual / (n * Epsilon * norm), orthogonality / (n * Epsilon), gap);
        }

        /// <summary>tr V A V^T</summary>
        private double Energy(Tensor a, Tensor v)
        {
            using Tensor image = backend.Alloc(DType.F64, v.Shape), small = backend.Alloc(DType.F64, new Shape(v.Rows, v.Rows));
            backend.Gemm(image, v, a);
            backend.Gemm(small, image, v, transposeB: true);
            return backend.Download<double>(small.Diagonal()).Sum();
        }

        private void DiagonalOnly(Tensor matrix)
        {
            using Tensor diagonal = backend.Alloc(DType.F64, new Shape(matrix.Rows, 1));
            backend.Copy(diagonal, matrix.Diagonal());
            backend.Zero(matrix);
            backend.Copy(matrix.Diagonal(), diagonal);
        }
    }
}
