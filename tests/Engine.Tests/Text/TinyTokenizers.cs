using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using NativeEngine.Text;

namespace NativeEngine.Tests.Text;

/// <summary>Small tokenizer files built in code, and ways to break them.</summary>
internal static class TinyTokenizers
{
    /// <summary>A byte-level tokenizer.json: 256 bytes, a few merges, one special token.</summary>
    public static JsonObject ByteLevel()
    {
        var vocab = new JsonObject();
        for (int b = 0; b < 256; b++)
        {
            vocab[ByteAlphabet.Char((byte)b).ToString()] = b;
        }

        string[] merges = ["h e", "l l", "he ll", "hell o", "Ġ w", "o r", "Ġw or", "l d", "Ġwor ld"];
        foreach (string merge in merges)
        {
            vocab[merge.Replace(" ", "", StringComparison.Ordinal)] = vocab.Count;
        }

        return new JsonObject
        {
            ["added_tokens"] = new JsonArray(AddedToken(vocab.Count, "<end>")),
            ["normalizer"] = null,
            ["pre_tokenizer"] = new JsonObject { ["type"] = "ByteLevel", ["add_prefix_space"] = false },
            ["post_processor"] = new JsonObject { ["type"] = "ByteLevel" },
            ["decoder"] = new JsonObject { ["type"] = "ByteLevel" },
            ["model"] = new JsonObject { ["type"] = "BPE", ["vocab"] = vocab, ["merges"] = new JsonArray([.. merges.Select(m => JsonValue.Create(m))]) },
        };
    }

    /// <summary>A character-level tokenizer.json with byte fallback, as converted from SentencePiece.</summary>
    public static JsonObject Characters()
    {
        var vocab = new JsonObject { ["<unk>"] = 0, ["<s>"] = 1, ["</s>"] = 2 };
        for (int b = 0; b < 256; b++)
        {
            vocab[ByteToken.Name(b)] = vocab.Count;
        }

        string[] merges = ["▁ a", "▁ b", "a b", "▁a b"];
        foreach (string token in (string[])["▁", "a", "b", .. merges.Select(m => m.Replace(" ", "", StringComparison.Ordinal))])
        {
            vocab[token] = vocab.Count;
        }

        return new JsonObject
        {
            ["added_tokens"] = new JsonArray(AddedToken(1, "<s>")),
            ["normalizer"] = JsonNode.Parse("""
                {"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},{"type":"Replace","pattern":{"String":" "},"content":"▁"}]}
                """),
            ["post_processor"] = JsonNode.Parse("""
                {"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>"}},{"Sequence":{"id":"A"}}],
                "special_tokens":{"<s>":{"id":"<s>","ids":[1],"tokens":["<s>"]}}}
                """),
            ["decoder"] = JsonNode.Parse("""
                {"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},
                {"type":"ByteFallback"},{"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":0}]}
                """),
            ["model"] = new JsonObject
            {
                ["type"] = "BPE",
                ["unk_token"] = "<unk>",
                ["fuse_unk"] = true,
                ["byte_fallback"] = true,
                ["vocab"] = vocab,
                ["merges"] = new JsonArray([.. merges.Select(m => JsonValue.Create(m))]),
            },
        };
    }

    public static JsonObject AddedToken(int id, string content) => new()
    {
        ["id"] = id,
        ["content"] = content,
        ["special"] = true,
        ["normalized"] = false,
    };

    /// <summary>Reads a tokenizer.json from memory.</summary>
    public static Tokenizer Json(JsonNode json) => Json(Encoding.UTF8.GetBytes(json.ToJsonString()));

    /// <summary>Reads a tokenizer.json from memory.</summary>
    public static Tokenizer Json(byte[] utf8)
    {
        TokenizerParts parts = TokenizerJson.Read(utf8, "tokenizer.json", SilentReporter.Instance);
        return new PipelineTokenizer(parts, new SpecialIds(null, null, null, parts.Prefix, parts.Suffix), "test");
    }

    /// <summary>A folder with the given files, deleted when disposed.</summary>
    public static TemporaryFolder Folder(params (string Name, byte[] Bytes)[] files)
    {
        var folder = new TemporaryFolder();
        foreach ((string name, byte[] bytes) in files)
        {
            File.WriteAllBytes(Path.Combine(folder.Path, name), bytes);
        }

        return folder;
    }

    public static byte[] Bytes(JsonNode json) => JsonSerializer.SerializeToUtf8Bytes(json);
}

/// <summary>A new folder that lives as long as the object.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("nativeengine-text-").FullName;

    public void Dispose() => Directory.Delete(Path, recursive: true);
}

/// <summary>Writes tokenizer.model files field by field, right or wrong.</summary>
internal sealed class ModelWriter
{
    private readonly List<byte> proto = [];

    /// <summary>A sound BPE model: three special pieces, 256 bytes, and a few merges.</summary>
    public static ModelWriter Sound()
    {
        ModelWriter model = new ModelWriter().Piece("<unk>", 0, 2).Piece("<s>", 0, 3).Piece("</s>", 0, 3);
        for (int b = 0; b < 256; b++)
        {
            model.Piece(ByteToken.Name(b), 0, 6);
        }

        string[] pieces = ["▁a", "▁b", "ab", "▁ab", "▁", "a", "b"];
        for (int i = 0; i < pieces.Length; i++)
        {
            model.Piece(pieces[i], -i, 1);
        }

        return model.Trainer(type: 2, byteFallback: true).Normalizer(null);
    }

    public ModelWriter Piece(string text, float score, int type) => Piece(Encoding.UTF8.GetBytes(text), score, type);

    public ModelWriter Piece(byte[] text, float score, int type)
    {
        var number = new byte[4];
        BinaryPrimitives.WriteSingleLittleEndian(number, score);
        return Message(1, [.. Field(1, text), 2 << 3 | 5, .. number, 3 << 3, (byte)type]);
    }

    public ModelWriter Trainer(int type, bool byteFallback) =>
        Message(2, [3 << 3, (byte)type, .. Varint((35 << 3) | 0), byteFallback ? (byte)1 : (byte)0]);

    /// <summary>The normalizer of Llama: nothing but the space in front; or one with a character map.</summary>
    public ModelWriter Normalizer(byte[]? charsMap, bool removeExtraWhitespaces = false) =>
        Message(3, [.. charsMap is null ? [] : Field(2, charsMap), 3 << 3, 1, 4 << 3, removeExtraWhitespaces ? (byte)1 : (byte)0]);

    public ModelWriter Message(int field, byte[] message) => Raw(Field(field, message));

    public ModelWriter Raw(params byte[] bytes)
    {
        proto.AddRange(bytes);
        return this;
    }

    public byte[] ToArray() => proto.ToArray();

    public SentencePieceModel Read(IReporter? reporter = null) =>
        SentencePieceModel.Read(proto.ToArray(), "tokenizer.model", reporter ?? SilentReporter.Instance);

    private static byte[] Field(int field, byte[] bytes) => [.. Varint((ulong)((field << 3) | 2)), .. Varint((ulong)bytes.Length), .. bytes];

    private static byte[] Varint(ulong value)
    {
        var bytes = new List<byte>();
        for (; value >= 0x80; value >>= 7)
        {
            bytes.Add((byte)(value | 0x80));
        }

        bytes.Add((byte)value);
        return [.. bytes];
    }
}
