using System.Globalization;
using System.Text;

namespace NativeEngine.Cli;

/// <summary>Why a run did not end well, with every fact that is known, as an exit code, one line, and a JSON object.</summary>
internal sealed record Failure(string Code, int Exit, string Message)
{
    public string? File { get; init; }

    public string? Key { get; init; }

    public string? Expected { get; init; }

    public string? Found { get; init; }

    public string? Hint { get; init; }

    /// <summary>True where the same command may succeed later, with nothing changed but the state of the machine.</summary>
    public bool Retryable { get; init; }

    /// <summary>For --verbose.</summary>
    public string? Stack { get; init; }

    /// <summary><c>error NE3007: message (file: F, key: K, found X, allowed Y). hint</c></summary>
    public string Line
    {
        get
        {
            StringBuilder line = new($"error {Code}: {Message.TrimEnd('.')}");
            string facts = string.Join(", ", new[] { ("file: ", File), ("key: ", Key), ("found ", Found), ("allowed ", Expected) }
                .Where(fact => fact.Item2 is not null)
                .Select(fact => fact.Item1 + fact.Item2));
            if (facts.Length > 0)
            {
                line.Append(CultureInfo.InvariantCulture, $" ({facts})");
            }

            if (Hint is not null)
            {
                line.Append(". ").Append(Hint);
            }

            return Untrusted.Escape(line.ToString());
        }
    }

    /// <summary>Finds the exit code of any exception.</summary>
    public static Failure Of(Exception exception, Interruption interruption) => exception switch
    {
        EngineException e => new(e.Code, (int)e.Exit, e.Message)
        {
            File = e.File,
            Key = e.Key,
            Expected = e.Expected,
            Found = e.Found,
            Hint = e.Hint,
            Retryable = e.Exit is ExitCode.NoSpace or ExitCode.OutOfMemory or ExitCode.GpuFault,
            Stack = e.ToString(),
        },
        AggregateException { InnerException: { } inner } => Of(inner, interruption),
        OperationCanceledException => Interrupted(interruption),
        OutOfMemoryException => Known(exception, ExitCode.OutOfMemory, "the machine ran out of memory") with
        {
            Retryable = true,
            Hint = "use a smaller --batch or --samples, or a machine with more memory",
        },
        _ when DiskSpace.IsLacking(exception) => Known(exception, ExitCode.NoSpace, exception.Message) with
        {
            Retryable = true,
            Hint = "free some space, or write elsewhere; nothing partial was kept",
        },
        IOException or UnauthorizedAccessException => Known(exception, ExitCode.Io, exception.Message) with { File = (exception as FileNotFoundException)?.FileName },
        _ => Known(exception, ExitCode.InternalBug, $"internal error: {exception.GetType().Name}: {exception.Message}") with
        {
            Hint = "this is a defect of the engine; --verbose shows where",
        },
    };

    private static Failure Known(Exception e, ExitCode exit, string message) => new($"NE{(int)exit}000", (int)exit, message) { Stack = e.ToString() };

    private static Failure Interrupted(Interruption interruption)
    {
        int exit = interruption.ExitCode == 0 ? 130 : interruption.ExitCode;
        return new($"NE{exit}000", exit, $"stopped by {interruption.Signal}; no partial output is left behind") { Retryable = true };
    }
}
