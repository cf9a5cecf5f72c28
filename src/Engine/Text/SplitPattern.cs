namespace NativeEngine.Text;

/// <summary>One step of a pattern. <paramref name="next"/> is null after the last.</summary>
internal abstract class PatternNode(PatternNode? next)
{
    public PatternNode? Next => next;
}

/// <summary>Min to Max characters of a class, as many as possible; not given back again when Possessive.</summary>
internal sealed class RepeatNode(CharClass set, int min, int max, bool possessive, PatternNode? next) : PatternNode(next)
{
    public CharClass Set => set;

    public int Min => min;

    public int Max => max;

    public bool Possessive => possessive;
}

/// <summary>The first of several ways on that leads to a match; each includes what follows the branch. A null way is the end.</summary>
internal sealed class BranchNode(PatternNode?[] ways) : PatternNode(null)
{
    public PatternNode?[] Ways => ways;
}

/// <summary>Matches nothing, where the next character is (or is not) in a class.</summary>
internal sealed class LookaheadNode(CharClass set, bool negative, PatternNode? next) : PatternNode(next)
{
    public CharClass Set => set;

    public bool Negative => negative;
}

/// <summary>
/// The regular expressions of tokenizer files: alternatives of repeated character classes, matched by leftmost-first backtracking as
/// Oniguruma does. The depth of calls is bounded by the pattern, the work by a budget linear in the text.
/// </summary>
internal sealed class SplitPattern
{
    private const int StepsPerByte = 64;
    private const int StepsAlways = 1_000_000;
    private readonly string source;
    private readonly PatternNode?[] alternatives;
    private readonly int[][] startingWith; // by ASCII character: the alternatives that can begin with it

    public SplitPattern(string source, PatternNode?[] alternatives)
    {
        this.source = source;
        this.alternatives = alternatives;
        startingWith = new int[128][];
        for (int c = 0; c < 128; c++)
        {
            startingWith[c] = [.. Enumerable.Range(0, alternatives.Length).Where(a => CanStart(alternatives[a], (byte)c, []))];
        }
    }

    /// <summary>Adds to <paramref name="found"/> the matches in <paramref name="text"/> and what lies between them, in order.</summary>
    /// <exception cref="EngineException">NE4108: the pattern needs more than linear time on this text</exception>
    public void FindAll(ReadOnlySpan<byte> text, List<(int Start, int End, bool IsMatch)> found)
    {
        long budget = StepsAlways + (long)StepsPerByte * text.Length;
        int gap = 0;
        int position = 0;
        while (position < text.Length)
        {
            int end = MatchAt(text, position, ref budget);
            if (end > position)
            {
                if (gap < position)
                {
                    found.Add((gap, position, false));
                }

                found.Add((position, end, true));
                gap = position = end;
            }
            else
            {
                position += Utf8.SequenceLength(text[position]);
            }
        }

        if (gap < text.Length)
        {
            found.Add((gap, text.Length, false));
        }
    }

    private int MatchAt(ReadOnlySpan<byte> text, int position, ref long budget)
    {
        byte first = text[position];
        if (first < 128)
        {
            foreach (int alternative in startingWith[first])
            {
                int end = Match(alternatives[alternative], text, position, ref budget);
                if (end > position)
                {
                    return end;
                }
            }

            return -1;
        }

        foreach (PatternNode? alternative in alternatives)
        {
            int end = Match(alternative, text, position, ref budget);
            if (end > position)
            {
                return end;
            }
        }

        return -1;
    }

    /// <summary>The end of the match of <paramref name="node"/> and all after it, or -1.</summary>
    private int Match(PatternNode? node, ReadOnlySpan<byte> text, int position, ref long budget)
    {
        while (node is not null)
        {
            switch (node)
            {
                case RepeatNode repeat:
                    int longest = position;
                    int count = 0;
                    for (int length; count < repeat.Max && (length = repeat.Set.Match(text, longest)) > 0; count++)
                    {
                        longest += length;
                    }

                    Spend(ref budget, count + 1);
                    if (count < repeat.Min)
                    {
                        return -1;
                    }

                    if (repeat.Next is not null && !repeat.Possessive)
                    {
                        return GiveBack(repeat, text, longest, count, ref budget);
                    }

                    position = longest;
                    break;

                case LookaheadNode lookahead:
                    if (lookahead.Set.Match(text, position) > 0 == lookahead.Negative)
                    {
                        return -1;
                    }

                    break;

                case BranchNode branch:
                    foreach (PatternNode? way in branch.Ways)
                    {
                        Spend(ref budget, 1);
                        int end = Match(way, text, position, ref budget);
                        if (end >= 0)
                        {
                            return end;
                        }
                    }

                    return -1;
            }

            node = node.Next;
        }

        return position;
    }

    private int GiveBack(RepeatNode repeat, ReadOnlySpan<byte> text, int longest, int count, ref long budget)
    {
        for (int position = longest; ; position = Utf8.Previous(text, position), count--)
        {
            int end = Match(repeat.Next, text, position, ref budget);
            if (end >= 0 || count == repeat.Min)
            {
                return end;
            }

            Spend(ref budget, 1);
        }
    }

    private void Spend(ref long budget, int steps)
    {
        budget -= steps;
        if (budget < 0)
        {
            throw new EngineException("NE4108", "the split pattern of this tokenizer backtracks too much on this text")
            {
                Key = "pre_tokenizer",
                Found = source,
                Expected = $"at most {StepsPerByte} steps per byte",
                Hint = "use a tokenizer whose pattern runs in linear time, or tokenize the text elsewhere and pass ids",
            };
        }
    }

    /// <summary>Whether a match that is not empty can begin with <paramref name="c"/>; <paramref name="failed"/> holds nodes that cannot.</summary>
    private static bool CanStart(PatternNode? node, byte c, HashSet<PatternNode> failed) => node is not null && failed.Add(node) && node switch
    {
        RepeatNode repeat => repeat.Set.ContainsAscii(c) || (repeat.Min == 0 && CanStart(repeat.Next, c, failed)),
        BranchNode branch => branch.Ways.Any(way => CanStart(way, c, failed)),
        LookaheadNode lookahead => lookahead.Set.ContainsAscii(c) != lookahead.Negative && CanStart(lookahead.Next, c, failed),
        _ => false,
    };
}
