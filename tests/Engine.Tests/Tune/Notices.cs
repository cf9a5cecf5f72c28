namespace NativeEngine.Tests.Tune;

/// <summary>Keeps what a run noticed.</summary>
internal sealed class Notices : List<string>, IReporter
{
    public void Phase(string name, long total, long done = 0) { }

    public void Step(long done, string? detail = null) { }

    public void Notice(string message) => Add(message);
}
