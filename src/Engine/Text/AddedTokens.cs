using System.Buffers;
using System.Text;

namespace NativeEngine.Text;

/// <summary>A token that is found in the text before anything else is done with it.</summary>
/// <param name="Id">its id</param>
/// <param name="Content">its text</param>
/// <param name="SingleWord">only where it does not touch another word</param>
/// <param name="LStrip">swallows white space before it</param>
/// <param name="RStrip">swallows white space after it</param>
/// <param name="Normalized">looked for in the normalized text</param>
/// <param name="Special">left out of decoded text on request</param>
internal sealed record AddedToken(int Id, string Content, bool SingleWord, bool LStrip, bool RStrip, bool Normalized, bool Special);

/// <summary>A stretch of text: ordinary when Id is below 0, else the token found there.</summary>
internal readonly record struct Segment(int Start, int End, int Id);

/// <summary>Finds added tokens in a text: the leftmost, of those the longest, of those the first in the list.</summary>
internal sealed class AddedTokenMatcher
{
    private readonly Utf8Trie trie = new();
    private readonly List<AddedToken> tokens = [];
    private readonly SearchValues<byte> firstBytes;

    /// <param name="patterns">each token with the bytes to look for, which must not be empty</param>
    public AddedTokenMatcher(IEnumerable<(byte[] Bytes, AddedToken Token)> patterns)
    {
        var first = new HashSet<byte>();
        foreach ((byte[] bytes, AddedToken token) in patterns)
        {
            trie.TryAdd(bytes, tokens.Count);
            tokens.Add(token);
            first.Add(bytes[0]);
        }

        firstBytes = SearchValues.Create([.. first]);
    }

    public bool IsEmpty => tokens.Count == 0;

    /// <summary>Divides <paramref name="text"/> into tokens and ordinary stretches.</summary>
    public void Split(ReadOnlySpan<byte> text, List<Segment> segments)
    {
        segments.Clear();
        int done = 0;
        for (int at = 0; at < text.Length;)
        {
            int skip = text[at..].IndexOfAny(firstBytes);
            if (skip < 0)
            {
                break;
            }

            at += skip;
            int found = trie.Longest(text[at..], out int length);
            if (found < 0)
            {
                at++;
                continue;
            }

            AddedToken token = tokens[found];
            (int start, int end) = (at, at + length);
            at = end;
            if (token.SingleWord && (EndsWithWord(text[..start]) || StartsWithWord(text[end..])))
            {
                continue;
            }

            start = token.LStrip ? int.Max(TrimEnd(text, start), done) : start;
            end = token.RStrip ? TrimStart(text, end) : end;
            if (done < start)
            {
                segments.Add(new Segment(done, start, -1));
            }

            segments.Add(new Segment(start, end, token.Id));
            done = end;
        }

        if (done < text.Length)
        {
            segments.Add(new Segment(done, text.Length, -1));
        }
    }

    private static bool EndsWithWord(ReadOnlySpan<byte> text) =>
        Rune.DecodeLastFromUtf8(text, out Rune rune, out _) == OperationStatus.Done && UnicodeClasses.IsWordCharacter(rune);

    private static bool StartsWithWord(ReadOnlySpan<byte> text) =>
        Rune.DecodeFromUtf8(text, out Rune rune, out _) == OperationStatus.Done && UnicodeClasses.IsWordCharacter(rune);

    private static int TrimEnd(ReadOnlySpan<byte> text, int end)
    {
        while (Rune.DecodeLastFromUtf8(text[..end], out Rune rune, out int length) == OperationStatus.Done && UnicodeClasses.IsWhiteSpace(rune))
        {
            end -= length;
        }

        return end;
    }

    private static int TrimStart(ReadOnlySpan<byte> text, int start)
    {
        while (Rune.DecodeFromUtf8(text[start..], out Rune rune, out int length) == OperationStatus.Done && UnicodeClasses.IsWhiteSpace(rune))
        {
            start += length;
        }

        return start;
    }
}
