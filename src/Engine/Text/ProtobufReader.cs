using System.Buffers.Binary;

namespace NativeEngine.Text;

/// <summary>Walks the fields of a protobuf message. Every length is checked before it is used.</summary>
internal ref struct ProtobufReader(ReadOnlySpan<byte> message, string file, int origin = 0)
{
    private readonly ReadOnlySpan<byte> message = message;
    private readonly string file = file;
    private readonly int origin = origin; // offset of the message in the file
    private int at;
    private WireType wire;

    private enum WireType
    {
        Varint = 0,
        Fixed64 = 1,
        Bytes = 2,
        Fixed32 = 5,
    }

    /// <summary>Number of the current field.</summary>
    public int Field { get; private set; }

    /// <summary>Offset of the current value in the file.</summary>
    public readonly int Offset => origin + at;

    /// <summary>Goes to the next field; its value must then be read or skipped.</summary>
    public bool Next()
    {
        if (at == message.Length)
        {
            return false;
        }

        ulong key = Varint();
        wire = (WireType)(key & 7);
        if (key >> 3 is 0 or > 0x1FFF_FFFF || !Enum.IsDefined(wire))
        {
            throw Broken("NE3121", "not a protobuf field", $"key 0x{key:X}", "a field number and a wire type of 0, 1, 2 or 5");
        }

        Field = (int)(key >> 3);
        return true;
    }

    public bool Flag() => Number() != 0;

    /// <summary>An int32 or enum.</summary>
    public int Number()
    {
        Expect(WireType.Varint);
        return unchecked((int)Varint());
    }

    public float Single()
    {
        Expect(WireType.Fixed32);
        return BinaryPrimitives.ReadSingleLittleEndian(Take(4));
    }

    public ReadOnlySpan<byte> Bytes()
    {
        Expect(WireType.Bytes);
        ulong length = Varint();
        return length <= (ulong)(message.Length - at)
            ? Take((int)length)
            : throw Broken("NE3122", "a length reaches beyond the end", $"length {length}", $"at most {message.Length - at} bytes are left");
    }

    /// <summary>A message inside this one.</summary>
    public ProtobufReader Message()
    {
        ReadOnlySpan<byte> bytes = Bytes();
        return new ProtobufReader(bytes, file, origin + at - bytes.Length);
    }

    public void Skip()
    {
        switch (wire)
        {
            case WireType.Varint:
                Varint();
                break;
            case WireType.Fixed64:
                Take(8);
                break;
            case WireType.Fixed32:
                Take(4);
                break;
            case WireType.Bytes:
                Bytes();
                break;
        }
    }

    private ulong Varint()
    {
        ulong value = 0;
        for (int shift = 0; shift < 70; shift += 7)
        {
            byte b = Take(1)[0];
            value |= (ulong)(b & 0x7F) << shift;
            if (b < 0x80)
            {
                return value;
            }
        }

        throw Broken("NE3123", "a number has more than ten bytes", "a varint without end", "at most ten bytes");
    }

    private ReadOnlySpan<byte> Take(int count)
    {
        if (message.Length - at < count)
        {
            throw Broken("NE3124", "the file ends inside a value", $"{message.Length - at} bytes", $"{count} bytes");
        }

        at += count;
        return message.Slice(at - count, count);
    }

    private readonly void Expect(WireType expected)
    {
        if (wire != expected)
        {
            throw Broken("NE3125", $"field {Field} has the wrong wire type", $"{wire}", $"{expected}");
        }
    }

    private readonly EngineException Broken(string code, string what, string found, string expected) => new(code, $"{what}, at byte {origin + at}")
    {
        File = file,
        Key = $"byte {origin + at}",
        Found = found,
        Expected = expected,
        Hint = "fetch tokenizer.model again; a Git LFS pointer or an HTML page is a common mistake",
    };
}
