using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace NativeEngine.Gpu;

/// <summary>Runs tests in a process of their own, and in another one from the next test on when a test kills it or loses the device for it.</summary>
internal static class Supervisor
{
    private const int MostProcesses = 50;

    /// <summary>Runs the tests of <paramref name="assemblies"/> as <see cref="TestRun.Of"/>.</summary>
    public static StageReport Run(IReadOnlyList<string> assemblies, TimeSpan limit)
    {
        var total = new StageReport();
        var clock = Stopwatch.StartNew();
        string log = Path.GetTempFileName();
        try
        {
            for (int processes = 1; processes <= MostProcesses; processes++)
            {
                (StageReport? part, int exit) = Start(assemblies, log, limit - clock.Elapsed);
                total.Add(part ?? Died(log, exit));
                total.NotRun = part?.NotRun ?? 0;
                if (part is { DevicesLost: 0 })
                {
                    break;
                }
            }
        }
        finally
        {
            File.Delete(log);
        }

        total.Seconds = Math.Round(clock.Elapsed.TotalSeconds, 1);
        return total;
    }

    private static (StageReport? Report, int Exit) Start(IReadOnlyList<string> assemblies, string log, TimeSpan limit)
    {
        string seconds = Math.Max(limit.TotalSeconds, 0).ToString(CultureInfo.InvariantCulture);
        var start = new ProcessStartInfo(Environment.ProcessPath!, [typeof(Supervisor).Assembly.Location, "run", seconds, log, .. assemblies]) { RedirectStandardOutput = true };
        using Process process = Process.Start(start)!;
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        string last = output.TrimEnd().Split('\n')[^1];
        return (last.StartsWith('{') ? JsonSerializer.Deserialize<StageReport>(last, StageReport.Json) : null, process.ExitCode);
    }

    private static StageReport Died(string log, int exit)
    {
        string name = File.ReadLines(log).LastOrDefault()?.Split('\t')[^1] ?? "outside a test";
        Console.Error.WriteLine($"FAILED {name}: the process died with exit code {exit}");
        return new StageReport { Failed = 1, DevicesLost = 1, Failures = [new Failure(name, $"the process died with exit code {exit}")] };
    }
}
