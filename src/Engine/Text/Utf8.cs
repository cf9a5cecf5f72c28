using System.Text;
using System.Text.Unicode;

namespace NativeEngine.Text;

/// <summary>Steps and checks over UTF-8.</summary>
internal static class Utf8
{
    /// <summary>U+2581, the space of SentencePiece.</summary>
    public static ReadOnlySpan<byte> Space => "▁"u8;

    /// <summary>Bytes of the character that begins with <paramref name="lead"/>; the text is valid.</summary>
    public static int SequenceLength(byte lead) => lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;

    /// <summary>Where the character before <paramref name="position"/> begins.</summary>
    public static int Previous(ReadOnlySpan<byte> text, int position)
    {
        do
        {
            position--;
        }
        while (position > 0 && (text[position] & 0xC0) == 0x80);
        return position;
    }

    /// <summary>The character at <paramref name="position"/> and its length.</summary>
    public static Rune RuneAt(ReadOnlySpan<byte> text, int position, out int length)
    {
        Rune.DecodeFromUtf8(text[position..], out Rune rune, out length);
        return rune;
    }

    /// <summary>The offset of the first byte that is not UTF-8; -1 when all is well.</summary>
    public static int FirstInvalid(ReadOnlySpan<byte> text)
    {
        if (System.Text.Unicode.Utf8.IsValid(text))
        {
            return -1;
        }

        int position = 0;
        while (Rune.DecodeFromUtf8(text[position..], out _, out int length) == System.Buffers.OperationStatus.Done)
        {
            position += length;
        }

        return position;
    }
}
