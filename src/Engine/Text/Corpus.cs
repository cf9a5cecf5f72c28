using System.Text;
using System.Text.Json;
using NativeEngine.Checkpoints;

namespace NativeEngine.Text;

/// <summary>Reads text input: .txt, where a line is a row, and .jsonl, where a field of an object is one.</summary>
internal static class Corpus
{
    private const long MaxFileBytes = 1_000_000_000; // a string holds no more

    /// <summary>The rows of <paramref name="source"/>, joined to one text.</summary>
    /// <exception cref="EngineException">as <see cref="ReadRows"/>; NE3152: there is no text in it</exception>
    public static string Read(TextSource source)
    {
        IReadOnlyList<string> rows = ReadRows(source);
        return rows.Any(row => !IsBlank(row)) ? string.Join(source.Join, rows) : throw new EngineException("NE3152", "there is no text in the file")
        {
            File = source.Path,
            Key = "text",
            Found = $"{rows.Count} rows, all blank",
            Expected = "text",
            Hint = "check that the path is the one you mean",
        };
    }

    /// <summary>
    /// The rows of <paramref name="source"/>. A row of a .txt file keeps its newline (CRLF counts as one), a line of blanks is the empty row;
    /// with <see cref="TextSource.StripRows"/> every row loses the white space around it.
    /// </summary>
    /// <exception cref="EngineException">NE3151: not UTF-8; NE3156, NE3157: a line is not an object with the field; NE3158: half a surrogate pair;
    /// NE4110: another kind of file; NE3039, NE5002, NE5004: it cannot be read</exception>
    public static IReadOnlyList<string> ReadRows(TextSource source)
    {
        string extension = Path.GetExtension(source.Path);
        IEnumerable<string> rows = extension switch
        {
            ".txt" => TextRows(source),
            ".jsonl" => JsonRows(source),
            _ when Directory.Exists(source.Path) => throw Errors.IsFolder(source.Path),
            _ => throw new EngineException("NE4110", $"text files of kind '{extension}' are not read")
            {
                File = source.Path,
                Key = "text",
                Found = extension.Length == 0 ? "no extension" : extension,
                Expected = ".txt, .jsonl or .safetensors",
                Hint = "rename the file if it is plain text",
            },
        };
        return source.StripRows ? [.. rows.Select(Strip)] : [.. rows];
    }

    /// <summary>A whole UTF-8 file as it is.</summary>
    /// <exception cref="EngineException">NE3151: not UTF-8; NE3039, NE5002, NE5004: it cannot be read</exception>
    internal static byte[] ReadBytes(string path) => Checked(InputFile.Read(path, MaxFileBytes), path);

    /// <summary>The bytes, if they are UTF-8.</summary>
    /// <exception cref="EngineException">NE3151: they are not</exception>
    internal static byte[] Checked(byte[] bytes, string path)
    {
        int invalid = Utf8.FirstInvalid(bytes);
        return invalid < 0 ? bytes : throw TextFault.NotUtf8(path, invalid, bytes[invalid]);
    }

    /// <summary>The lines of a UTF-8 file without their ends. A byte-order mark is not text.</summary>
    internal static IEnumerable<string> ReadLines(string path) => Lines(ReadBytes(path));

    /// <summary>As <see cref="ReadLines"/>, of a file that is in memory.</summary>
    internal static IEnumerable<string> Lines(byte[] utf8)
    {
        string text = Encoding.UTF8.GetString(utf8);
        int start = text.StartsWith('\uFEFF') ? 1 : 0;
        while (start < text.Length)
        {
            int newline = text.IndexOf('\n', start);
            int end = newline < 0 ? text.Length : newline;
            yield return text[start..(end > start && text[end - 1] == '\r' ? end - 1 : end)];
            start = end + 1;
        }
    }

    private static IEnumerable<string> TextRows(TextSource source) => ReadLines(source.Path).Select(line => IsBlank(line) ? "" : line + "\n");

    private static IEnumerable<string> JsonRows(TextSource source)
    {
        int number = 0;
        foreach (string line in ReadLines(source.Path))
        {
            number++;
            if (IsBlank(line))
            {
                continue;
            }

            string where = $"{source.Path}:{number}";
            using JsonDocument document = StrictJson.Parse(Encoding.UTF8.GetBytes(line), where, "NE3156");
            yield return document.RootElement.TryGetProperty(source.Field, out JsonElement value) && value.ValueKind == JsonValueKind.String
                ? Text(value, where, source.Field)
                : throw new EngineException("NE3157", $"line {number} has no text in the field '{source.Field}'")
                {
                    File = where,
                    Key = source.Field,
                    Found = string.Join(", ", document.RootElement.EnumerateObject().Take(10).Select(p => $"{p.Name}: {p.Value.ValueKind}")),
                    Expected = $"a string in '{source.Field}'",
                    Hint = "name the field with --field",
                };
        }
    }

    private static string Text(JsonElement value, string where, string field)
    {
        try
        {
            return value.GetString()!;
        }
        catch (InvalidOperationException e)
        {
            throw new EngineException("NE3158", "the text holds half a surrogate pair", e)
            {
                File = where,
                Key = field,
                Expected = "Unicode text",
                Found = "an escape such as \\ud800 alone",
                Hint = "correct that line, or leave it out",
            };
        }
    }

    private static bool IsBlank(string row) => row.All(IsWhiteSpace);

    private static string Strip(string row)
    {
        ReadOnlySpan<char> rest = row;
        while (rest.Length > 0 && IsWhiteSpace(rest[0]))
        {
            rest = rest[1..];
        }

        while (rest.Length > 0 && IsWhiteSpace(rest[^1]))
        {
            rest = rest[..^1];
        }

        return rest.ToString();
    }

    /// <summary>What Python's strip takes off: the four separators U+001C to U+001F too.</summary>
    private static bool IsWhiteSpace(char c) => char.IsWhiteSpace(c) || c is >= '\u001C' and <= '\u001F';
}
