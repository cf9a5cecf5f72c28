using System.Globalization;
using System.Text;

namespace NativeEngine.Text;

/// <summary>
/// Reads the dialect of regular expressions that tokenizer files use: alternatives, classes, \p{..}, greedy and possessive quantifiers on
/// single characters, (?: ), (?i: ), optional groups, and lookahead at one character. Anything else is refused by name.
/// </summary>
internal sealed class SplitPatternParser
{
    private const int MaxLength = 4096;
    private const int MaxDepth = 16;
    private const int Unbounded = int.MaxValue;
    private readonly string source;
    private readonly string file;
    private int at;
    private int depth;

    private SplitPatternParser(string source, string file) => (this.source, this.file) = (source, file);

    /// <exception cref="EngineException">NE4107: the pattern uses something that is not supported</exception>
    public static SplitPattern Parse(string source, string file)
    {
        var parser = new SplitPatternParser(source, file);
        if (source.Length is 0 or > MaxLength)
        {
            throw parser.Unsupported($"a pattern of {source.Length} characters");
        }

        PatternNode?[] alternatives = parser.Alternatives(ignoreCase: false);
        return parser.at == source.Length ? new SplitPattern(source, alternatives) : throw parser.Unsupported("')' without '('");
    }

    private PatternNode?[] Alternatives(bool ignoreCase)
    {
        if (++depth > MaxDepth)
        {
            throw Unsupported($"groups nested more than {MaxDepth} deep");
        }

        var alternatives = new List<PatternNode?>();
        do
        {
            alternatives.Add(Sequence(ignoreCase));
        }
        while (Skip('|'));
        depth--;
        return [.. alternatives];
    }

    private PatternNode? Sequence(bool ignoreCase)
    {
        PatternNode? first = null;
        PatternNode? last = null;
        while (at < source.Length && source[at] is not ('|' or ')'))
        {
            PatternNode node = source[at] == '(' ? Group(ignoreCase) : Repeat(Atom(ignoreCase));
            first ??= node;
            last?.Next = node;
            last = node;
        }

        Link(first);
        return first;
    }

    /// <summary>Lets the ways of each branch go on with what follows the branch.</summary>
    private static void Link(PatternNode? node)
    {
        for (; node is not null; node = node.Next)
        {
            if (node is BranchNode { Next: { } rest } branch)
            {
                foreach (PatternNode? way in branch.Ways)
                {
                    Append(way, rest);
                }
            }
        }
    }

    private static void Append(PatternNode? node, PatternNode rest)
    {
        while (node is not null && node.Next != rest)
        {
            if (node is BranchNode branch)
            {
                foreach (PatternNode? way in branch.Ways)
                {
                    Append(way, rest);
                }
            }

            if (node.Next is null)
            {
                node.Next = rest;
                return;
            }

            node = node.Next;
        }
    }

    private PatternNode Group(bool ignoreCase)
    {
        at++;
        bool positive = Skip("?=");
        if (positive || Skip("?!"))
        {
            var lookahead = new LookaheadNode(Atom(ignoreCase), negative: !positive);
            return Skip(')') ? lookahead : throw Unsupported("a lookahead at more than one character");
        }

        bool plain = Skip("?:");
        bool inside = (!plain && Skip("?i:")) || ignoreCase;
        if (Peek() == '?')
        {
            throw Unsupported("this kind of group");
        }

        PatternNode?[] ways = Alternatives(inside);
        if (!Skip(')'))
        {
            throw Unsupported("'(' without ')'");
        }

        bool optional = Skip('?');
        if (at < source.Length && source[at] is '*' or '+' or '{' or '?')
        {
            throw Unsupported("a repeated group");
        }

        return new BranchNode(optional ? [.. ways, null] : ways);
    }

    private RepeatNode Repeat(CharClass set)
    {
        (int min, int max) = (1, 1);
        bool braces = false;
        if (Skip('?'))
        {
            (min, max) = (0, 1);
        }
        else if (Skip('*'))
        {
            (min, max) = (0, Unbounded);
        }
        else if (Skip('+'))
        {
            (min, max) = (1, Unbounded);
        }
        else if (Skip('{'))
        {
            braces = true;
            min = Number();
            max = !Skip(',') ? min : at < source.Length && source[at] == '}' ? Unbounded : Number();
            if (!Skip('}') || max < min || max == 0)
            {
                throw Unsupported("this {min,max}");
            }
        }
        else
        {
            return new RepeatNode(set, 1, 1, possessive: false);
        }

        bool possessive = !braces && Skip('+');
        if (at < source.Length && source[at] is '?' or '*' or '+' or '{')
        {
            throw Unsupported("a lazy or doubled quantifier");
        }

        return new RepeatNode(set, min, max, possessive);
    }

