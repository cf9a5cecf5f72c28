using System.Buffers;
using System.Globalization;
using System.Text;

namespace NativeEngine.Checkpoints;

/// <summary>Makes text that came out of a file fit for a terminal, a log or a report.</summary>
public static class Untrusted
{
    /// <summary>
    /// <paramref name="text"/> with its control and format characters (terminal escapes, line breaks, right-to-left overrides) and
    /// unpaired surrogates written as \uXXXX.
    /// </summary>
    public static string Escape(string text)
    {
        var escaped = new StringBuilder(text.Length);
        ReadOnlySpan<char> rest = text;
        while (!rest.IsEmpty)
        {
            bool valid = Rune.DecodeFromUtf16(rest, out Rune rune, out int used) == OperationStatus.Done;
            if (valid && IsPrintable(rune))
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

    /// <summary><see cref="Escape"/>, between single quotes and cut after <paramref name="limit"/> characters.</summary>
    public static string Quote(string text, int limit = 200)
    {
        string escaped = Escape(text.Length > limit ? text[..limit] : text);
        return text.Length > limit ? $"'{escaped}'..." : $"'{escaped}'";
    }

    private static bool IsPrintable(Rune rune) => Rune.GetUnicodeCategory(rune) is not (
        UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator
        or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned);
}
