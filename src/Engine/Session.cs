using System.Diagnostics;
using NativeEngine.Kernels;
using NativeEngine.Kernels.Cpu;

namespace NativeEngine;

/// <summary>What every engine call runs in: a device, a reporter, the seconds of each phase, and a way to stop.</summary>
public sealed class Session : IDisposable
{
    private readonly Dictionary<string, double> phases = [];
    private string? phase;
    private long phaseStart;

    /// <summary>Opens <paramref name="device"/> ("cpu"; null picks the best one) with <paramref name="threads"/> threads (0 = all).</summary>
    public Session(string? device = null, int threads = 0, IReporter? reporter = null, CancellationToken cancel = default)
    {
        if (device is not (null or "cpu"))
        {
            string why = CudaProbe.Run() is { Devices.Count: 0, Problem: { } problem } ? problem : "this build has no CUDA back-end";
            throw new EngineException("NE8001", $"device '{device}' is not usable: {why}")
            {
                Key = "--device",
                Found = device,
                Expected = "cpu",
                Hint = "run with --device cpu",
            };
        }

        Reporter = reporter ?? SilentReporter.Instance;
        if (threads > Environment.ProcessorCount)
        {
            // More threads than processors wait for each other; the results would be the same.
            Reporter.Notice($"{Environment.ProcessorCount} threads, not {threads}: this machine has no more processors");
            threads = Environment.ProcessorCount;
        }

        Backend = new CpuBackend(threads);
        Cancel = cancel;
    }

    /// <summary>The device.</summary>
    public IBackend Backend { get; }

    /// <summary>Where progress and notices go.</summary>
    public IReporter Reporter { get; }

    /// <summary>Observed between layers and between batches.</summary>
    public CancellationToken Cancel { get; }

    /// <summary>A model whose weights need more bytes than this is read from disk layer by layer, again for every pass. Default: half of the memory.</summary>
    public long WeightMemory { get; init; } = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 2;

    /// <summary>Bytes for activations that a backward would otherwise compute again. Default: a quarter of the memory.</summary>
    public long ActivationMemory { get; set; } = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 4;

    /// <summary>Seconds spent in each phase so far, in the order in which they first began.</summary>
    public IReadOnlyDictionary<string, double> Phases
    {
        get
        {
            Switch(phase);
            return new Dictionary<string, double>(phases);
        }
    }

    /// <summary>Begins (or resumes) a phase of <paramref name="total"/> steps and tells the reporter.</summary>
    public void Phase(string name, long total = 0)
    {
        Switch(name);
        Reporter.Phase(name, total);
    }

    /// <summary>Books the time from now on to <paramref name="name"/> without telling the reporter; returns the phase it interrupts.</summary>
    public string? Switch(string? name)
    {
        string? before = phase;
        long now = Stopwatch.GetTimestamp();
        if (phase is not null)
        {
            phases[phase] = phases.GetValueOrDefault(phase) + Stopwatch.GetElapsedTime(phaseStart, now).TotalSeconds;
        }

        (phase, phaseStart) = (name, now);
        return before;
    }

    /// <inheritdoc/>
    public void Dispose() => Backend.Dispose();
}
