using System.Buffers.Binary;
using System.Numerics;
using System.Text;
using System.Text.Json;

namespace NativeEngine.Tests.Checkpoints;

/// <summary>
/// A second reader of safetensors headers, written from the format's description and sharing nothing with the engine's:
/// a document tree, unbounded integers, and a map of which byte belongs to which tensor. Only for small files.
/// </summary>
internal static class IndependentReader
{
    private static readonly string[][] TypesBySize =
    [
        ["F4"],
        ["F6_E2M3", "F6_E3M2"],
        ["BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"],
        ["I16", "U16", "F16", "BF16"],
        ["I32", "U32", "F32"],
        ["C64", "F64", "I64", "U64"],
    ];

    /// <summary>Name to (dtype, first byte in the file, bytes); null for a file that breaks a rule.</summary>
    public static Dictionary<string, (string DType, long Offset, long Bytes)>? Read(byte[] file)
    {
        try
        {
            return Tensors(file);
        }
        catch (Exception e) when (e is InvalidDataException or JsonException or InvalidOperationException or FormatException or ArgumentException or OverflowException or KeyNotFoundException or IndexOutOfRangeException)
        {
            return null;
        }
    }

    private static Dictionary<string, (string, long, long)> Tensors(byte[] file)
    {
        Require(file.Length >= 8);
        ulong length = BinaryPrimitives.ReadUInt64LittleEndian(file);
        Require(length >= 2 && length <= 100_000_000 && length <= (ulong)file.Length - 8);
        int dataStart = 8 + (int)length;
        string text = new UTF8Encoding(false, true).GetString(file, 8, (int)length);
        Require(text[0] == '{' && text.TrimEnd(' ')[^1] == '}');
        using JsonDocument document = JsonDocument.Parse(text, new JsonDocumentOptions { AllowDuplicateProperties = false, MaxDepth = 4 });

        Dictionary<string, (string, long, long)> tensors = [];
        bool[] taken = new bool[file.Length - dataStart];
        List<BigInteger> empty = [];
        foreach (JsonProperty property in document.RootElement.EnumerateObject())
        {
            if (property.Name == "__metadata__")
            {
                Require(property.Value.EnumerateObject().All(p => p.Value.ValueKind == JsonValueKind.String && p.Value.GetString() is not null));
                continue;
            }

            Require(Encoding.UTF8.GetByteCount(property.Name) <= 512 && property.Value.EnumerateObject().Count() == 3);
            string dtype = property.Value.GetProperty("dtype").GetString()!;
            BigInteger[] shape = [.. property.Value.GetProperty("shape").EnumerateArray().Select(Integer)];
            BigInteger[] range = [.. property.Value.GetProperty("data_offsets").EnumerateArray().Select(Integer)];
            BigInteger bits = new[] { 4, 6, 8, 16, 32, 64 }[Array.FindIndex(TypesBySize, types => types.Contains(dtype))];
            foreach (BigInteger extent in shape)
            {
                bits *= extent;
                Require(bits <= long.MaxValue);
            }

            Require(shape.Length <= 8 && range.Length == 2 && bits % 8 == 0 && range[1] - range[0] == bits / 8 && range[1] <= taken.Length);
            empty.AddRange(bits == 0 ? [range[0]] : []);
            for (int i = (int)range[0]; i < range[1]; i++)
            {
                Require(!taken[i]);
                taken[i] = true;
            }

            tensors.Add(property.Name, (dtype, dataStart + (long)range[0], (long)(bits / 8)));
        }

        // A tensor of no bytes lies at a border between others, never inside one.
        HashSet<BigInteger> borders = [0, .. tensors.Values.SelectMany(t => new BigInteger[] { t.Item2 - dataStart, t.Item2 - dataStart + t.Item3 }.Where(_ => t.Item3 > 0))];
        Require(taken.All(byteIsTaken => byteIsTaken) && empty.All(borders.Contains));
        return tensors;
    }

    private static BigInteger Integer(JsonElement element)
    {
        string text = element.GetRawText();
        Require(element.ValueKind == JsonValueKind.Number && text.All(char.IsAsciiDigit));
        BigInteger value = BigInteger.Parse(text);
        Require(value <= long.MaxValue);
        return value;
    }

    private static void Require(bool rule)
    {
        if (!rule)
        {
            throw new InvalidDataException();
        }
    }
}
