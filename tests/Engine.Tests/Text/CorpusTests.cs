using System.Text;
using NativeEngine.Testing;
using NativeEngine.Text;

namespace NativeEngine.Tests.Text;

public sealed class CorpusTests
{
    [Theory]
    [InlineData("a\nb\n", new[] { "a\n", "b\n" })]
    [InlineData("a\nb", new[] { "a\n", "b\n" })]
    [InlineData("a\r\n \r\nb\r\n", new[] { "a\n", "", "b\n" })]
    [InlineData(" a \n\n\t\nb\n\n", new[] { " a \n", "", "", "b\n", "" })]
    [InlineData("a\rb\n", new[] { "a\rb\n" })]
    [InlineData("\uFEFFa\n", new[] { "a\n" })]
    [InlineData("a\u001c\n\u001c\n", new[] { "a\u001c\n", "" })]
    public void Rows_of_a_text_file(string text, string[] rows) => Assert.Equal(rows, Rows(text, "x.txt"));

    [Fact]
    public void Rows_are_joined()
    {
        using TemporaryFolder folder = TinyTokenizers.Folder(("x.txt", " a \nb\n"u8.ToArray()));
        string path = Path.Combine(folder.Path, "x.txt");
        Assert.Equal(" a \n\n\nb\n", Corpus.Read(new TextSource(path)));
        Assert.Equal("a b", Corpus.Read(new TextSource(path, Join: " ", StripRows: true)));
    }

    [Fact]
    public void Rows_of_a_jsonl_file() =>
        Assert.Equal(["one\ntwo", "é"], Rows("{\"text\":\"one\\ntwo\",\"n\":1}\n\n{\"n\":2,\"text\":\"\\u00e9\"}\r\n", "x.jsonl"));

    [Theory]
    [InlineData("{\"text\":\"a\"}\n{\"t\":\"b\"}\n", "NE3157", "line 2")]
    [InlineData("{\"text\":\"a\"}\n\n{\"text\":3}\n", "NE3157", "line 3")]
    [InlineData("{\"text\":\"a\"}\n[1]\n", "NE3156", "")]
    [InlineData("{\"text\":\n", "NE3156", "(byte 8)")]
    [InlineData("{\"text\":\"a\"}\n{\"text\":\"\\ud800\"}\n", "NE3158", "half a surrogate pair")]
    public void A_bad_line_is_named(string text, string code, string message)
    {
        EngineException e = Assert.Throws<EngineException>(() => Rows(text, "x.jsonl"));
        Assert.Equal(code, e.Code);
        Assert.Contains(message, e.Message, StringComparison.Ordinal);
        Assert.Matches(@"x\.jsonl:\d$", e.File);
    }

    [Theory]
    [InlineData("x.txt", "", "NE3152")]
    [InlineData("x.txt", " \n\n", "NE3152")]
    [InlineData("x.jsonl", "\n", "NE3152")]
    [InlineData("x.parquet", "a", "NE4110")]
    [InlineData("x", "a", "NE4110")]
    public void What_is_no_text_is_refused(string name, string text, string code)
    {
        using TemporaryFolder folder = TinyTokenizers.Folder((name, Encoding.UTF8.GetBytes(text)));
        EngineException e = Assert.Throws<EngineException>(() => Corpus.Read(new TextSource(Path.Combine(folder.Path, name))));
        Assert.Equal(code, e.Code);
        Assert.NotNull(e.Expected);
    }

    [Fact]
    public void Invalid_utf8_is_named_by_its_offset()
    {
        using TemporaryFolder folder = TinyTokenizers.Folder(("x.txt", [0x61, 0xC3, 0xA9, 0xFF, 0x62]));
        EngineException e = Assert.Throws<EngineException>(() => Corpus.Read(new TextSource(Path.Combine(folder.Path, "x.txt"))));
        Assert.Equal("NE3151", e.Code);
        Assert.Contains("offset 3", e.Found, StringComparison.Ordinal);
    }

    [Fact]
    public void A_missing_file_is_said() =>
        Assert.Equal("NE5004", Assert.Throws<EngineException>(() => Corpus.Read(new TextSource("/nowhere/x.txt"))).Code);

    [SkippableFact]
    public void WikiText_has_the_rows_of_the_dataset()
    {
        IReadOnlyList<string> rows = Corpus.ReadRows(new TextSource(Shared.Path("data", "wt2_test.txt")));
        Assert.Equal(File.ReadLines(Shared.Path("data", "wt2_test.txt")).Count(), rows.Count);
        Assert.Equal("", rows[0]);
        Assert.EndsWith("\n", rows[1], StringComparison.Ordinal);
    }

    private static IReadOnlyList<string> Rows(string text, string name)
    {
        using TemporaryFolder folder = TinyTokenizers.Folder((name, Encoding.UTF8.GetBytes(text)));
        return Corpus.ReadRows(new TextSource(Path.Combine(folder.Path, name)));
    }
}
