using System.Buffers.Text;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using NativeEngine.Kernels;

namespace NativeEngine.Checkpoints;

/// <summary>
/// Parses the header of a safetensors file and checks every rule of the format: what it returns describes bytes that exist,
/// each of which belongs to exactly one tensor. One pass, no document tree, because a header may have 100 MB.
/// </summary>
internal sealed class SafetensorsHeader
{
    /// <summary>Largest header, in bytes; the limit of the reference.</summary>
    public const long MaxBytes = 100_000_000;

    /// <summary>Most tensors, and most metadata entries, in one file.</summary>
    public const int MaxTensors = 1_000_000;

    /// <summary>Longest tensor name, in bytes of UTF-8.</summary>
    public const int MaxNameBytes = 512;

    /// <summary>Most extents of one tensor.</summary>
    public const int MaxRank = 8;

    private readonly string file;
    private readonly long dataStart;
    private readonly Dictionary<string, TensorEntry> tensors = [];
    private Dictionary<string, string>? metadata;

    private SafetensorsHeader(string file, long dataStart) => (this.file, this.dataStart) = (file, dataStart);

    /// <summary>The tensors by name, in header order.</summary>
    public IReadOnlyDictionary<string, TensorEntry> Tensors => tensors;

    /// <summary>The strings under <c>__metadata__</c>.</summary>
    public IReadOnlyDictionary<string, string> Metadata => metadata ?? [];

    /// <summary>Parses <paramref name="utf8"/>, the header of <paramref name="file"/>, which <paramref name="dataBytes"/> bytes of data follow.</summary>
    public static SafetensorsHeader Parse(ReadOnlySpan<byte> utf8, string file, long dataBytes)
    {
        var header = new SafetensorsHeader(file, 8 + utf8.Length);
        if (!Utf8.IsValid(utf8))
        {
            throw header.Broken("NE3005", "the header is not valid UTF-8");
        }

        if (utf8[0] != '{')
        {
            throw header.Broken("NE3006", "the header does not start with '{'", found: $"byte 0x{utf8[0]:X2}");
        }

        try
        {
            header.ReadObject(utf8);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException or ArgumentException)
        {
            // A lone surrogate in a string gives InvalidOperationException, not JsonException.
            throw header.Broken("NE3008", $"the header is not valid JSON: {Untrusted.Quote(e.Message)}", inner: e);
        }

        header.CheckLayout(dataBytes);
        return header;
    }

    private void ReadObject(ReadOnlySpan<byte> utf8)
    {
        var json = new Utf8JsonReader(utf8);
        json.Read();
        while (NextKey(ref json))
        {
            string name = json.GetString()!;
            if (name == "__metadata__")
            {
                ReadMetadata(ref json);
                continue;
            }

            if (Encoding.UTF8.GetByteCount(name) > MaxNameBytes)
            {
                throw Broken("NE3021", "a tensor name is too long", name, $"at most {MaxNameBytes} bytes");
            }

            if (tensors.Count == MaxTensors)
            {
                throw Broken("NE3020", "the header names too many tensors", expected: $"at most {MaxTensors}");
            }

            if (!tensors.TryAdd(name, ReadEntry(ref json, name)))
            {
                throw Duplicate(name);
            }
        }

        int excess = utf8[(int)json.BytesConsumed..].IndexOfAnyExcept((byte)' ');
        if (excess >= 0)
        {
            throw Broken("NE3007", "the header is padded with something other than spaces", expected: "byte 0x20",
                found: $"byte 0x{utf8[(int)json.BytesConsumed + excess]:X2}");
        }
    }

