using System.Runtime.InteropServices;

namespace NativeEngine.Cli;

/// <summary>
/// SIGINT, SIGTERM and SIGHUP: the first cancels <see cref="Token"/>, so that the run ends between two layers and cleans up;
/// the second ends the process at once.
/// </summary>
internal sealed partial class Interruption : IDisposable
{
    // The limit of "ulimit -f": left alone the signal kills the process; ignored, the write fails with EFBIG and is reported.
    private const int SigXfsz = 25;
    private const int SigHup = 1;
    private const nint SigIgn = 1;

    private readonly CancellationTokenSource source = new();
    private readonly List<PosixSignalRegistration> registrations = [];
    private int exitCode;

    /// <summary>Cancelled by the first signal.</summary>
    public CancellationToken Token => source.Token;

    /// <summary>128 + the number of the first signal; 0 while there was none.</summary>
    public int ExitCode => exitCode;

    /// <summary>Name of the first signal.</summary>
    public string Signal => exitCode switch { 129 => "SIGHUP", 130 => "SIGINT", 143 => "SIGTERM", _ => "a cancelled call" };

    /// <summary>Handles the signals of this process. Since .NET 10 nothing handles SIGTERM unless someone registers.</summary>
    public static Interruption OnSignals()
    {
        Interruption interruption = new();
        foreach (PosixSignal signal in (ReadOnlySpan<PosixSignal>)[PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGHUP])
        {
            if (!IsIgnored(signal))
            {
                interruption.registrations.Add(PosixSignalRegistration.Create(signal, context =>
                {
                    context.Cancel = true;
                    if (!interruption.Raise(signal))
                    {
                        Environment.Exit(interruption.ExitCode);
                    }
                }));
            }
        }

        if (!OperatingSystem.IsWindows())
        {
            _ = SetHandler(SigXfsz, SigIgn);
        }

        return interruption;
    }

    /// <summary>Takes a signal; false for the second one.</summary>
    public bool Raise(PosixSignal signal)
    {
        int code = signal switch { PosixSignal.SIGHUP => 129, PosixSignal.SIGINT => 130, _ => 143 };
        if (Interlocked.CompareExchange(ref exitCode, code, 0) != 0)
        {
            return false;
        }

        source.Cancel();
        return true;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        registrations.ForEach(registration => registration.Dispose());
        source.Dispose();
    }

    [LibraryImport("libc", EntryPoint = "signal")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial nint SetHandler(int signal, nint handler);

    // A parent that ignores a signal for us (nohup) wants the run to outlive it; registering would take that away.
    private static bool IsIgnored(PosixSignal signal)
    {
        if (OperatingSystem.IsWindows() || signal != PosixSignal.SIGHUP)
        {
            return false;
        }

        // What a signal does can only be learnt by changing it.
        nint before = SetHandler(SigHup, SigIgn);
        if (before != SigIgn)
        {
            _ = SetHandler(SigHup, before);
        }

        return before == SigIgn;
    }
}
