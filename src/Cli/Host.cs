using System.CommandLine;
using NativeEngine.Cli.Options;
using NativeEngine.Cli.Output;
using NativeEngine.Cli.Progress;

namespace NativeEngine.Cli;

/// <summary>What a command runs in: where it writes, what it calls, what stops it. Tests put their own pieces in.</summary>
internal sealed class Host(TextWriter output, TextWriter error)
{
    private readonly long started = TimeProvider.System.GetTimestamp();

    /// <summary>Results.</summary>
    public TextWriter Out { get; } = output;

    /// <summary>Progress, notices, errors.</summary>
    public TextWriter Error { get; } = error;

    /// <summary>What progress is drawn on.</summary>
    public Terminal Terminal { get; init; }

    /// <summary>The clock of progress lines and of the log file.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>The engine.</summary>
    public EngineCalls Engine { get; init; } = new();

    /// <summary>What the signals said.</summary>
    public Interruption Interruption { get; init; } = new();

    /// <summary>Runs a verb in a session of its own and prints its result.</summary>
    public int Run<T>(ParseResult parse, CommonOptions common, Func<Session, T> call, Action<T, Report> print, bool progress = true) where T : RunResult =>
        Report(parse, common, reporter =>
        {
            using Session session = common.Open(parse, reporter, Interruption.Token);
            return call(session);
        }, print, progress);

    /// <summary>
    /// Runs something that opens its own sessions, or none, and prints its result.
    /// Without <paramref name="progress"/> it is as silent as with --quiet, for verbs that stream their result.
    /// </summary>
    public int Report<T>(ParseResult parse, CommonOptions common, Func<IReporter, T> call, Action<T, Report> print, bool progress = true) where T : RunResult
    {
        using LogFile? log = common.OpenLog(parse, Time);
        log?.Start(parse);
        try
        {
            T result;
            Terminal? terminal = progress && !parse.GetValue(common.Quiet) ? Terminal : null;
            using (ProgressReporter reporter = new(Error, terminal, log, Time))
            {
                result = call(reporter);
                result.Notices = reporter.Notices is { Count: > 0 } notices ? notices : null;
            }

            result.Seconds = TimeProvider.System.GetElapsedTime(started).TotalSeconds;
            result.PeakRssBytes = ProcessInfo.PeakResidentBytes();
            if (parse.GetValue(common.Json))
            {
                Out.WriteLine(Json.Write(result));
            }
            else
            {
                print(result, new Report(Out));
            }

            log?.Finish(0);
            return 0;
        }
        catch (Exception e)
        {
            Failure failure = Failure.Of(e, Interruption);
            log?.Finish(failure.Exit, failure.Line);
            throw;
        }
    }
}
