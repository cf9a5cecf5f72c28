using System.Globalization;

namespace NativeEngine.Cli.Output;

/// <summary>Numbers as people read them.</summary>
internal static class Format
{
    /// <summary>1,234,567</summary>
    public static string Count(long n) => n.ToString("N0", CultureInfo.InvariantCulture);

    /// <summary>1 step, 2 steps, 1.5 epochs</summary>
    public static string Count(double n, string noun) => $"{n.ToString("#,0.##", CultureInfo.InvariantCulture)} {noun}{(n == 1 ? "" : "s")}";

    /// <summary>12.34 s</summary>
    public static string Seconds(double seconds) => string.Create(CultureInfo.InvariantCulture, $"{seconds:0.00} s");

    /// <summary>1:02:03, or 2:03 below an hour.</summary>
    public static string Clock(TimeSpan time) => time.ToString(time.TotalHours >= 1 ? @"%h\:mm\:ss" : @"%m\:ss", CultureInfo.InvariantCulture);

    /// <summary>Decimal units, as disks and model cards count.</summary>
    public static string Bytes(long bytes) => bytes switch
    {
        >= 1_000_000_000 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e9:0.00} GB"),
        >= 1_000_000 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e6:0.0} MB"),
        _ => Count(bytes) + " B",
    };

    /// <summary>Four decimals; "not finite" where there is no number.</summary>
    public static string Perplexity(double? value) => value is { } v && double.IsFinite(v) ? v.ToString("0.0000", CultureInfo.InvariantCulture) : "not finite";

    /// <summary>Four decimals, in nats.</summary>
    public static string Loss(double value) => value.ToString("0.0000", CultureInfo.InvariantCulture);

    /// <summary>One decimal, or a dash where there is no number.</summary>
    public static string Rate(double value) => double.IsFinite(value) ? value.ToString("N1", CultureInfo.InvariantCulture) : "-";

    /// <summary>Of a share: 61 %</summary>
    public static string Percent(double share) => share.ToString("0 %", CultureInfo.InvariantCulture);

    /// <summary>-23.4 %</summary>
    public static string Change(double before, double after) =>
        before > 0 ? ((after / before) - 1).ToString("+0.0 %;-0.0 %;0.0 %", CultureInfo.InvariantCulture) : "";
}
