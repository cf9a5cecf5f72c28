using System.Globalization;
using NativeEngine.Bench;
using NativeEngine.Cli.Output;

namespace NativeEngine.Cli.Commands;

/// <summary>The figures as tables.</summary>
internal static partial class BenchCommand
{
    private static void Print(GemmBenchResult result, Report report)
    {
        report.Line("device", result.Device ?? "");
        report.Blank();
        report.Table(
            ["type", "n", "threads", "GFLOP/s", "peak", "of peak"],
            [.. result.Rows.Select(row => (string[])
            [
                row.Dtype, $"{row.N}", ThreadCount(row.Threads), Format.Rate(row.Gflops ?? double.NaN), Format.Rate(row.PeakGflops), row.ShareOfPeak is { } share ? Format.Percent(share) : "-",
            ])]);
        Print(result.Targets, report);
    }

    private static void Print(EigenBenchResult result, Report report)
    {
        report.Line("device", result.Device ?? "");
        report.Blank();
        report.Table(
            ["n", "threads", "method", "seconds", "residual", "orthogonality", "energy gap"],
            [.. result.Rows.Select(row => (string[])
            [
                $"{row.N}", ThreadCount(row.Threads), row.Method, Or(row.Seconds, "0.0000"), Or(row.Residual, "g3"), Or(row.Orthogonality, "0.000"), Or(row.EnergyGap, "0.0e+0"),
            ])]);
        foreach (string problem in result.Rows.Where(row => row.Problem is not null).Select(row => $"{row.Method}, {row.N}: {row.Problem}").Distinct())
        {
            report.Text(problem);
        }

        Print(result.Targets, report);
    }

    private static void Print(KernelBenchResult result, Report report)
    {
        report.Line("device", result.Device ?? "");
        report.Line("operands", $"{result.Size}, {result.Dtype}");
        report.Line("copy", $"{Format.Rate(result.CopyGigabytesPerSecond)} GB/s");
        foreach ((string dtype, double gflops) in result.PeakGflops)
        {
            report.Line($"peak {dtype}", $"{Format.Rate(gflops)} GFLOP/s");
        }

        report.Blank();
        report.Table(
            ["op", "ms", "GB/s", "GFLOP/s", "share"],
            [.. result.Rows.Select(row => (string[])
            [
                row.Kernel, $"{row.Seconds * 1e3:0.000}", row.GigabytesPerSecond is { } rate ? Format.Rate(rate) : "", row.Gflops is { } gflops ? Format.Rate(gflops) : "",
                row.Share is { } share ? Format.Percent(share) : "",
            ])]);
        Print(result.Targets, report);
    }

    /// <summary>What was measured beside what is aimed at; nothing where there is no aim.</summary>
    private static void Print(IReadOnlyList<Target> targets, Report report)
    {
        if (targets.Count > 0)
        {
            report.Blank();
            report.Table(
                ["target on one H100", "measured", "aim", "reached"],
                [.. targets.Select(t => (string[])[t.Name, $"{t.Measured:0.00} {t.Unit}".TrimEnd(), $"{t.Goal:0.00} {t.Unit}".TrimEnd(), Format.Percent(t.Ratio)])]);
        }
    }

    private static string Or(double? figure, string format) => figure?.ToString(format, CultureInfo.InvariantCulture) ?? "-";

    private static string ThreadCount(int? threads) => threads?.ToString(CultureInfo.InvariantCulture) ?? "-";

    private static void Print(SliceBenchResult result, Report report)
    {
        report.Line("shape", result.Shape);
        report.Line("parameters", Format.Count(result.Parameters));
        report.Line("device", result.Device ?? "");
        report.Line("eigensolver", result.Eigen == EigenSolver.Projector ? "projector" : "exact");
        report.Line("GFLOP/s", $"{Format.Rate(result.Gflops)}, {Format.Percent(result.ShareOfPeak)} of the peak");
        report.Line("disk", $"{Format.Bytes((long)result.Disk.WriteBytesPerSecond)}/s written, {Format.Bytes((long)result.Disk.ReadBytesPerSecond)}/s read, {Format.Bytes(result.Disk.Bytes)}");
        report.Blank();
        report.Table(
            ["layers", "tokens", "seconds", "s / layer / Mtoken"],
            [.. result.Rows.Select(row => (string[])[$"{row.Layers}", Format.Count(row.Tokens), $"{row.Seconds:0.00}", $"{row.SecondsPerLayerMegatoken:0.00}"])]);
        report.Blank();
        report.Phases(result.Phases);
        Print(result.Targets, report);
    }

    private static void Print(PruneBenchResult result, Report report)
    {
        report.Line("shape", result.Shape);
        report.Line("parameters", Format.Count(result.Parameters));
        report.Line("device", result.Device ?? "");
        report.Line("calibration", $"{Format.Count(result.Tokens)} tokens");
        report.Blank();
        report.Table(
            ["layers", "seconds", "forward", "backward", "back / forth", "importance", "peak", "residual stream", "peak without it"],
            [.. result.Rows.Select(row => (string[])
            [
                $"{row.Layers}", $"{row.Seconds:0.00}", $"{row.ForwardSeconds:0.00}", $"{row.BackwardSeconds:0.00}", $"{row.BackwardOverForward:0.00}",
                $"{row.ImportanceSeconds:0.00}", Format.Bytes(row.PeakBytes), Format.Bytes(row.ResidualBytes), Format.Bytes(row.PeakBytes - row.ResidualBytes),
            ])]);
        report.Blank();
        report.Phases(result.Phases);
        Print(result.Targets, report);
    }

    private static void Print(TuneBenchResult result, Report report)
    {
        report.Line("model", result.Model ?? "");
        report.Line("device", result.Device ?? "");
        report.Line("micro-batch", $"{result.Batch} tokens");
        report.Line("rank", $"{result.Rank}");
        report.Blank();
        report.Table(
            ["step", "seconds", "tokens/s", "over frozen", "peak"],
            [.. result.Rows.Select(row => (string[])[row.Step, $"{row.Seconds:0.000}", Format.Rate(row.TokensPerSecond), $"{row.OverFrozen:0.00}", Format.Bytes(row.PeakBytes)])]);
    }

    private static void Print(DecodeBenchResult result, Report report)
    {
        report.Line("model", result.Model ?? "");
        report.Line("device", result.Device ?? "");
        report.Line("prompt", $"{result.PromptTokens} tokens, {Format.Rate(result.PromptTokensPerSecond)} tokens/s");
        report.Line("decoding", $"{result.NewTokens} tokens, {Format.Rate(result.TokensPerSecond)} tokens/s");
        report.Line("weights read", $"{Format.Rate(result.WeightGigabytesPerSecond)} GB/s, {Format.Percent(result.ShareOfBandwidth)} of {Format.Rate(result.ReadGigabytesPerSecond)} GB/s");
    }

    private static void Print(TokenizeBenchResult result, Report report)
    {
        report.Line("model", result.Model ?? "");
        report.Line("text", Format.Bytes(result.Bytes));
        report.Blank();
        report.Table(
            ["tokenizer", "mode", "MB/s", "tokens"],
            [.. result.Rows.Select(row => (string[])[row.Tokenizer, row.Mode, Format.Rate(row.MbPerSecond), Format.Count(row.Tokens)])]);
    }
}
