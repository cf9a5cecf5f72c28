using System.Text;
using NativeEngine.Text;

namespace NativeEngine.Tests.Text;

/// <summary>The pieces that Oniguruma finds, for each construct of the patterns.</summary>
public sealed class SplitPatternTests
{
    [Theory]
    [InlineData(TokenizerComponents.Gpt2Pattern, "it's  12 x!\n\n y", "it|'s| | 12| x|!|\n\n| y")]
    [InlineData(@"\s+(?!\S)|\s+", "   a  ", "  | |[a]|  ")]
    [InlineData(@"\p{N}{1,3}", "12345", "123|45")]
    [InlineData(@"\p{N}{2}", "12345", "12|34|[5]")]
    [InlineData(@"\p{N}{2,}", "1 234", "[1 ]|234")]
    [InlineData(@"(?i:'s|'ll)", "x'S'LL'\u017F'l", "[x]|'S|'LL|'\u017F|['l]")]
    [InlineData(@"'(?i:[sdmt]|ll)", "a'Tb'LL", "[a]|'T|[b]|'LL")]
    [InlineData(@"[^\r\n\p{L}\p{N}]?\p{L}+", "$ab cd\nef", "$ab| cd|[\n]|ef")]
    [InlineData(@"\s*[\r\n]+", " \n \n x", " \n \n|[ x]")]
    [InlineData(@"[\p{Lu}\p{Lt}]*[\p{Ll}]+(?:'s|'t)?", "HELLOworld's It't ABC", "HELLOworld's|[ ]|It't|[ ABC]")]
    [InlineData(@"a++b?|.", "aab\nab", "aab|[\n]|ab")]
    [InlineData(@"a++a|b", "aaab", "[aaa]|b")]
    [InlineData(@"(?:x(?:a|b)|y)z", "xazxbzyzxz", "xaz|xbz|yz|[xz]")]
    [InlineData(@"a(?=b)|[a-c]", "abac", "a|b|a|c")]
    [InlineData(@"\p{Han}?|a", "", "unsupported")]
    [InlineData("漢+|é", "漢漢é字", "漢漢|é|[字]")]
    [InlineData(@"\d+|\D", "1\u0662x", "1\u0662|x")]
    [InlineData(@"[^\s]+", "a\u3000b\u200Bc", "a|[\u3000]|b\u200Bc")]
    public void Pieces(string pattern, string text, string expected)
    {
        if (expected == "unsupported")
        {
            Assert.Throws<EngineException>(() => SplitPatternParser.Parse(pattern, "x"));
            return;
        }

        byte[] utf8 = Encoding.UTF8.GetBytes(text);
        var found = new List<(int Start, int End, bool IsMatch)>();
        SplitPatternParser.Parse(pattern, "x").FindAll(utf8, found);
        string pieces = string.Join('|', found.Select(f => f.IsMatch ? Piece(f.Start, f.End) : $"[{Piece(f.Start, f.End)}]"));
        Assert.Equal(expected, pieces);

        string Piece(int start, int end) => Encoding.UTF8.GetString(utf8, start, end - start);
    }

    [Fact]
    public void Nested_choices_take_bounded_time()
    {
        string harmless = string.Concat(Enumerable.Repeat("(?:a?|b?)", 60)) + "c";
        var found = new List<(int Start, int End, bool IsMatch)>();
        SplitPatternParser.Parse(harmless, "x").FindAll("abc"u8, found);
        Assert.Equal((0, 3, true), Assert.Single(found));
        string hostile = string.Concat(Enumerable.Repeat("(?:a|a)", 60)) + "c";
        byte[] text = Encoding.UTF8.GetBytes(new string('a', 60));
        Assert.Equal("NE4108", Assert.Throws<EngineException>(() => SplitPatternParser.Parse(hostile, "x").FindAll(text, found)).Code);
    }

    [Theory]
    [InlineData(0x0041, true)]
    [InlineData(0x4E00, true)]
    [InlineData(0x1C89, false)] // a letter since Unicode 16
    [InlineData(0x10D4A, false)]
    [InlineData(0x31350, false)] // an ideograph since Unicode 15
    [InlineData(0x3134A, true)] // since Unicode 13
    public void Letters_are_those_of_Unicode_14(int codePoint, bool letter)
    {
        var found = new List<(int Start, int End, bool IsMatch)>();
        SplitPatternParser.Parse(@"\p{L}", "x").FindAll(Encoding.UTF8.GetBytes(char.ConvertFromUtf32(codePoint)), found);
        Assert.Equal(letter, Assert.Single(found).IsMatch);
    }
}
