using System.Globalization;
using System.Text;

namespace NativeEngine.Cli.Output;

/// <summary>
/// Makes text from outside (file names, tensor names, generated text) safe to print: whatever could move the cursor,
/// reorder the line or start an escape sequence becomes <c>\u001B</c> and the like.
/// </summary>
internal static class Printable
{
    /// <summary>Text that has to stay on one line.</summary>
    public static string Line(string text) => Escape(text, keepLayout: false);

    /// <summary>Text that may keep its line breaks and tabs.</summary>
    public static string Lines(string text) => Escape(text, keepLayout: true);

    private static string Escape(string text, bool keepLayout)
    {
        StringBuilder? escaped = null;
        int copied = 0;
        for (int i = 0; i < text.Length; i++)
        {
            if (char.IsHighSurrogate(text[i]) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1]))
            {
                i++;
            }
            else if (IsUnsafe(text[i]) && !(keepLayout && text[i] is '\n' or '\t'))
            {
                (escaped ??= new StringBuilder()).Append(text, copied, i - copied).Append(CultureInfo.InvariantCulture, $"\\u{(int)text[i]:X4}");
                copied = i + 1;
            }
        }

        return escaped is null ? text : escaped.Append(text, copied, text.Length - copied).ToString();
    }

    private static bool IsUnsafe(char c) => char.GetUnicodeCategory(c)
        is UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.Surrogate
        or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator;
}
