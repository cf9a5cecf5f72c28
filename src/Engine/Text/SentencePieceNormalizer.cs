using System.Buffers;

namespace NativeEngine.Text;

/// <summary>The normalizer of SentencePiece: character map, extra spaces, the space in front, and ▁ for spaces.</summary>
internal sealed class SentencePieceNormalizer(SentencePieceModel model, bool addDummyPrefix, Utf8Trie userDefined)
{
    private readonly byte[] space = model.EscapeWhitespaces ? Utf8.Space.ToArray() : " "u8.ToArray();

    public void Normalize(ReadOnlySpan<byte> text, ArrayBufferWriter<byte> output)
    {
        output.ResetWrittenCount();
        if (model.CharsMap is null && !model.RemoveExtraWhitespaces)
        {
            if (addDummyPrefix && text.Length > 0)
            {
                output.Write(space);
            }

            ReplaceNormalizer.Replace(text, " "u8, space, output);
            return;
        }

        NormalizeByCharacter(text, output);
    }

    private void NormalizeByCharacter(ReadOnlySpan<byte> text, ArrayBufferWriter<byte> output)
    {
        bool afterSpace = model.RemoveExtraWhitespaces; // spaces at the start are extra
        bool empty = true;
        while (text.Length > 0)
        {
            ReadOnlySpan<byte> part = First(text, out int length);
            text = text[length..];
            while (afterSpace && part.StartsWith(" "u8))
            {
                part = part[1..];
            }

            if (part.Length > 0)
            {
                if (empty && addDummyPrefix)
                {
                    output.Write(space);
                }

                empty = false;
                ReplaceNormalizer.Replace(part, " "u8, space, output);
                afterSpace = model.RemoveExtraWhitespaces && part.EndsWith(" "u8);
            }
        }

        if (model.RemoveExtraWhitespaces)
        {
            ReadOnlySpan<byte> written = output.WrittenSpan;
            while (written.EndsWith(space))
            {
                written = written[..^space.Length];
            }

            byte[] trimmed = written.ToArray();
            output.ResetWrittenCount();
            output.Write(trimmed);
        }
    }

    /// <summary>What the first few bytes become, and how many they are. User-defined pieces stay as they are.</summary>
    private ReadOnlySpan<byte> First(ReadOnlySpan<byte> text, out int length)
    {
        if (userDefined.Longest(text, out length) < 0)
        {
            if (model.CharsMap is { } map && map.TryReplace(text, out length, out ReadOnlySpan<byte> replacement))
            {
                return replacement;
            }

            length = Utf8.SequenceLength(text[0]);
        }

        return text[..length];
    }
}
