using System.Diagnostics;
using System.Globalization;
using NativeEngine.Kernels;
using NativeEngine.Kernels.Cpu;
using NativeEngine.Kernels.Cuda;

namespace NativeEngine;

/// <summary>What every engine call runs in: a device, a reporter, the seconds of each phase, and a way to stop.</summary>
public sealed class Session : IDisposable
{
    private readonly Dictionary<string, double> phases = [];
    private string? phase;
    private long phaseStart;

    /// <summary>Opens <paramref name="device"/> ("cpu", "cuda" or "cuda:n"; null picks a GPU where there is one);
    /// the CPU has <paramref name="threads"/> threads (0 = all).</summary>
    public Session(string? device = null, int threads = 0, IReporter? reporter = null, CancellationToken cancel = default)
    {
        Reporter = reporter ?? SilentReporter.Instance;
        if (threads > Environment.ProcessorCount)
        {
            // More threads than processors wait for each other; the results would be the same.
            Reporter.Notice($"{Environment.ProcessorCount} threads, not {threads}: this machine has no more processors");
            threads = Environment.ProcessorCount;
        }

        Backend = Open(device, threads);
        (WeightMemory, ActivationMemory, ResidualMemory) = (Backend.MemoryBytes / 2, Backend.MemoryBytes / 4, Backend.MemoryBytes / 4);
        Cancel = cancel;
    }

    /// <summary>The device.</summary>
    public IBackend Backend { get; }

    /// <summary>Where progress and notices go.</summary>
    public IReporter Reporter { get; }

    /// <summary>Observed between layers and between batches.</summary>
    public CancellationToken Cancel { get; }

    /// <summary>A model whose weights need more bytes than this is read from disk layer by layer, again for every pass. Default: half of the device's memory.</summary>
    public long WeightMemory { get; init; }

    /// <summary>Bytes for activations that a backward would otherwise compute again. Default: a quarter of the device's memory.</summary>
    public long ActivationMemory { get; set; }

    /// <summary>Bytes for the residual streams of micro-batches that pass through a streamed model together. Default: a quarter of the device's memory.</summary>
    public long ResidualMemory { get; init; }

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

    private static IBackend Open(string? device, int threads)
    {
        if (device == "cpu")
        {
            return new CpuBackend(threads);
        }

        CudaProbe cuda = CudaProbe.Run();
        if (device is null && cuda.Devices.Count == 0)
        {
            return new CpuBackend(threads);
        }

        // A GPU that cannot be used is not passed over in silence: nobody would know why it is slow.
        device ??= "cuda";
        return cuda.Problem is null ? new CudaBackend(Ordinal(device)) : throw new EngineException("NE8001", $"device '{device}' is not usable: {cuda.Problem}")
        {
            Key = "--device",
            Found = device,
            Expected = "cpu",
            Hint = "run with --device cpu",
        };
    }

    /// <summary>n of "cuda:n", 0 of "cuda".</summary>
    private static int Ordinal(string device) => int.Parse(device.Split(':') is [_, string n] ? n : "0", CultureInfo.InvariantCulture);
}
