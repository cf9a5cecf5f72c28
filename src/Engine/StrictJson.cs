using System.Buffers;
using System.Text.Json;
using System.Text.Json.Nodes;
using NativeEngine.Checkpoints;

namespace NativeEngine;

/// <summary>Reads untrusted JSON: bounded size and depth, no duplicate keys, and one error type whatever is wrong with it. Writes the files of outputs.</summary>
internal static class StrictJson
{
    private static readonly JsonDocumentOptions Options = new() { AllowDuplicateProperties = false, MaxDepth = 64 };

    /// <summary>Parses <paramref name="path"/>. <paramref name="code"/> is the error for a file that is not what it should be; else those of <see cref="InputFile.Read"/>.</summary>
    public static JsonDocument ReadFile(string path, string code) => Parse(InputFile.Read(path), path, code);

    /// <summary>A file of an output: indented, with a newline at the end.</summary>
    public static byte[] Write(JsonObject root)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer, ShardPlan.JsonOptions with { Indented = true }))
        {
            root.WriteTo(json);
        }

        return [.. buffer.WrittenSpan, (byte)'\n'];
    }

    /// <summary>Parses <paramref name="utf8"/>, which came from <paramref name="path"/>. A byte-order mark is not text.</summary>
    public static JsonDocument Parse(ReadOnlyMemory<byte> utf8, string path, string code)
    {
        utf8 = utf8.Span.StartsWith("\uFEFF"u8) ? utf8[3..] : utf8;
        if (utf8.IsEmpty)
        {
            throw new EngineException(code, "the file is empty") { File = path, Expected = "a JSON object", Found = "0 bytes" };
        }

        if (!System.Text.Unicode.Utf8.IsValid(utf8.Span))
        {
            // The parser looks at the bytes of a string only when someone asks for it.
            throw new EngineException(code, "not valid JSON: not UTF-8") { File = path };
        }

        try
        {
            JsonDocument document = JsonDocument.Parse(utf8, Options);
            if (document.RootElement.ValueKind != JsonValueKind.Object)
            {
                throw new EngineException(code, "the top level is not a JSON object") { File = path, Expected = "an object", Found = document.RootElement.ValueKind.ToString() };
            }

            return document;
        }
        catch (Exception e) when (e is JsonException or FormatException or InvalidOperationException or ArgumentException)
        {
            // A lone surrogate in a key gives InvalidOperationException, not JsonException.
            throw new EngineException(code, $"not valid JSON: {Reason(e)}", e) { File = path };
        }
    }

    /// <summary>The parser counts lines from 0, and the text may itself be one line of a file.</summary>
    private static string Reason(Exception e) => e is not JsonException { LineNumber: long line, BytePositionInLine: long at }
        ? e.Message
        : $"{e.Message.Split(" LineNumber:")[0].TrimEnd('.')} ({(line > 0 ? $"line {line + 1}, " : "")}byte {at})";
}
