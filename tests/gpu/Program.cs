using System.Globalization;
using System.Text.Json;
using NativeEngine.Gpu;

// NativeEngine.Gpu test SECONDS ASSEMBLY[:NAME]...    runs the tests whose names contain NAME and prints what came of them as JSON
// NativeEngine.Gpu run SECONDS LOG ASSEMBLY[:NAME]...  the same in this process, which ends when it loses the device; LOG names tests that are done
// NativeEngine.Gpu merge FOLDER                        prints the JSON files of the stages in FOLDER as a Markdown table, and writes results.json there
switch (args)
{
    case ["test", var seconds, .. var assemblies]:
        StageReport report = Supervisor.Run(assemblies, Limit(seconds));
        Console.WriteLine(JsonSerializer.Serialize(report, StageReport.Json));
        return report.Failed == 0 && report.Passed > 0 ? 0 : 1;
    case ["run", var seconds, var log, .. var assemblies]:
        Console.WriteLine(JsonSerializer.Serialize(TestRun.Of(assemblies, log, Limit(seconds)), StageReport.Json));
        return 0;
    case ["merge", var folder]:
        Console.Write(Merge.Folder(folder));
        return 0;
    default:
        Console.Error.WriteLine("test SECONDS ASSEMBLY[:NAME]... | merge FOLDER");
        return 2;
}

static TimeSpan Limit(string seconds) => TimeSpan.FromSeconds(double.Parse(seconds, CultureInfo.InvariantCulture));
