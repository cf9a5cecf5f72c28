namespace NativeEngine.Cuda.Tests;

/// <summary>An environment variable of this process that has a value until it is disposed.</summary>
internal sealed class Variable : IDisposable
{
    private readonly string name;
    private readonly string? before;

    /// <summary>Sets it, or takes it away where <paramref name="value"/> is null.</summary>
    public Variable(string name, string? value)
    {
        (this.name, before) = (name, Environment.GetEnvironmentVariable(name));
        Environment.SetEnvironmentVariable(name, value);
    }

    public void Dispose() => Environment.SetEnvironmentVariable(name, before);
}