    private void ReadMetadata(ref Utf8JsonReader json)
    {
        if (metadata is not null)
        {
            throw Duplicate("__metadata__");
        }

        metadata = [];
        json.Read();
        if (json.TokenType != JsonTokenType.StartObject)
        {
            throw Broken("NE3023", "__metadata__ is not an object of strings", "__metadata__", found: json.TokenType.ToString());
        }

        while (NextKey(ref json))
        {
            string key = json.GetString()!;
            json.Read();
            if (json.TokenType != JsonTokenType.String)
            {
                throw Broken("NE3023", $"the value of {Untrusted.Quote(key)} in __metadata__ is not a string", "__metadata__", found: json.TokenType.ToString());
            }

            if (metadata.Count == MaxTensors)
            {
                throw Broken("NE3020", "__metadata__ has too many entries", "__metadata__", $"at most {MaxTensors}");
            }

            if (!metadata.TryAdd(key, json.GetString()!))
            {
                throw Duplicate(key);
            }
        }
    }

    private TensorEntry ReadEntry(ref Utf8JsonReader json, string name)
    {
        StoredType? type = null;
        Span<long> extents = stackalloc long[MaxRank];
        Span<long> range = stackalloc long[2];
        (int rank, int ends) = (-1, -1);

        json.Read();
        if (json.TokenType != JsonTokenType.StartObject)
        {
            throw Broken("NE3011", "the entry of a tensor is not an object", name, found: json.TokenType.ToString());
        }

        while (NextKey(ref json))
        {
            if (json.ValueTextEquals("dtype"u8) && type is null)
            {
                type = ReadType(ref json, name);
            }
            else if (json.ValueTextEquals("shape"u8) && rank < 0)
            {
                rank = ReadIntegers(ref json, extents, name, "shape", "NE3022", $"a tensor has at most {MaxRank} extents");
            }
            else if (json.ValueTextEquals("data_offsets"u8) && ends < 0)
            {
                ends = ReadIntegers(ref json, range, name, "data_offsets", "NE3011", "data_offsets has two integers, [begin, end]");
            }
            else
            {
                string key = json.GetString()!;
                throw key is "dtype" or "shape" or "data_offsets"
                    ? Duplicate(key, name)
                    : Broken("NE3011", $"the entry of a tensor has the unknown key {Untrusted.Quote(key)}", name, "dtype, shape, data_offsets");
            }
        }

        if (type is null || rank < 0 || ends != 2)
        {
            string missing = type is null ? "dtype" : rank < 0 ? "shape" : "two data_offsets";
            throw Broken("NE3011", $"the entry of a tensor lacks its {missing}", name, "dtype, shape, data_offsets");
        }

        return MakeEntry(name, type, extents[..rank], range[0], range[1]);
    }

    private TensorEntry MakeEntry(string name, StoredType type, ReadOnlySpan<long> extents, long begin, long end)
    {
        if (end < begin)
        {
            throw Broken("NE3016", "data_offsets end before they begin", name, found: $"[{begin}, {end}]");
        }

        long bytes = ByteSize(name, type, extents);
        if (end - begin != bytes)
        {
            throw Broken("NE3015", "the data has another size than shape and dtype give", name, $"{bytes} bytes ({type.Name}{Text(extents)})", $"{end - begin} bytes");
        }

        string? unsupported = type.DType is null ? $"dtype {type.Name}" : extents.Length > 4 ? $"rank {extents.Length}" : null;
        return new TensorEntry(name, type.DType ?? DType.I32, Fold(extents), file, dataStart + begin, bytes) { Unsupported = unsupported };
    }

    private long ByteSize(string name, StoredType type, ReadOnlySpan<long> extents)
    {
        try
        {
            long bits = type.Bits;
            foreach (long extent in extents)
            {
                bits = checked(bits * extent);
            }

            return bits % 8 == 0 ? bits / 8 : throw Broken("NE3024", "the data does not end at a full byte", name, found: $"{bits} bits");
        }
        catch (OverflowException e)
        {
            throw Broken("NE3014", "the product of shape and dtype overflows", name, found: $"{type.Name}{Text(extents)}", inner: e);
        }
    }

