using System.Diagnostics;
using NativeEngine.Kernels;

namespace NativeEngine;

/// <summary>Books the seconds of a session to its phases. A profiler sees the phases of a GPU as ranges.</summary>
internal sealed class PhaseClock(IBackend backend) : IDisposable
{
    private readonly Dictionary<string, double> seconds = [];
    private string? phase;
    private long start;
    private ProfilerRange? range;

    /// <summary>Whether the device finishes a phase before the next begins.</summary>
    public bool IsExact { get; set; }

    /// <summary>Seconds spent in each phase so far, in the order in which they first began.</summary>
    public IReadOnlyDictionary<string, double> Seconds
    {
        get
        {
            Switch(phase);
            return new Dictionary<string, double>(seconds);
        }
    }

    /// <summary>Books the time from now on to <paramref name="name"/>, or to none; returns the phase it interrupts.</summary>
    public string? Switch(string? name)
    {
        string? before = phase;
        if (!backend.IsHost)
        {
            if (IsExact)
            {
                backend.Synchronize();
            }

            range?.Dispose();
            range = name is null ? null : new ProfilerRange(name);
        }

        long now = Stopwatch.GetTimestamp();
        if (phase is not null)
        {
            seconds[phase] = seconds.GetValueOrDefault(phase) + Stopwatch.GetElapsedTime(start, now).TotalSeconds;
        }

        (phase, start) = (name, now);
        return before;
    }

    /// <inheritdoc/>
    public void Dispose() => range?.Dispose();
}
