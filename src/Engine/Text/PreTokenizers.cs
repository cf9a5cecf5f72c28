using System.Buffers;
using System.Text;

namespace NativeEngine.Text;

/// <summary>What becomes of the matches of a splitter.</summary>
internal enum SplitBehavior
{
    /// <summary>A match is a piece.</summary>
    Isolated,

    /// <summary>A match is dropped.</summary>
    Removed,

    /// <summary>A match ends the piece before it.</summary>
    MergedWithPrevious,

    /// <summary>A match begins the piece after it.</summary>
    MergedWithNext,

    /// <summary>Adjacent matches are one piece.</summary>
    Contiguous,
}

/// <summary>Cuts pieces where something matches.</summary>
internal abstract class SplitStage(SplitBehavior behavior, bool invert) : TextStage
{
    public override void Apply(Pieces pieces) => pieces.Split((p, piece) =>
    {
        List<(int Start, int End, bool IsMatch)> found = p.Matches;
        found.Clear();
        Find(p[piece], found);
        for (int i = 0; i < found.Count;)
        {
            int last = Last(found, i);
            if (behavior != SplitBehavior.Removed || !IsMatch(found[i].IsMatch))
            {
                p.Cut(piece, found[i].Start, found[last].End);
            }

            i = last + 1;
        }
    });

    /// <summary>Adds to <paramref name="found"/> the matches and what lies between them, in order.</summary>
    protected abstract void Find(ReadOnlySpan<byte> text, List<(int Start, int End, bool IsMatch)> found);

    /// <summary>The last entry of the piece that begins with entry <paramref name="i"/>.</summary>
    private int Last(List<(int Start, int End, bool IsMatch)> found, int i)
    {
        bool match = IsMatch(found[i].IsMatch);
        switch (behavior)
        {
            case SplitBehavior.Contiguous:
                while (i + 1 < found.Count && IsMatch(found[i + 1].IsMatch) == match)
                {
                    i++;
                }

                return i;
            case SplitBehavior.MergedWithPrevious:
                return i + 1 < found.Count && !match && IsMatch(found[i + 1].IsMatch) ? i + 1 : i;
            case SplitBehavior.MergedWithNext:
                return i + 1 < found.Count && match && !IsMatch(found[i + 1].IsMatch) ? i + 1 : i;
            default:
                return i;
        }
    }

    private bool IsMatch(bool found) => found != invert;
}

/// <summary>Splits by a regular expression.</summary>
internal sealed class PatternSplit(SplitPattern pattern, SplitBehavior behavior, bool invert) : SplitStage(behavior, invert)
{
    protected override void Find(ReadOnlySpan<byte> text, List<(int Start, int End, bool IsMatch)> found) => pattern.FindAll(text, found);
}

/// <summary>Splits at a string.</summary>
internal sealed class StringSplit(byte[] pattern, SplitBehavior behavior, bool invert) : SplitStage(behavior, invert)
{
    protected override void Find(ReadOnlySpan<byte> text, List<(int Start, int End, bool IsMatch)> found)
    {
        int start = 0;
        for (int at = text.IndexOf(pattern); at >= 0; at = text[start..].IndexOf(pattern))
        {
            if (at > 0)
            {
                found.Add((start, start + at, false));
            }

            found.Add((start + at, start + at + pattern.Length, true));
            start += at + pattern.Length;
        }

        if (start < text.Length)
        {
            found.Add((start, text.Length, false));
        }
    }
}

/// <summary>Splits digits from the rest, one by one or in runs.</summary>
internal sealed class DigitsSplit(bool individual) : SplitStage(individual ? SplitBehavior.Isolated : SplitBehavior.Contiguous, invert: false)
{
    protected override void Find(ReadOnlySpan<byte> text, List<(int Start, int End, bool IsMatch)> found)
    {
        int gap = 0;
        for (int at = 0, length; at < text.Length; at += length)
        {
            if (UnicodeClasses.IsNumeric(Utf8.RuneAt(text, at, out length)))
            {
                if (gap < at)
                {
                    found.Add((gap, at, false));
                }

                found.Add((at, at + length, true));
                gap = at + length;
            }
        }

        if (gap < text.Length)
        {
            found.Add((gap, text.Length, false));
        }
    }
}

/// <summary>The first half of ByteLevel: a space in front of pieces that begin without one. (GPT-2's pattern is a <see cref="PatternSplit"/>.)</summary>
internal sealed class PrefixSpace : TextStage
{
    public override void Apply(Pieces pieces) => pieces.Rewrite((p, i, output) =>
    {
        if (!p[i].StartsWith(" "u8))
        {
            output.Write(" "u8);
        }

        output.Write(p[i]);
    });
}

/// <summary>Where <see cref="Metaspace"/> puts a replacement in front.</summary>
internal enum PrependScheme
{
    /// <summary>Every piece.</summary>
    Always,

    /// <summary>The piece at the start of the input.</summary>
    First,

    /// <summary>No piece.</summary>
    Never,
}

/// <summary>Writes spaces as a visible character, usually ▁, and may split in front of each.</summary>
internal sealed class Metaspace(Rune replacement, PrependScheme scheme, bool split) : TextStage
{
    private readonly byte[] space = Encoding.UTF8.GetBytes(replacement.ToString());

    private readonly StringSplit? splitter =
        split ? new StringSplit(Encoding.UTF8.GetBytes(replacement.ToString()), SplitBehavior.MergedWithNext, invert: false) : null;

    public override void Apply(Pieces pieces)
    {
        pieces.Rewrite((p, i, output) =>
        {
            ReadOnlySpan<byte> text = p[i];
            bool wanted = scheme == PrependScheme.Always || (scheme == PrependScheme.First && i == 0 && p.AtStart);
            if (wanted && !text.StartsWith(" "u8) && !text.StartsWith(space))
            {
                output.Write(space);
            }

            ReplaceNormalizer.Replace(text, " "u8, space, output);
        });
        splitter?.Apply(pieces);
    }
}