    /// <summary>Every byte of the data belongs to one tensor: sorted by offset, each begins where the one before it ends.</summary>
    private void CheckLayout(long dataBytes)
    {
        TensorEntry[] inFileOrder = [.. tensors.Values];
        Array.Sort(inFileOrder, static (a, b) => a.Offset != b.Offset ? a.Offset.CompareTo(b.Offset) : a.Bytes.CompareTo(b.Bytes));
        long end = 0;
        foreach (TensorEntry entry in inFileOrder)
        {
            long begin = entry.Offset - dataStart;
            if (begin < end)
            {
                throw Broken("NE3017", "the data overlaps that of another tensor", entry.Name, $"begin {end}", $"begin {begin}");
            }

            if (begin > end)
            {
                throw Broken("NE3018", "a hole lies before the data: bytes that belong to no tensor", entry.Name, $"begin {end}", $"begin {begin}");
            }

            end = begin + entry.Bytes;
        }

        if (end != dataBytes)
        {
            throw Broken("NE3019", end > dataBytes ? "the file ends inside the data: it is truncated" : "bytes follow the last tensor",
                expected: $"{end} bytes of data", found: $"{dataBytes} bytes of data");
        }
    }

    private StoredType ReadType(ref Utf8JsonReader json, string name)
    {
        json.Read();
        if (json.TokenType != JsonTokenType.String)
        {
            throw Broken("NE3011", "dtype is not a string", name, found: json.TokenType.ToString());
        }

        return StoredType.Find(ref json)
            ?? throw Broken("NE3013", $"unknown dtype {Untrusted.Quote(json.GetString()!)}", name, string.Join(", ", StoredType.All.Select(t => t.Name)));
    }

    private int ReadIntegers(ref Utf8JsonReader json, scoped Span<long> values, string name, string key, string code, string rule)
    {
        json.Read();
        if (json.TokenType != JsonTokenType.StartArray)
        {
            throw Broken("NE3011", $"{key} is not an array", name, found: json.TokenType.ToString());
        }

        int count = 0;
        while (json.Read() && json.TokenType != JsonTokenType.EndArray)
        {
            if (json.TokenType is JsonTokenType.StartArray or JsonTokenType.StartObject)
            {
                throw Broken("NE3009", $"the header nests deeper than three levels, in {key}", name);
            }

            if (count == values.Length)
            {
                throw Broken(code, rule, name);
            }

            // Digits only: Utf8Parser leaves the rest of 4096.0 or 1e3 unread, and both are refused.
            ReadOnlySpan<byte> text = json.ValueSpan;
            if (json.TokenType != JsonTokenType.Number || text[0] == '-' || !Utf8Parser.TryParse(text, out values[count], out int used) || used != text.Length)
            {
                throw Broken("NE3012", $"{key} holds something other than integers from 0 to 2^63 - 1", name, found: Untrusted.Quote(Encoding.UTF8.GetString(text), 40));
            }

            count++;
        }

        return count;
    }

    /// <summary>Moves to the next key of an object; false at its end.</summary>
    private static bool NextKey(ref Utf8JsonReader json) => json.Read() && json.TokenType == JsonTokenType.PropertyName;

    private static Shape Fold(ReadOnlySpan<long> extents) => extents switch
    {
        [] => new Shape(1),
        [long n] => new Shape(n),
        [long rows, long columns] => new Shape(rows, columns),
        [long batch, long rows, long columns] => new Shape(batch, rows, columns),
        [.. var outer, long batch, long rows, long columns] => new Shape(Product(outer), batch, rows, columns),
    };

    private static long Product(ReadOnlySpan<long> extents)
    {
        long product = 1;
        foreach (long extent in extents)
        {
            product *= extent;
        }

        return product;
    }

    private static string Text(ReadOnlySpan<long> extents) => $"[{string.Join(", ", extents.ToArray())}]";

    private EngineException Duplicate(string key, string? tensor = null) =>
        Broken("NE3010", tensor is null ? "duplicate key in the header" : $"duplicate key {Untrusted.Quote(key)} in the entry of a tensor", tensor ?? key);

    private EngineException Broken(string code, string rule, string? tensor = null, string? expected = null, string? found = null, Exception? inner = null) =>
        Errors.Rule(code, file, rule, tensor, expected, found, "the file is damaged or hostile: fetch it again from a source you trust", inner);
}
