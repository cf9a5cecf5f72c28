using System.Text.Json;
using NativeEngine.Text;

namespace NativeEngine.Tune;

/// <summary>One record of an instruction file.</summary>
/// <param name="Instruction">what to do</param>
/// <param name="Input">what to do it with; empty where the instruction says all</param>
/// <param name="Output">the answer to learn</param>
internal sealed record InstructionRecord(string Instruction, string Input, string Output);

/// <summary>
/// Reads a file of instruction records: a JSON array of objects, or objects one after the other (JSON Lines). Only one record at a
/// time is in memory besides the bytes of the file.
/// </summary>
internal static class InstructionFile
{
    private const string Hint = "instruction data is an array, or lines, of objects with instruction, input and output; other text needs --format text";

    /// <summary>The records of <paramref name="path"/>, in order; an input that is absent or null is empty.</summary>
    /// <exception cref="EngineException">NE3200: not JSON; NE3201: a record is not an object; NE3202: a field is missing or not text; NE3203: no
    /// records; NE3205: a record has a field twice; NE3151: not UTF-8; NE3039, NE5002, NE5004: it cannot be read</exception>
    public static IEnumerable<InstructionRecord> Read(string path)
    {
        byte[] utf8 = Corpus.ReadBytes(path);
        int number = 0;
        foreach ((ReadOnlyMemory<byte> json, string where) in Values(utf8, path))
        {
            number++;
            yield return Parse(json, path, where);
        }

        if (number == 0)
        {
            throw new EngineException("NE3203", "the file holds no records")
            {
                File = path,
                Found = $"{utf8.Length} bytes",
                Expected = "one record or more",
                Hint = Hint,
            };
        }
    }

    /// <summary>The bytes of each record, and where it is, such as "record 2 (line 3)".</summary>
    private static IEnumerable<(ReadOnlyMemory<byte> Json, string Where)> Values(byte[] utf8, string path)
    {
        int at = utf8.AsSpan().StartsWith("\uFEFF"u8) ? 3 : 0, counted = 0, line = 1;
        JsonReaderState state = new(new JsonReaderOptions { AllowMultipleValues = true });
        for (int number = 1; Next(utf8, ref at, ref state, path, number) is { } record; number++)
        {
            line += utf8.AsSpan(counted..record.Start.Value).Count((byte)'\n');
            counted = record.Start.Value;
            yield return (utf8.AsMemory(record), Where(number, line));
        }
    }

    private static string Where(int number, long line) => $"record {number} (line {line})";

    /// <summary>Moves <paramref name="at"/> behind the next record and returns where that is; null at the end of the file.</summary>
    private static Range? Next(byte[] utf8, ref int at, ref JsonReaderState state, string path, int number)
    {
        var json = new Utf8JsonReader(utf8.AsSpan(at), isFinalBlock: true, state);
        try
        {
            Range? record = null;
            while (record is null && json.Read())
            {
                bool bracket = json.CurrentDepth == 0 && json.TokenType is JsonTokenType.StartArray or JsonTokenType.EndArray;
                if (!bracket)
                {
                    int start = at + (int)json.TokenStartIndex;
                    json.Skip();
                    record = start..(at + (int)json.BytesConsumed);
                }
            }

            (at, state) = (at + (int)json.BytesConsumed, json.CurrentState);
            return record;
        }
        catch (JsonException e)
        {
            // Its own text ends with the line, counted from 0.
            string reason = e.Message.Split(" LineNumber:")[0].TrimEnd('.');
            throw new EngineException("NE3200", $"not valid JSON at {Where(number, e.LineNumber + 1 ?? 1)}: {reason}", e) { File = path, Hint = Hint };
        }
    }

    private static InstructionRecord Parse(ReadOnlyMemory<byte> json, string path, string where)
    {
        if (json.Span[0] != (byte)'{')
        {
            throw new EngineException("NE3201", $"{where} is not an object")
            {
                File = path,
                Found = System.Text.Encoding.UTF8.GetString(json.Span[..Math.Min(json.Length, 60)]),
                Expected = "an object with instruction, input and output",
                Hint = Hint,
            };
        }

        using JsonDocument document = StrictJson.Parse(json, $"{path}: {where}", "NE3205");
        return new InstructionRecord(Field("instruction") ?? throw Missing("instruction"), Field("input") ?? "", Field("output") ?? throw Missing("output"));

        string? Field(string name)
        {
            if (!document.RootElement.TryGetProperty(name, out JsonElement value) || value.ValueKind == JsonValueKind.Null)
            {
                return null;
            }

            try
            {
                return value.GetString();
            }
            catch (InvalidOperationException)
            {
                // Another type of value, or half a surrogate pair.
                throw Missing(name);
            }
        }

        EngineException Missing(string name) => new("NE3202", $"{where} has no text in the field '{name}'")
        {
            File = path,
            Key = name,
            Found = document.RootElement.TryGetProperty(name, out JsonElement value)
                ? Shorten(value.GetRawText())
                : $"fields {string.Join(", ", document.RootElement.EnumerateObject().Take(10).Select(p => p.Name))}",
            Expected = "a string",
            Hint = Hint,
        };
    }

    private static string Shorten(string text) => text.Length <= 60 ? text : text[..60] + "...";
}
