using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace NativeEngine.Text;

/// <summary>One step from the texts of tokens to readable text. A step changes the list; what is left is joined.</summary>
internal abstract class Decoder
{
    public abstract List<string> Decode(List<string> tokens);
}

/// <summary>Reads byte-level tokens back as UTF-8. A token with a character that stands for no byte is taken literally.</summary>
internal sealed class ByteLevelDecoder : Decoder
{
    public override List<string> Decode(List<string> tokens)
    {
        var bytes = new List<byte>();
        foreach (string token in tokens)
        {
            bytes.AddRange(ByteAlphabet.Bytes(token) ?? Encoding.UTF8.GetBytes(token));
        }

        return [Encoding.UTF8.GetString(CollectionsMarshal.AsSpan(bytes))];
    }
}

/// <summary>Replaces a string in every token.</summary>
internal sealed class ReplaceDecoder(string pattern, string content) : Decoder
{
    public override List<string> Decode(List<string> tokens)
    {
        for (int i = 0; i < tokens.Count; i++)
        {
            tokens[i] = tokens[i].Replace(pattern, content, StringComparison.Ordinal);
        }

        return tokens;
    }
}

/// <summary>Joins runs of byte tokens to text. A run that is not UTF-8 becomes one U+FFFD per byte.</summary>
internal sealed class ByteFallbackDecoder : Decoder
{
    public override List<string> Decode(List<string> tokens)
    {
        var output = new List<string>(tokens.Count);
        var run = new List<byte>();
        foreach (string token in tokens)
        {
            if (ByteToken.Value(token) is byte value)
            {
                run.Add(value);
                continue;
            }

            Flush(run, output);
            output.Add(token);
        }

        Flush(run, output);
        return output;
    }

    private static void Flush(List<byte> run, List<string> output)
    {
        ReadOnlySpan<byte> bytes = CollectionsMarshal.AsSpan(run);
        if (bytes.Length > 0)
        {
            output.Add(System.Text.Unicode.Utf8.IsValid(bytes) ? Encoding.UTF8.GetString(bytes) : new string('\uFFFD', bytes.Length));
        }

        run.Clear();
    }
}

/// <summary>Joins all tokens to one.</summary>
internal sealed class FuseDecoder : Decoder
{
    public override List<string> Decode(List<string> tokens) => [string.Concat(tokens)];
}

/// <summary>Takes up to so many of a character from the start and from the end of every token.</summary>
internal sealed class StripDecoder(char content, int start, int stop) : Decoder
{
    public override List<string> Decode(List<string> tokens)
    {
        for (int i = 0; i < tokens.Count; i++)
        {
            string token = tokens[i];
            int from = 0;
            while (from < int.Min(start, token.Length) && token[from] == content)
            {
                from++;
            }

            int to = token.Length;
            while (to > from && token.Length - to < stop && token[to - 1] == content)
            {
                to--;
            }

            tokens[i] = token[from..to];
        }

        return tokens;
    }
}

/// <summary>Reads the replacement as a space; the first token loses those that were put in front.</summary>
internal sealed class MetaspaceDecoder(string replacement, PrependScheme scheme) : Decoder
{
    public override List<string> Decode(List<string> tokens)
    {
        for (int i = 0; i < tokens.Count; i++)
        {
            bool first = i == 0 && scheme != PrependScheme.Never;
            tokens[i] = tokens[i].Replace(replacement, first ? "" : " ", StringComparison.Ordinal);
        }

        return tokens;
    }
}

/// <summary>Byte tokens, written &lt;0xHH&gt;.</summary>
internal static class ByteToken
{
    /// <summary>The token of a byte.</summary>
    public static string Name(int value) => string.Create(CultureInfo.InvariantCulture, $"<0x{value:X2}>");

    /// <summary>Whether a token is written like a byte token, well or badly.</summary>
    public static bool LooksLike(string token) => token is ['<', '0', 'x', _, _, '>'];

    /// <summary>The byte of a token, or null.</summary>
    public static byte? Value(string token) =>
        LooksLike(token) && byte.TryParse(token.AsSpan(3, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out byte value) ? value : null;
}
