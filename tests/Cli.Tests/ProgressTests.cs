using System.Text.Json;
using NativeEngine.Cli.Progress;

namespace NativeEngine.Cli.Tests;

public sealed class ProgressTests : IDisposable
{
    private readonly StoppedClock clock = new();
    private readonly StringWriter error = new() { NewLine = "\n" };

    public void Dispose() => error.Dispose();

    [Fact]
    public void Plain_lines_are_few()
    {
        using (ProgressReporter reporter = new(error, default(Terminal), null, clock))
        {
            clock.Advance(3.2);
            reporter.Phase("forward", 12);
            for (int layer = 1; layer <= 12; layer++)
            {
                clock.Advance(1);
                reporter.Step(layer, $"layer {layer - 1}");
            }

            reporter.Phase("write", 0);
            reporter.Phase("forward", 12);
        }

        Assert.Equal(
            """
            [   3.2 s] forward 0/12
            [   6.2 s] forward 3/12 layer 2
            [   9.2 s] forward 6/12 layer 5
            [  12.2 s] forward 9/12 layer 8
            [  15.2 s] forward 12/12 layer 11
            [  15.2 s] write

            """.ReplaceLineEndings("\n"),
            error.ToString());
    }

    [Fact]
    public void A_phase_that_is_resumed_begins_where_it_was()
    {
        using ProgressReporter reporter = new(error, default(Terminal), null, clock);
        reporter.Phase("tune", 400, done: 4);
        Assert.Equal("[   0.0 s] tune 4/400\n", error.ToString());
    }

    [Fact]
    public void Time_left_is_judged_by_the_steps_of_this_run()
    {
        using ProgressReporter reporter = new(error, new Terminal(80), null, clock);
        reporter.Phase("tune", 600);
        foreach (int step in (int[])[501, 502, 503])
        {
            clock.Advance(step == 501 ? 20 : 10);
            reporter.Step(step);
        }

        Assert.EndsWith("503/600  16:10 left", error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Terminal_gets_one_line_that_is_taken_away()
    {
        using (ProgressReporter reporter = new(error, new Terminal(80), null, clock))
        {
            reporter.Phase("forward", 4);
            clock.Advance(10);
            reporter.Step(1, "layer 0");
            reporter.Step(2, "not drawn: too soon");
        }

        Assert.Equal(
            "\r\e[Kforward [....................] 0/4" +
            "\r\e[Kforward [#####...............] 1/4 layer 0  0:30 left" +
            "\r\e[K",
            error.ToString());
    }

    [Fact]
    public void Line_is_cut_to_the_width_of_the_terminal()
    {
        using ProgressReporter reporter = new(error, new Terminal(21), null, clock);
        reporter.Phase("a very long name of a phase", 4);
        Assert.Equal("\r\e[Ka very long name of ", error.ToString());
    }

    [Fact]
    public void Notice_stands_above_the_line_and_is_said_once()
    {
        using (ProgressReporter reporter = new(error, new Terminal(80), null, clock))
        {
            reporter.Phase("load", 0);
            reporter.Notice("70 windows, not 128\e[2J");
            reporter.Notice("70 windows, not 128\e[2J");
        }

        Assert.Equal("\r\e[Kload\r\e[Knote: 70 windows, not 128\\u001B[2J\n", error.ToString());
    }

    [Fact]
    public void Quiet_is_silent_but_logged()
    {
        using TemporaryFolder folder = new();
        string path = folder.File("run.jsonl", "earlier\n");
        using (LogFile log = new(path, clock))
        using (ProgressReporter reporter = new(error, null, log, clock))
        {
            reporter.Phase("forward", 2);
            reporter.Step(1, "layer 0");
            reporter.Step(2, "within a second of the last: not logged");
            reporter.Notice("a \"fact\"");
            log.Finish(3, "error NE3007: x");
        }

        Assert.Empty(error.ToString());
        Assert.Equal(
            """
            earlier
            {"time":"2026-01-02T03:04:05.000Z","event":"phase","name":"forward","total":2}
            {"time":"2026-01-02T03:04:05.000Z","event":"step","name":"forward","done":1,"total":2,"detail":"layer 0"}
            {"time":"2026-01-02T03:04:05.000Z","event":"notice","message":"a \u0022fact\u0022"}
            {"time":"2026-01-02T03:04:05.000Z","event":"finish","exit":3,"error":"error NE3007: x"}

            """.ReplaceLineEndings("\n"),
            File.ReadAllText(path));
    }

    [Fact]
    public void A_log_that_cannot_be_written_names_the_option()
    {
        using TemporaryFolder folder = new();
        JsonElement failure = Cli.Run(["inspect", "m", "--json", "--log-file", folder.File("none/run.jsonl")]).Json.GetProperty("error");
        Assert.Equal(("NE5020", "--log-file"), (failure.GetProperty("code").GetString(), failure.GetProperty("key").GetString()));
    }

    [Fact]
    public void Log_of_a_run_begins_and_ends()
    {
        using TemporaryFolder folder = new();
        string path = folder.File("run.jsonl");
        Assert.Equal(3, Cli.Run(["inspect", "m", "--quiet", "--log-file", path], Cli.Failing(new EngineException("NE3001", "broken"))).Exit);
        JsonElement[] lines = [.. File.ReadLines(path).Select(line => JsonDocument.Parse(line).RootElement)];
        Assert.Equal(["start", "finish"], lines.Select(line => line.GetProperty("event").GetString()));
        Assert.Equal("m", lines[0].GetProperty("configuration").GetProperty("model").GetString());
        Assert.Equal(3, lines[1].GetProperty("exit").GetInt32());
    }
}
