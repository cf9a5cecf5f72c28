using System.Text;

namespace NativeEngine.Text;

/// <summary>One member of a character class: code points from First to Last, or all of some Unicode categories, or white space.</summary>
/// <param name="First">first code point; ignored when Categories is not 0 or WhiteSpace is set</param>
/// <param name="Last">last code point</param>
/// <param name="Categories">bit c: UnicodeCategory c belongs to it</param>
/// <param name="WhiteSpace">the property White_Space</param>
/// <param name="Negated">everything but that</param>
internal readonly record struct ClassMember(int First, int Last, int Categories = 0, bool WhiteSpace = false, bool Negated = false)
{
    public bool Contains(Rune rune)
    {
        bool found = WhiteSpace ? UnicodeClasses.IsWhiteSpace(rune)
            : Categories != 0 ? ((Categories >> (int)UnicodeClasses.Category(rune)) & 1) != 0
            : First <= rune.Value && rune.Value <= Last;
        return found != Negated;
    }
}

/// <summary>A set of characters, such as [^\r\n\p{L}\p{N}].</summary>
internal sealed class CharClass
{
    private readonly bool[] ascii = new bool[128];
    private readonly ClassMember[] members;
    private readonly bool negated;

    public CharClass(IReadOnlyList<ClassMember> members, bool negated = false)
    {
        this.members = [.. members];
        this.negated = negated;
        for (int c = 0; c < 128; c++)
        {
            ascii[c] = Find(new Rune(c));
        }
    }

    public bool ContainsAscii(byte c) => ascii[c];

    /// <summary>The length in bytes of the character at <paramref name="position"/> if it belongs to the class, else 0.</summary>
    public int Match(ReadOnlySpan<byte> text, int position)
    {
        if ((uint)position >= (uint)text.Length)
        {
            return 0;
        }

        byte first = text[position];
        if (first < 128)
        {
            return ascii[first] ? 1 : 0;
        }

        Rune.DecodeFromUtf8(text[position..], out Rune rune, out int length);
        return Find(rune) ? length : 0;
    }

    private bool Find(Rune rune)
    {
        foreach (ClassMember member in members)
        {
            if (member.Contains(rune))
            {
                return !negated;
            }
        }

        return negated;
    }
}