    private int Number()
    {
        int start = at;
        while (at < source.Length && char.IsAsciiDigit(source[at]))
        {
            at++;
        }

        return int.TryParse(source.AsSpan(start, at - start), NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number <= 1000
            ? number
            : throw Unsupported("this {min,max}");
    }

    private CharClass Atom(bool ignoreCase)
    {
        switch (Peek())
        {
            case '[':
                at++;
                return Class(ignoreCase);
            case '\\':
                return new CharClass([Escape()]);
            case '.':
                at++;
                return new CharClass([new ClassMember('\n', '\n')], negated: true);
            case '^' or '$' or '*' or '+' or '?' or '{' or '(' or ')' or '|':
                throw Unsupported($"'{source[at]}' here");
            default:
                int c = Literal();
                return new CharClass(ignoreCase ? CaseVariants(c) : [new ClassMember(c, c)]);
        }
    }

    private CharClass Class(bool ignoreCase)
    {
        bool negated = Skip('^');
        var members = new List<ClassMember>();
        while (Peek() != ']')
        {
            if (source[at] == '[' || Skip("&&"))
            {
                throw Unsupported("a class inside a class");
            }

            ClassMember member = source[at] == '\\' ? Escape() : Single(Literal());
            bool single = member is { Categories: 0, WhiteSpace: false } && member.First == member.Last;
            if (single && at + 1 < source.Length && source[at] == '-' && source[at + 1] != ']')
            {
                at++;
                ClassMember end = source[at] == '\\' ? Escape() : Single(Literal());
                member = end.First == end.Last && end.First >= member.First ? new ClassMember(member.First, end.Last) : throw Unsupported("this range");
                single = false;
            }

            if (ignoreCase && !single && member.Categories == 0 && !member.WhiteSpace)
            {
                throw Unsupported("a range without regard to case");
            }

            members.AddRange(ignoreCase && single ? CaseVariants(member.First) : [member]);
        }

        at++;
        return members.Count > 0 ? new CharClass(members, negated) : throw Unsupported("an empty class");
    }

    private static ClassMember Single(int c) => new(c, c);

    private ClassMember Escape()
    {
        at++;
        char c = Peek();
        at++;
        switch (c)
        {
            case 's' or 'S':
                return new ClassMember(0, 0, WhiteSpace: true, Negated: c == 'S');
            case 'd' or 'D':
                return new ClassMember(0, 0, Bit(UnicodeCategory.DecimalDigitNumber), Negated: c == 'D');
            case 'p' or 'P':
                return Property(c == 'P');
            case 'r':
                return Single('\r');
            case 'n':
                return Single('\n');
            case 't':
                return Single('\t');
            case 'f':
                return Single('\f');
            case 'v':
                return Single('\v');
            default:
                return char.IsAsciiLetterOrDigit(c) ? throw Unsupported($"\\{c}") : Single(c);
        }
    }

    private ClassMember Property(bool negated)
    {
        int end = Skip('{') ? source.IndexOf('}', at) : -1;
        string name = end < 0 ? throw Unsupported("\\p without {name}") : source[at..end];
        at = end + 1;
        return new ClassMember(0, 0, Categories(name), Negated: negated);
    }

    /// <summary>The bits of a general category such as L or Lu; UnicodeCategory lists them in the order of <c>names</c>.</summary>
    private int Categories(string name)
    {
        const string Names = "LuLlLtLmLoMnMcMeNdNlNoZsZlZpCcCfCsCoPcPdPsPePiPfPoSmScSkSoCn";
        int bits = 0;
        for (int category = 0; 2 * category < Names.Length; category++)
        {
            if (name.Length is 1 or 2 && Names.AsSpan(2 * category, 2).StartsWith(name, StringComparison.Ordinal))
            {
                bits |= 1 << category;
            }
        }

        return bits != 0 ? bits : throw Unsupported($"\\p{{{name}}}");
    }

    private static int Bit(UnicodeCategory category) => 1 << (int)category;

    /// <summary>All characters that fold to the same as an ASCII letter; the long s and the Kelvin sign among them.</summary>
    private List<ClassMember> CaseVariants(int c)
    {
        if (c >= 128)
        {
            throw Unsupported("a character beyond ASCII without regard to case");
        }

        List<ClassMember> variants = [Single(c)];
        if (char.IsAsciiLetter((char)c))
        {
            variants.Add(Single(c ^ 0x20));
        }

        if ((c | 0x20) is 's' or 'k')
        {
            variants.Add(Single((c | 0x20) == 's' ? 0x17F : 0x212A));
        }

        return variants;
    }

    private int Literal()
    {
        if (!Rune.TryGetRuneAt(source, at, out Rune rune))
        {
            throw Unsupported("half a surrogate pair");
        }

        at += rune.Utf16SequenceLength;
        return rune.Value;
    }

    private char Peek() => at < source.Length ? source[at] : throw Unsupported("an end in the middle");

    private bool Skip(char c) => Skip([c]);

    private bool Skip(ReadOnlySpan<char> token)
    {
        bool found = source.AsSpan(at).StartsWith(token, StringComparison.Ordinal);
        at += found ? token.Length : 0;
        return found;
    }

    private EngineException Unsupported(string what) => new("NE4107", $"a split pattern uses {what} (at character {at})")
    {
        File = file,
        Key = "pre_tokenizer",
        Found = source.Length > 200 ? source[..200] + "…" : source,
        Expected = "alternatives of character classes with quantifiers, as GPT-2, Llama 3 and Qwen have",
        Hint = "open an issue with the pattern; --tokenizer slow may work where there is a tokenizer.model",
    };
}
