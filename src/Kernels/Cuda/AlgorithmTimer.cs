using NativeEngine.Kernels.Interop;

namespace NativeEngine.Kernels.Cuda;

/// <summary>
/// Picks the fastest of several algorithms for a product. They cut and order its sums differently, and which one wins is chance where they are close: the
/// last bits would differ from run to run, an interrupted run would not resume to the same bytes. So cuBLASLt's first choice, which follows from shapes
/// alone, is the default, and time decides only where <see cref="Variable"/> is 1. (bench gemm says how far the default is from the fastest.)
/// </summary>
internal sealed class AlgorithmTimer : IDisposable
{
    /// <summary>1 has big products choose by time.</summary>
    public const string Variable = "NATIVEENGINE_GEMM_TIMING";

    /// <summary>Algorithms that are worth a try.</summary>
    public const int Candidates = 8;

    private const double LeastFlops = 1e9; // below, a launch takes as long as the product
    private const int Runs = 3;

    private readonly Owned owned = new();
    private readonly CudaStream stream;
    private readonly DevicePool pool;
    private readonly CudaEvent start, end;

    /// <summary>Measures on <paramref name="stream"/>; results go to memory of <paramref name="pool"/>.</summary>
    public AlgorithmTimer(CudaContext context, CudaStream stream, DevicePool pool)
    {
        (this.stream, this.pool) = (stream, pool);
        try
        {
            start = owned.Add(new CudaEvent(context, timing: true));
            end = owned.Add(new CudaEvent(context, timing: true));
        }
        catch
        {
            owned.Dispose();
            throw;
        }
    }

    /// <summary>Whether to choose by time is worth it for so many operations.</summary>
    public static bool IsWorth(double flops) => flops >= LeastFlops;

    /// <summary>The fastest, by the time of <paramref name="run"/>, which is handed an address for a result of <paramref name="bytes"/>.</summary>
    public MatmulAlgorithm Fastest(IReadOnlyList<MatmulAlgorithm> candidates, long bytes, Action<MatmulAlgorithm, nint> run)
    {
        nint result = pool.Take(bytes); // the real one may be a term of the product, and must outlive the trials
        try
        {
            return candidates.MinBy(candidate => Seconds(() => run(candidate, result)));
        }
        finally
        {
            pool.Give(result, bytes);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => owned.Dispose();

    private double Seconds(Action run)
    {
        run();
        start.Record(stream);
        for (int i = 0; i < Runs; i++)
        {
            run();
        }

        end.Record(stream);
        end.Synchronize();
        return end.SecondsSince(start);
    }
}
