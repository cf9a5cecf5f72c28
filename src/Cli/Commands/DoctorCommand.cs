using System.CommandLine;
using NativeEngine.Cli.Doctor;
using NativeEngine.Cli.Options;
using NativeEngine.Cli.Output;
using NativeEngine.Kernels;

namespace NativeEngine.Cli.Commands;

/// <summary>Result of <c>doctor</c>.</summary>
internal sealed record DoctorResult : RunResult
{
    /// <summary>True when nothing the engine needs is broken.</summary>
    public required bool Ok { get; init; }

    /// <summary>What was looked at.</summary>
    public required IReadOnlyList<Check> Checks { get; init; }

    /// <summary>What CUDA finds here.</summary>
    public required CudaProbe Cuda { get; init; }
}

/// <summary><c>doctor</c></summary>
internal static class DoctorCommand
{
    public static Command Create(Host host)
    {
        CommonOptions common = new();
        Verb verb = new(
            "doctor",
            "Look at this machine: what it has, and whether what the engine needs works. Exits with 8 when something needed is broken.",
            "nativeengine doctor",
            "nativeengine doctor --json");
        common.AddReportingTo(verb);
        verb.SetAction(parse =>
        {
            bool ok = false;
            int exit = host.Report(parse, common, _ =>
            {
                CudaProbe cuda = CudaProbe.Run();
                IReadOnlyList<Check> checks = Checks.Run(Environment.CurrentDirectory, cuda);
                ok = checks.All(check => check.Ok);
                return new DoctorResult { Command = "doctor", Ok = ok, Checks = checks, Cuda = cuda };
            }, Print);
            return ok ? exit : (int)ExitCode.Environment;
        });
        return verb;
    }

    private static void Print(DoctorResult result, Report report)
    {
        foreach (Check check in result.Checks)
        {
            report.Line(check.Name, check.Ok ? check.Value : $"BROKEN: {check.Value}");
            if (check.Hint is { } hint)
            {
                report.Line("", hint);
            }
        }
    }
}
