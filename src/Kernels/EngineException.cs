namespace NativeEngine;

/// <summary>How a run ended, as the process exit code. Stable and documented.</summary>
public enum ExitCode
{
    /// <summary>Done.</summary>
    Ok = 0,

    /// <summary>A defect of the engine.</summary>
    InternalBug = 1,

    /// <summary>The command line is wrong.</summary>
    Usage = 2,

    /// <summary>An input is broken.</summary>
    InvalidInput = 3,

    /// <summary>An input is valid and not supported.</summary>
    Unsupported = 4,

    /// <summary>Reading or writing failed, or is not permitted.</summary>
    Io = 5,

    /// <summary>No space left, or over quota.</summary>
    NoSpace = 6,

    /// <summary>Out of memory.</summary>
    OutOfMemory = 7,

    /// <summary>The machine lacks something that was asked for.</summary>
    Environment = 8,

    /// <summary>The GPU failed; run again elsewhere.</summary>
    GpuFault = 9,

    /// <summary>NaN, infinity, or a factorisation that does not exist.</summary>
    Numerical = 10,

    /// <summary>The output exists or is locked.</summary>
    OutputExists = 11,

    /// <summary>A resumed run differs from the one that was interrupted.</summary>
    ResumeMismatch = 12,

    /// <summary>A gate that the user set was not met.</summary>
    GateFailed = 13,
}

/// <summary>
/// What the engine throws for something its user can change, and nothing else: what, where, found, allowed, what to do.
/// The code is <c>NE</c>, the exit code, and three digits: NE3007 ends the process with 3.
/// </summary>
public class EngineException : Exception
{
    /// <summary>Makes the error <paramref name="code"/> with a message of one line.</summary>
    public EngineException(string code, string message, Exception? inner = null) : base(message, inner)
    {
        ArgumentNullException.ThrowIfNull(code);
        Code = code;
        Exit = (ExitCode)int.Parse(code.AsSpan(2, code.Length - 5), System.Globalization.CultureInfo.InvariantCulture);
    }

    /// <summary>Stable identifier, such as NE3007.</summary>
    public string Code { get; }

    /// <summary>The process exit code that follows from <see cref="Code"/>.</summary>
    public ExitCode Exit { get; }

    /// <summary>The file at fault.</summary>
    public string? File { get; init; }

    /// <summary>The tensor, field or option at fault.</summary>
    public string? Key { get; init; }

    /// <summary>What is allowed there.</summary>
    public string? Expected { get; init; }

    /// <summary>What was found there.</summary>
    public string? Found { get; init; }

    /// <summary>What to do next.</summary>
    public string? Hint { get; init; }
}
