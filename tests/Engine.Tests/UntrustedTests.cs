namespace NativeEngine.Tests;

/// <summary>Text from files never reaches a terminal as anything but text.</summary>
public sealed class UntrustedTests
{
    [Theory]
    [InlineData("model.layers.0.weight", "model.layers.0.weight")]
    [InlineData("caf\u00E9 \u4E2D \U0001F600", "caf\u00E9 \u4E2D \U0001F600")]
    [InlineData("\u001b[2J\r\n\0\u007f\u009b", @"\u001B[2J\u000D\u000A\u0000\u007F\u009B")]
    [InlineData("\u202e\u2066\u200b\u2028\ufeff", @"\u202E\u2066\u200B\u2028\uFEFF")]
    [InlineData("\U000E0041", @"\uDB40\uDC41")]
    public void What_is_not_printable_is_escaped(string text, string escaped) => Assert.Equal(escaped, Untrusted.Escape(text));

    [Fact]
    public void Unpaired_surrogates_are_escaped() => Assert.Equal(@"a\uD800b\uDC00", Untrusted.Escape("a" + (char)0xD800 + "b" + (char)0xDC00));

    [Fact]
    public void Layout_stays_where_asked() => Assert.Equal("a\n\tb\\u000D\\uDB40\\uDC41", Untrusted.Escape("a\n\tb\r\U000E0041", keepLayout: true));

    [Fact]
    public void Long_text_is_cut() => Assert.Equal("'aaa'...", Untrusted.Quote(new string('a', 100_000), limit: 3));
}
