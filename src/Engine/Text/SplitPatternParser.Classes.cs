using System.Globalization;

namespace NativeEngine.Text;

/// <summary>Character classes: [..], escapes, \p{..}, and letters without regard to case.</summary>
internal sealed partial class SplitPatternParser
{
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
}
