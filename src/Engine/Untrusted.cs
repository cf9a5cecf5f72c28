using System.Buffers;
using System.Globalization;
using System.Text;

namespace NativeEngine;

/// <summary>Makes text that came out of a file fit for a terminal. Only what prints escapes; errors and results hold text as it was found.</summary>
public static class Untrusted
{
    /// <summary>
    /// <paramref name="text"/> with its control and format characters (terminal escapes, line breaks, right-to-left overrides) and
    /// unpaired surrogates written as \uXXXX. With <paramref name="keepLayout"/>, line breaks (LF) and tabs stay.
    /// </summary>
    public static string Escape(string text, bool keepLayout = false)
    {
        var escaped = new StringBuilder(text.Length);
        ReadOnlySpan<char> rest = text;
        while (!rest.IsEmpty)
        {
            bool valid = Rune.DecodeFromUtf16(rest, out Rune rune, out int used) == OperationStatus.Done;
            if (valid && (IsPrintable(rune) || (keepLayout && rune.Value is '\n' or '\t')))
            {
                escaped.Append(rest[..used]);
            }
            else
            {
                foreach (char unit in rest[..used])
                {
                    escaped.Append(CultureInfo.InvariantCulture, $"\\u{(int)unit:X4}");
                }
            }

            rest = rest[used..];
        }

        return escaped.ToString();
    }

    /// <summary><paramref name="text"/> between single quotes, cut after <paramref name="limit"/> characters.</summary>
    public static string Quote(string text, int limit = 200) => text.Length > limit ? $"'{text[..limit]}'..." : $"'{text}'";

    private static bool IsPrintable(Rune rune) => Rune.GetUnicodeCategory(rune) is not (
        UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator
        or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned);
}
