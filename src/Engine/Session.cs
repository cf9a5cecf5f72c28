using NativeEngine.Kernels;

namespace NativeEngine;

/// <summary>What every engine call runs in: a device, a reporter, the seconds of each phase, and a way to stop.</summary>
public sealed class Session : IDisposable
{
    private const int MostHalvings = 6;

    private readonly PhaseClock clock;
    private int halvings;

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

        Backend = Devices.Open(device, threads, out string? remark);
        DeviceRemark = remark;
        clock = new PhaseClock(Backend);

        // Residual streams are held where weights are not, so this is three quarters at most: the rest is for logits, gradients and scratch.
        (WeightMemory, ActivationMemory, ResidualMemory) = (Backend.MemoryBytes / 2, Backend.MemoryBytes / 4, Backend.MemoryBytes / 4);
        Cancel = cancel;
    }

    /// <summary>The device.</summary>
    public IBackend Backend { get; }

    /// <summary>What the user should know about the choice of the device, such as why there is no GPU; null for nothing.</summary>
    public string? DeviceRemark { get; }

    /// <summary>What models compute in; null for F32 on the CPU and, on a GPU, for the type that a model is stored in.</summary>
    public DType? DType { get; init; }

    /// <summary>Whether the device computes in BF16 and F16.</summary>
    public bool ComputesIn16Bits => Backend.Supports(Op.Attention, Kernels.DType.BF16);

    /// <summary><see cref="DType"/> for <see cref="Model.CausalModel.Open"/>: null for the type that a model is stored in.</summary>
    internal DType? ComputeType => DType ?? (ComputesIn16Bits ? null : Kernels.DType.F32);

    /// <summary>Where progress and notices go.</summary>
    public IReporter Reporter { get; }

    /// <summary>Observed between layers and between batches.</summary>
    public CancellationToken Cancel { get; }

    /// <summary>A model whose weights need more bytes than this is read from disk layer by layer, again for every pass. Default: half of the device's memory.</summary>
    public long WeightMemory { get; init; }

    /// <summary>Bytes for activations that a backward would otherwise compute again, halved with the rows of <see cref="Fit"/>. Default: a quarter of the device's memory.</summary>
    public long ActivationMemory { get => field >> halvings; set; }

    /// <summary>Bytes for residual streams that are held at once while layers are streamed from disk; halved likewise.</summary>
    public long SignalMemory => 1L << 30 >> halvings;

    /// <summary>Bytes for the residual streams of micro-batches that pass through a streamed model together. Default: a quarter of the device's memory.</summary>
    public long ResidualMemory { get => field >> halvings; init; }

    /// <summary>Whether a device finishes a phase before the next begins, which otherwise reads files while the device is still at work.</summary>
    public bool ExactPhases { get => clock.IsExact; set => clock.IsExact = value; }

    /// <summary>Seconds spent in each phase so far, in the order in which they first began.</summary>
    public IReadOnlyDictionary<string, double> Phases => clock.Seconds;

    /// <summary>Begins (or resumes) a phase of <paramref name="total"/> steps, <paramref name="done"/> of them done before, and tells the reporter.</summary>
    public void Phase(string name, long total = 0, long done = 0)
    {
        Switch(name);
        Reporter.Phase(name, total, done);
    }

    /// <summary>Books the time from now on to <paramref name="name"/> without telling the reporter; returns the phase it interrupts.</summary>
    public string? Switch(string? name) => clock.Switch(name);

    /// <summary>
    /// Does <paramref name="work"/> with <paramref name="rows"/> rows at a time; where memory runs out, again with half as many, as does everything behind it
    /// in this session. What cannot be halved any more, or was six times, ends with the error of the memory.
    /// The work must leave nothing behind when it throws. What it adds up is the same; sums over rows can differ in their last bits.
    /// </summary>
    public T Fit<T>(int rows, Func<int, T> work)
    {
        ArgumentNullException.ThrowIfNull(work);
        while (true)
        {
            int now = Math.Max(1, rows >> halvings);
            try
            {
                return work(now);
            }
            catch (Exception e) when (now > 1 && halvings < MostHalvings && e is OutOfMemoryException or EngineException { Exit: ExitCode.OutOfMemory })
            {
                halvings++;
                Reporter.Notice($"{now} rows at a time do not fit the memory of {Backend.Name}, half as many are tried: {e.Message}");
            }

            Backend.Trim();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        clock.Dispose();
        Backend.Dispose();
    }
}
