using System.Text.Json;

namespace NativeEngine.Gpu;

/// <summary>A test that failed.</summary>
/// <param name="Name">the test</param>
/// <param name="Message">its first lines</param>
internal sealed record Failure(string Name, string Message);

/// <summary>What came of the tests of some assemblies.</summary>
internal sealed record StageReport
{
    public static JsonSerializerOptions Json { get; } = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    public int Passed { get; set; }

    public int Failed { get; set; }

    public int Skipped { get; set; }

    /// <summary>Tests that were not run because the time was up.</summary>
    public int NotRun { get; set; }

    /// <summary>How often a test lost the device, so that a new process went on behind it.</summary>
    public int DevicesLost { get; set; }

    public double Seconds { get; set; }

    /// <summary>The first failures.</summary>
    public List<Failure> Failures { get; init; } = [];

    /// <summary>Why tests were skipped, each reason once.</summary>
    public SortedSet<string> SkipReasons { get; init; } = [];

    /// <summary>Adds what came of other tests; <see cref="NotRun"/> and <see cref="Seconds"/> are not sums.</summary>
    public void Add(StageReport other)
    {
        Passed += other.Passed;
        Failed += other.Failed;
        Skipped += other.Skipped;
        DevicesLost += other.DevicesLost;
        Failures.AddRange(other.Failures);
        SkipReasons.UnionWith(other.SkipReasons);
    }
}
