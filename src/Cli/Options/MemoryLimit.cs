using System.Globalization;

namespace NativeEngine.Cli.Options;

/// <summary>An amount of memory: bytes, with a decimal unit where one is given, or a share of the machine's.</summary>
internal readonly record struct MemoryLimit(long Bytes)
{
    private static readonly (string Suffix, double Factor)[] Units = [("GB", 1e9), ("MB", 1e6), ("KB", 1e3), ("B", 1), ("", 1)];

    /// <summary>Reads 2GB, 500MB, 1000000, 0 or 25%.</summary>
    public static bool TryParse(string text, out MemoryLimit? limit)
    {
        bool percent = text.EndsWith('%');
        (string suffix, double factor) = percent
            ? ("%", GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 100.0)
            : Units.First(u => text.EndsWith(u.Suffix, StringComparison.OrdinalIgnoreCase));
        bool ok = double.TryParse(text.AsSpan(0, text.Length - suffix.Length), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double value)
            && value * factor < long.MaxValue && !(percent && value > 100);
        limit = ok ? new MemoryLimit((long)(value * factor)) : null;
        return ok;
    }
}
