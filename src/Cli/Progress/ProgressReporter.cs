using System.Globalization;
using NativeEngine.Cli.Output;

namespace NativeEngine.Cli.Progress;

/// <summary>
/// Draws a run on standard error: one line that is redrawn on a terminal, plain lines now and then elsewhere, nothing when quiet.
/// Calls may come from any thread.
/// </summary>
/// <param name="error">standard error</param>
/// <param name="terminal">what is behind it; null is quiet</param>
/// <param name="log">told everything, quiet or not</param>
/// <param name="time">the clock</param>
internal sealed class ProgressReporter(TextWriter error, Terminal? terminal, LogFile? log, TimeProvider time) : IReporter, IDisposable
{
    private const string EraseLine = "\r\e[K";
    private const int BarCells = 20;

    private static readonly TimeSpan RedrawInterval = TimeSpan.FromSeconds(0.1);
    private static readonly TimeSpan LineInterval = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan LogInterval = TimeSpan.FromSeconds(1);

    private readonly Lock gate = new();
    private readonly HashSet<string> announced = [];
    private readonly List<string> notices = [];
    private readonly long started = time.GetTimestamp();
    private readonly bool redraws = terminal is { Width: > 0 };
    private string phase = "";
    private string? detail;
    private long total;
    private long done;
    private (long Done, long At)? first;
    private long phaseStarted;
    private long? shown;
    private long? logged;
    private bool drawn;

    /// <summary>Every notice once, quiet or not, in order.</summary>
    public IReadOnlyList<string> Notices => notices;

    /// <inheritdoc/>
    public void Phase(string name, long total, long done = 0)
    {
        lock (gate)
        {
            (phase, this.total, this.done, detail, first, phaseStarted) = (name, total, done, null, null, time.GetTimestamp());
            log?.Phase(name, total);

            // A plain line for the first of many short phases of one name, not for each.
            Show(now: announced.Add(name));
        }
    }

    /// <inheritdoc/>
    public void Step(long done, string? detail = null)
    {
        lock (gate)
        {
            (this.done, this.detail) = (done, detail);
            if (log is not null && IsDue(ref logged, LogInterval))
            {
                log.Step(phase, done, total, detail);
            }

            Show(now: !redraws && done == total);
            first ??= (done, time.GetTimestamp());
        }
    }

    /// <inheritdoc/>
    public void Notice(string message)
    {
        lock (gate)
        {
            // Several sessions of one run may find the same thing.
            if (notices.Contains(message))
            {
                return;
            }

            notices.Add(message);
            log?.Notice(message);
            if (terminal is not null)
            {
                Erase();
                error.WriteLine($"note: {Untrusted.Escape(message)}");
            }
        }
    }

    /// <summary>Takes the line off the terminal.</summary>
    public void Dispose()
    {
        lock (gate)
        {
            Erase();
        }
    }

    private void Show(bool now)
    {
        if (terminal is null || (!IsDue(ref shown, redraws ? RedrawInterval : LineInterval) && !now))
        {
            return;
        }

        shown = time.GetTimestamp();
        string count = total > 0 ? $" {done}/{total}" : "";
        string tail = Untrusted.Escape($"{count}{(detail is null ? "" : " " + detail)}");
        if (!redraws)
        {
            error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"[{time.GetElapsedTime(started).TotalSeconds,6:0.0} s] {Untrusted.Escape(phase)}{tail}"));
            return;
        }

        string line = $"{Untrusted.Escape(phase)}{Bar()}{tail}{TimeLeft()}";
        error.Write(EraseLine + line[..Math.Min(line.Length, terminal.Value.Width - 1)]);
        drawn = true;
    }

    private string Bar()
    {
        int filled = total > 0 ? (int)(BarCells * Math.Clamp((double)done / total, 0, 1)) : 0;
        return total > 0 ? $" [{new string('#', filled)}{new string('.', BarCells - filled)}]" : "";
    }

    /// <summary>Judged by what was done since the first report: a run that is resumed begins far from zero, and the first step is often a slow one.</summary>
    private string TimeLeft()
    {
        (long from, long since) = first ?? (0, phaseStarted);
        return done > from && done < total ? $"  {Format.Clock(time.GetElapsedTime(since) * ((double)(total - done) / (done - from)))} left" : "";
    }

    private bool IsDue(ref long? last, TimeSpan interval)
    {
        if (last is { } then && time.GetElapsedTime(then) < interval)
        {
            return false;
        }

        last = time.GetTimestamp();
        return true;
    }

    private void Erase()
    {
        if (drawn)
        {
            error.Write(EraseLine);
            drawn = false;
        }
    }
}
