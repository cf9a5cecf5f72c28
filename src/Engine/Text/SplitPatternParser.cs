using System.Globalization;
using System.Text;

namespace NativeEngine.Text;

/// <summary>
/// Reads the dialect of regular expressions that tokenizer files use: alternatives, classes, \p{..}, greedy and possessive quantifiers on
/// single characters, (?: ), (?i: ), optional groups, and lookahead at one character. Anything else is refused by name.
/// </summary>
internal sealed partial class SplitPatternParser
{
    private const int MaxLength = 1024; // bounds the depth of calls while matching
    private const int MaxDepth = 16;
    private const int Unbounded = int.MaxValue;
    private readonly string source;
    private readonly string file;
    private int at;
    private int depth;

    private SplitPatternParser(string source, string file) => (this.source, this.file) = (source, file);

    /// <summary>A part of the pattern, which becomes a node once it is known what follows.</summary>
    private delegate PatternNode? Fragment(PatternNode? next);

    /// <exception cref="EngineException">NE4107: the pattern uses something that is not supported</exception>
    public static SplitPattern Parse(string source, string file)
    {
        var parser = new SplitPatternParser(source, file);
        if (source.Length is 0 or > MaxLength)
        {
            throw parser.Unsupported($"a pattern of {source.Length} characters");
        }

        List<Fragment> alternatives = parser.Alternatives(ignoreCase: false);
        return parser.at == source.Length
            ? new SplitPattern(source, [.. alternatives.Select(alternative => alternative(null))])
            : throw parser.Unsupported("')' without '('");
    }

    private List<Fragment> Alternatives(bool ignoreCase)
    {
        if (++depth > MaxDepth)
        {
            throw Unsupported($"groups nested more than {MaxDepth} deep");
        }

        var alternatives = new List<Fragment>();
        do
        {
            alternatives.Add(Sequence(ignoreCase));
        }
        while (Skip('|'));
        depth--;
        return alternatives;
    }

    private Fragment Sequence(bool ignoreCase)
    {
        var steps = new List<Fragment>();
        while (at < source.Length && source[at] is not ('|' or ')'))
        {
            steps.Add(source[at] == '(' ? Group(ignoreCase) : Repeat(Atom(ignoreCase)));
        }

        return next =>
        {
            for (int i = steps.Count - 1; i >= 0; i--)
            {
                next = steps[i](next);
            }

            return next;
        };
    }

    private Fragment Group(bool ignoreCase)
    {
        at++;
        bool positive = Skip("?=");
        if (positive || Skip("?!"))
        {
            CharClass ahead = Atom(ignoreCase);
            return Skip(')') ? next => new LookaheadNode(ahead, !positive, next) : throw Unsupported("a lookahead at more than one character");
        }

        bool plain = Skip("?:");
        bool inside = (!plain && Skip("?i:")) || ignoreCase;
        if (Peek() == '?')
        {
            throw Unsupported("this kind of group");
        }

        List<Fragment> ways = Alternatives(inside);
        if (!Skip(')'))
        {
            throw Unsupported("'(' without ')'");
        }

        bool optional = Skip('?');
        if (at < source.Length && source[at] is '*' or '+' or '{' or '?')
        {
            throw Unsupported("a repeated group");
        }

        return next => new BranchNode([.. ways.Select(way => way(next)), .. optional ? [next] : Array.Empty<PatternNode?>()]);
    }

    private Fragment Repeat(CharClass set)
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
            return next => new RepeatNode(set, 1, 1, possessive: false, next);
        }

        bool possessive = !braces && Skip('+');
        if (at < source.Length && source[at] is '?' or '*' or '+' or '{')
        {
            throw Unsupported("a lazy or doubled quantifier");
        }

        return next => new RepeatNode(set, min, max, possessive, next);
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
