using System.Diagnostics;
using System.Text.Json;

namespace NativeEngine.Cuda.Tests;

/// <summary>How a process of the command line ended.</summary>
internal sealed record Outcome(int Exit, string Out, string Error)
{
    /// <summary>The last line of standard output.</summary>
    public JsonElement Json => JsonDocument.Parse(Out.TrimEnd('\n').Split('\n')[^1]).RootElement;

    /// <summary>The error as --json prints it, after its exit code was compared.</summary>
    public JsonElement Failed(int exit)
    {
        Assert.True(Exit == exit, $"exit {Exit}: {Error}");
        return Json.GetProperty("error");
    }
}

/// <summary>The command line in a process of its own, which a fault of the GPU can end. The CUDA libraries are those of this process unless the test names others.</summary>
internal static class CommandLine
{
    /// <summary>Where the libraries are.</summary>
    public const string Folders = "NATIVEENGINE_CUDA_DIR";

    private static readonly string Program = Path.Combine(AppContext.BaseDirectory, "nativeengine.dll");

    /// <summary>Runs a line without quoting and the options that every test wants, with these variables; null unsets one.</summary>
    public static Outcome Run(string line, params ReadOnlySpan<(string Name, string? Value)> environment) => RunAnywhere($"{line} --device cuda", environment);

    /// <summary>The same without naming a device.</summary>
    public static Outcome RunAnywhere(string line, params ReadOnlySpan<(string Name, string? Value)> environment)
    {
        string[] args = [Program, .. line.Split(' ', StringSplitOptions.RemoveEmptyEntries), "--json"];
        ProcessStartInfo start = new("dotnet", args) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach ((string name, string? value) in (ReadOnlySpan<(string, string?)>)[(Folders, Environment.GetEnvironmentVariable(Folders)), .. environment])
        {
            if (value is null)
            {
                start.Environment.Remove(name);
            }
            else
            {
                start.Environment[name] = value;
            }
        }

        using Process process = Process.Start(start)!;
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return new Outcome(process.ExitCode, output, error.Result);
    }
}
