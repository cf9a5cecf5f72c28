namespace NativeEngine.Bench;

/// <summary>What every result of a benchmark on a device says besides its own figures.</summary>
public abstract record BenchResult : RunResult
{
    /// <summary>The figures that there is an aim for; none on a CPU.</summary>
    public IReadOnlyList<Target> Targets { get; init; } = [];
}

/// <summary>A figure beside what the engine aims at on one H100.</summary>
/// <param name="Name">what was measured</param>
/// <param name="Measured">the figure</param>
/// <param name="Goal">the aim</param>
/// <param name="Unit">of both</param>
/// <param name="Ratio">how much of the aim is reached: measured / goal of a rate, goal / measured of a time; 1 and more reaches it</param>
public sealed record Target(string Name, double Measured, double Goal, string Unit, double Ratio)
{
    /// <summary>A time that should not be exceeded.</summary>
    internal static Target Seconds(string name, double measured, double goal) => new(name, measured, goal, "s", goal / measured);

    /// <summary>A rate or share that should be reached.</summary>
    internal static Target AtLeast(string name, double measured, double goal, string unit) => new(name, measured, goal, unit, measured / goal);
}
