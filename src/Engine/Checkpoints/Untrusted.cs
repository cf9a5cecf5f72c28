using System.Globalization;
using System.Text;

namespace NativeEngine.Checkpoints;

/// <summary>Makes text that came out of a file fit for a terminal, a log or a report.</summary>
public static class Untrusted
{
    /// <summary>
    /// <paramref name="text"/> between single quotes, cut after <paramref name="limit"/> characters. Control and format characters
    /// (terminal escapes, line breaks, right-to-left overrides) and unpaired surrogates are written as \uXXXX.
    /// </summary>
    public static string Quote(string text, int limit = 200)
    {
        var quoted = new StringBuilder("'", Math.Min(text.Length, limit) + 8);
        ReadOnlySpan<char> rest = text;
        while (!rest.IsEmpty)
        {
            if (quoted.Length > limit)
            {
                return quoted.Append("'...").ToString();
            }

            bool valid = Rune.DecodeFromUtf16(rest, out Rune rune, out int used) == System.Buffers.OperationStatus.Done;
            if (valid && IsPrintable(rune))
            {
                quoted.Append(rest[..used]);
            }
            else
            {
                foreach (char unit in rest[..used])
                {
                    quoted.Append(CultureInfo.InvariantCulture, $"\\u{(int)unit:X4}");
                }
            }

            rest = rest[used..];
        }

        return quoted.Append('\'').ToString();
    }

    private static bool IsPrintable(Rune rune) => Rune.GetUnicodeCategory(rune) is not (
        UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator
        or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned);
}
