using System.Diagnostics;
using System.Reflection;
using NativeEngine.Kernels.Interop;
using Xunit.Abstractions;
using Xunit.Sdk;

namespace NativeEngine.Gpu;

/// <summary>Runs test assemblies with xunit's own executor: the runners that come as packages need the SDK.</summary>
internal sealed class TestRun : Xunit.LongLivedMarshalByRefObject, IMessageSink, IDisposable
{
    private const int MostFailures = 50, MessageLength = 600;

    private readonly StageReport report;
    private readonly Stopwatch clock;
    private readonly TimeSpan limit;
    private readonly HashSet<string> done;
    private readonly StreamWriter log;
    private readonly ManualResetEventSlim finished = new();
    private readonly List<ITestCase> cases = [];
    private int begun;

    private TestRun(StageReport report, Stopwatch clock, TimeSpan limit, HashSet<string> done, StreamWriter log) =>
        (this.report, this.clock, this.limit, this.done, this.log) = (report, clock, limit, done, log);

    /// <summary>
    /// Runs the tests of <paramref name="assemblies"/>, which lie beside this one, each FILE or FILE:PART for tests whose names contain PART, but those
    /// that <paramref name="log"/> lists. None begins after <paramref name="limit"/>, or when the device is lost. The log gets a line before a test: id, tab, name.
    /// </summary>
    public static StageReport Of(IReadOnlyList<string> assemblies, string log, TimeSpan limit)
    {
        var report = new StageReport();
        var clock = Stopwatch.StartNew();
        HashSet<string> done = [.. File.ReadLines(log).Select(line => line.Split('\t')[0])];
        using StreamWriter writer = new(log, append: true) { AutoFlush = true };
        foreach (string assembly in assemblies)
        {
            string[] parts = assembly.Split(':', 2);
            using TestRun run = new(report, clock, limit, done, writer);
            run.Run(Assembly.LoadFrom(Path.Combine(AppContext.BaseDirectory, parts[0])), parts.ElementAtOrDefault(1) ?? "");
        }

        report.Seconds = Math.Round(clock.Elapsed.TotalSeconds, 1);
        report.DevicesLost = GpuFault.IsLatched ? 1 : 0;
        return report;
    }

    /// <inheritdoc/>
    public bool OnMessage(IMessageSinkMessage message)
    {
        switch (message)
        {
            case ITestCaseDiscoveryMessage found:
                cases.Add(found.TestCase);
                break;
            case ITestCaseStarting starting:
                begun++;
                log.WriteLine($"{starting.TestCase.UniqueID}\t{starting.TestCase.DisplayName}");
                break;
            case ITestPassed:
                report.Passed++;
                break;
            case ITestSkipped skipped:
                report.Skipped++;
                report.SkipReasons.Add(skipped.Reason);
                break;
            case ITestFailed failed:
                Fail(failed.Test.DisplayName, failed.Messages);
                break;
            case IErrorMessage error:
                Fail("outside a test", error.Messages);
                break;
            case IDiscoveryCompleteMessage or ITestAssemblyFinished:
                finished.Set();
                break;
        }

        return clock.Elapsed < limit && !(message is ITestCaseFinished && GpuFault.IsLatched);
    }

    /// <inheritdoc/>
    public void Dispose() => finished.Dispose();

    private void Run(Assembly assembly, string name)
    {
        using var framework = new XunitTestFramework(new NullMessageSink());
        IAssemblyInfo info = Reflector.Wrap(assembly);
        var options = new Options();
        framework.GetDiscoverer(info).Find(includeSourceInformation: false, this, options);
        finished.Wait();
        finished.Reset();
        ITestCase[] chosen = [.. cases.Where(test => test.DisplayName.Contains(name, StringComparison.Ordinal) && !done.Contains(test.UniqueID))];
        framework.GetExecutor(assembly.GetName()).RunTests(chosen, this, options);
        finished.Wait();
        report.NotRun += chosen.Length - begun;
    }

    private void Fail(string name, IEnumerable<string> messages)
    {
        report.Failed++;
        string message = string.Join('\n', messages);
        Console.Error.WriteLine($"FAILED {name}: {message}");
        if (report.Failures.Count < MostFailures)
        {
            report.Failures.Add(new Failure(name, message[..Math.Min(message.Length, MessageLength)]));
        }
    }

    /// <summary>One test at a time; the other settings are xunit's own.</summary>
    private sealed class Options : Xunit.LongLivedMarshalByRefObject, ITestFrameworkDiscoveryOptions, ITestFrameworkExecutionOptions
    {
        private readonly Dictionary<string, object?> values = new(StringComparer.Ordinal) { ["xunit.execution.DisableParallelization"] = true };

        public TValue GetValue<TValue>(string name) => values.TryGetValue(name, out object? value) && value is TValue known ? known : default!;

        public void SetValue<TValue>(string name, TValue value) => values[name] = value;
    }
}
