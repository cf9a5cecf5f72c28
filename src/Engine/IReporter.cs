namespace NativeEngine;

/// <summary>Where a run says what it is doing. The command line draws it; a library caller may ignore it.</summary>
public interface IReporter
{
    /// <summary>A phase begins; <paramref name="total"/> is its number of steps, 0 when it has none to count. A run that is resumed has some of them <paramref name="done"/>.</summary>
    void Phase(string name, long total, long done = 0);

    /// <summary>The current phase has done <paramref name="done"/> of its steps; <paramref name="detail"/> is e.g. "layer 3".</summary>
    void Step(long done, string? detail = null);

    /// <summary>A fact the user should know: what was defaulted, ignored, or fell short of what was asked.</summary>
    void Notice(string message);
}

/// <summary>Says nothing.</summary>
internal sealed class SilentReporter : IReporter
{
    /// <summary>The one instance.</summary>
    public static SilentReporter Instance { get; } = new();

    /// <inheritdoc/>
    public void Phase(string name, long total, long done = 0) { }

    /// <inheritdoc/>
    public void Step(long done, string? detail = null) { }

    /// <inheritdoc/>
    public void Notice(string message) { }
}
