using System.Diagnostics;

namespace NativeEngine.Kernels.Cpu;

/// <summary>Measures the processor: an op is done when it returns.</summary>
internal sealed class CpuMeter(CpuBackend backend) : DeviceMeter
{
    private static readonly Shape Large = new(4096, 8192); // 128 MiB of F32, more than a cache holds

    private Tensor? evicted;

    /// <inheritdoc/>
    public override string Description => backend.Threads == 1 ? "cpu, 1 thread" : $"cpu, {backend.Threads} threads";

    /// <inheritdoc/>
    public override double Seconds(Action work)
    {
        long start = Stopwatch.GetTimestamp();
        work();
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    /// <inheritdoc/>
    public override double CopyBytesPerSecond()
    {
        using Tensor from = backend.Alloc(DType.F32, Large), to = backend.Alloc(DType.F32, Large);
        backend.Zero(from);
        return 2 * from.Bytes / Median(() => backend.Copy(to, from), fromMemory: false);
    }

    /// <inheritdoc/>
    public override double PeakFlops(DType dtype, long m, long n, long k) => 1e9 * GemmPeak.Measure(dtype, backend.Threads);

    /// <inheritdoc/>
    protected override void EvictCaches() => backend.Zero(evicted ??= backend.Alloc(DType.F32, Large));

    /// <inheritdoc/>
    protected override void Dispose(bool disposing) => evicted?.Dispose();
}
