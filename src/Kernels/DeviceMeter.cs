using NativeEngine.Kernels.Cpu;
using NativeEngine.Kernels.Cuda;

namespace NativeEngine.Kernels;

/// <summary>How long work takes on a device, and what the device can do at best, measured now: what benchmarks report and divide by.</summary>
public abstract class DeviceMeter : IDisposable
{
    private const int LeastRuns = 3, MostRuns = 31;
    private const double SecondsPerMedian = 0.5;

    /// <summary>A meter of the device of <paramref name="backend"/>, which has to outlive it.</summary>
    public static DeviceMeter Of(IBackend backend) => backend switch
    {
        CpuBackend cpu => new CpuMeter(cpu),
        CudaBackend cuda => new CudaMeter(cuda),
        _ => throw new ArgumentException($"{backend.Name} cannot be measured"),
    };

    /// <summary>The device in words.</summary>
    public abstract string Description { get; }

    /// <summary>Seconds that the device takes for what <paramref name="work"/> asks of it.</summary>
    public abstract double Seconds(Action work);

    /// <summary>Bytes read and written in a second by the fastest copy that there is, from memory to memory.</summary>
    public abstract double CopyBytesPerSecond();

    /// <summary>Floating-point operations in a second: of independent multiply-adds on a CPU, of the best product that cuBLASLt has for these sizes on a GPU.</summary>
    public abstract double PeakFlops(DType dtype, long m, long n, long k);

    /// <summary>The median of several runs, after some that do not count: code is compiled, clocks rise.</summary>
    /// <param name="work">what is timed</param>
    /// <param name="fromMemory">what the caches hold is evicted before each run</param>
    public double Median(Action work, bool fromMemory)
    {
        double warm = 0;
        for (int i = 0; i < LeastRuns || (i < MostRuns && warm < SecondsPerMedian / 4); i++)
        {
            warm += Seconds(work);
        }

        List<double> seconds = [];
        while (seconds.Count < LeastRuns || (seconds.Count < MostRuns && seconds.Sum() < SecondsPerMedian))
        {
            if (fromMemory)
            {
                EvictCaches();
            }

            seconds.Add(Seconds(work));
        }

        seconds.Sort();
        return seconds[seconds.Count / 2];
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Writes more memory than the caches hold.</summary>
    protected abstract void EvictCaches();

    /// <summary>Gives the meter's memory back.</summary>
    protected abstract void Dispose(bool disposing);
}
