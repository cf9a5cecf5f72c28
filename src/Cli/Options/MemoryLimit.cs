using System.Globalization;

namespace NativeEngine.Cli.Options;

/// <summary>An amount of memory: bytes, with a decimal unit where one is given, or a share of the device's.</summary>
/// <param name="Amount">bytes, or hundredths of the device's memory</param>
/// <param name="IsPercent">which of the two</param>
internal readonly record struct MemoryLimit(double Amount, bool IsPercent)
{
    private static readonly (string Suffix, double Factor)[] Units = [("GB", 1e9), ("MB", 1e6), ("KB", 1e3), ("B", 1), ("%", 1), ("", 1)];

    /// <summary>Reads 2GB, 500MB, 1000000, 0 or 25%.</summary>
    public static bool TryParse(string text, out MemoryLimit? limit)
    {
        (string suffix, double factor) = Units.First(u => text.EndsWith(u.Suffix, StringComparison.OrdinalIgnoreCase));
        bool percent = suffix == "%";
        bool ok = double.TryParse(text.AsSpan(0, text.Length - suffix.Length), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double value)
            && value * factor < long.MaxValue && !(percent && value > 100);
        limit = ok ? new MemoryLimit(value * factor, percent) : null;
        return ok;
    }

    /// <summary>The bytes, on a device with <paramref name="memory"/> bytes.</summary>
    public long BytesOf(long memory) => (long)(IsPercent ? memory * (Amount / 100) : Amount);
}
