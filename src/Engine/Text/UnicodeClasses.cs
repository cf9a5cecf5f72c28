using System.Globalization;
using System.Text;

namespace NativeEngine.Text;

/// <summary>
/// Character classes as the reference tokenizers see them: Unicode 14. Letters that .NET knows from later versions are unassigned there,
/// which changes where a text is split.
/// </summary>
internal static class UnicodeClasses
{
    /// <summary>Code points assigned in Unicode 15 and 16, first and last.</summary>
    private static readonly (int First, int Last)[] AssignedLater =
    [
        (0x897, 0x897), (0xCF3, 0xCF3), (0xECE, 0xECE), (0x1B4E, 0x1B4F), (0x1B7F, 0x1B7F), (0x1C89, 0x1C8A), (0x2427, 0x2429),
        (0x2FFC, 0x2FFF), (0x31E4, 0x31E5), (0x31EF, 0x31EF), (0xA7CB, 0xA7CD), (0xA7DA, 0xA7DC), (0x105C0, 0x105F3),
        (0x10D40, 0x10D65), (0x10D69, 0x10D85), (0x10D8E, 0x10D8F), (0x10EC2, 0x10EC4), (0x10EFC, 0x10EFF), (0x1123F, 0x11241),
        (0x11380, 0x11389), (0x1138B, 0x1138B), (0x1138E, 0x1138E), (0x11390, 0x113B5), (0x113B7, 0x113C0), (0x113C2, 0x113C2),
        (0x113C5, 0x113C5), (0x113C7, 0x113CA), (0x113CC, 0x113D5), (0x113D7, 0x113D8), (0x113E1, 0x113E2), (0x116D0, 0x116E3),
        (0x11B00, 0x11B09), (0x11BC0, 0x11BE1), (0x11BF0, 0x11BF9), (0x11F00, 0x11F10), (0x11F12, 0x11F3A), (0x11F3E, 0x11F5A),
        (0x1342F, 0x1342F), (0x13439, 0x13455), (0x13460, 0x143FA), (0x16100, 0x16139), (0x16D40, 0x16D79), (0x18CFF, 0x18CFF),
        (0x1B132, 0x1B132), (0x1B155, 0x1B155), (0x1CC00, 0x1CCF9), (0x1CD00, 0x1CEB3), (0x1D2C0, 0x1D2D3), (0x1DF25, 0x1DF2A),
        (0x1E030, 0x1E06D), (0x1E08F, 0x1E08F), (0x1E4D0, 0x1E4F9), (0x1E5D0, 0x1E5FA), (0x1E5FF, 0x1E5FF), (0x1F6DC, 0x1F6DC),
        (0x1F774, 0x1F776), (0x1F77B, 0x1F77F), (0x1F7D9, 0x1F7D9), (0x1F8B2, 0x1F8BB), (0x1F8C0, 0x1F8C1), (0x1FA75, 0x1FA77),
        (0x1FA87, 0x1FA89), (0x1FA8F, 0x1FA8F), (0x1FAAD, 0x1FAAF), (0x1FABB, 0x1FABF), (0x1FAC6, 0x1FAC6), (0x1FACE, 0x1FACF),
        (0x1FADA, 0x1FADC), (0x1FADF, 0x1FADF), (0x1FAE8, 0x1FAE9), (0x1FAF7, 0x1FAF8), (0x1FBCB, 0x1FBEF), (0x2B739, 0x2B739),
        (0x2EBF0, 0x2EE5D), (0x31350, 0x323AF),
    ];

    public static UnicodeCategory Category(Rune rune)
    {
        UnicodeCategory category = CharUnicodeInfo.GetUnicodeCategory(rune.Value);
        return category != UnicodeCategory.OtherNotAssigned && IsAssignedLater(rune.Value) ? UnicodeCategory.OtherNotAssigned : category;
    }

    /// <summary>Nd, Nl or No.</summary>
    public static bool IsNumeric(Rune rune) =>
        Category(rune) is UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber;

    /// <summary>Mn, Mc or Me.</summary>
    public static bool IsMark(Rune rune) =>
        Category(rune) is UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark;

    /// <summary>The property White_Space.</summary>
    public static bool IsWhiteSpace(Rune rune) => rune.Value switch
    {
        ' ' or (>= 0x09 and <= 0x0D) => true,
        < 0x85 => false,
        0x85 or 0xA0 or 0x1680 or (>= 0x2000 and <= 0x200A) or 0x2028 or 0x2029 or 0x202F or 0x205F or 0x3000 => true,
        _ => false,
    };

    /// <summary>A character of a word: letter, mark, decimal digit, letter number, connector, joiner or enclosed letter.</summary>
    public static bool IsWordCharacter(Rune rune) =>
        Category(rune) is <= UnicodeCategory.LetterNumber or UnicodeCategory.ConnectorPunctuation
        || rune.Value is 0x200C or 0x200D or (>= 0x24B6 and <= 0x24E9)
            or (>= 0x1F130 and <= 0x1F149) or (>= 0x1F150 and <= 0x1F169) or (>= 0x1F170 and <= 0x1F189);

    private static bool IsAssignedLater(int codePoint)
    {
        if (codePoint < AssignedLater[0].First)
        {
            return false;
        }

        int low = 0;
        int high = AssignedLater.Length - 1;
        while (low < high)
        {
            int middle = (low + high) / 2;
            (low, high) = codePoint <= AssignedLater[middle].Last ? (low, middle) : (middle + 1, high);
        }

        return AssignedLater[low].First <= codePoint && codePoint <= AssignedLater[low].Last;
    }
}
