namespace NativeEngine.Text;

/// <summary>GPT-2's printable stand-ins for the 256 bytes, in which byte-level vocabularies are written.</summary>
internal static class ByteAlphabet
{
    private static readonly char[] ToChar = Build();
    private static readonly short[] ToByte = Invert(ToChar);

    /// <summary>The stand-in for a byte.</summary>
    public static char Char(byte value) => ToChar[value];

    /// <summary>The bytes that <paramref name="token"/> stands for; null when one of its characters is not a stand-in.</summary>
    public static byte[]? Bytes(ReadOnlySpan<char> token)
    {
        var bytes = new byte[token.Length];
        for (int i = 0; i < token.Length; i++)
        {
            int value = token[i] < ToByte.Length ? ToByte[token[i]] : -1;
            if (value < 0)
            {
                return null;
            }

            bytes[i] = (byte)value;
        }

        return bytes;
    }

    private static char[] Build()
    {
        // Printable Latin-1 stands for itself; the other 68 bytes take U+0100 and on, in order.
        var chars = new char[256];
        char spare = (char)256;
        for (int b = 0; b < 256; b++)
        {
            bool printable = b is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or (>= 0xAE and <= 0xFF);
            chars[b] = printable ? (char)b : spare++;
        }

        return chars;
    }

    private static short[] Invert(char[] chars)
    {
        var bytes = new short[chars.Max() + 1];
        Array.Fill(bytes, (short)-1);
        for (int b = 0; b < 256; b++)
        {
            bytes[chars[b]] = (short)b;
        }

        return bytes;
    }
}
