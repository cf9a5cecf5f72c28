using NativeEngine.Tests.Checkpoints;
using NativeEngine.Tune;

namespace NativeEngine.Tests.Tune;

public sealed class InstructionFileTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("""[{"instruction":"a","input":"b","output":"c"},{"output":"f","instruction":"d","more":[1]}]""")]
    [InlineData("{\"instruction\":\"a\",\"input\":\"b\",\"output\":\"c\"}\r\n\n{\"output\":\"f\",\"input\":null,\"instruction\":\"d\"}")]
    [InlineData("\uFEFF {\"instruction\":\"a\",\n \"input\":\"b\",\"output\":\"c\"}\n[{\"instruction\":\"d\",\"output\":\"f\"}]\n")]
    public void An_array_and_lines_are_read_alike(string content) =>
        Assert.Equal([new InstructionRecord("a", "b", "c"), new InstructionRecord("d", "", "f")], Read(content));

    [Theory]
    [InlineData("", "NE3203", null)]
    [InlineData("[]", "NE3203", null)]
    [InlineData("plain text", "NE3200", "[0]")]
    [InlineData("""[{"instruction":"a","output":"c"},{"instruction":]""", "NE3200", "[1]")]
    [InlineData("""[{"instruction":"a","output":"c"}""", "NE3200", "[1]")]
    [InlineData("""[{"instruction":"a","output":"c"}]]""", "NE3200", "[1]")]
    [InlineData("""[{"instruction":"a","instruction":"b","output":"c"}]""", "NE3205", null)]
    [InlineData("""[[{"instruction":"a","output":"c"}]]""", "NE3201", "[0]")]
    [InlineData("""[{"instruction":"a","output":"c"}, "b"]""", "NE3201", "[1]")]
    [InlineData("""[{"instruction":"a","output":"c"},{"instruction":"b"}]""", "NE3202", "[1].output")]
    [InlineData("""[{"instruction":null,"output":"c"}]""", "NE3202", "[0].instruction")]
    [InlineData("""[{"instruction":"a","input":["b"],"output":"c"}]""", "NE3202", "[0].input")]
    [InlineData("""[{"instruction":"a","input":"b","output":3}]""", "NE3202", "[0].output")]
    [InlineData("""[{"instruction":"\ud800","output":"c"}]""", "NE3202", "[0].instruction")]
    public void What_is_wrong_is_named(string content, string code, string? key)
    {
        EngineException e = Assert.Throws<EngineException>(() => Read(content));
        Assert.Equal((code, ExitCode.InvalidInput), (e.Code, e.Exit));
        Assert.StartsWith(folder["data.json"], e.File, StringComparison.Ordinal);
        Assert.Equal(key, e.Key);
    }

    [Fact]
    public void Records_before_a_broken_one_are_read() =>
        Assert.Equal("a", InstructionFile.Read(folder.Write("data.json", """[{"instruction":"a","output":"c"},{"instruction":"b"}]""")).First().Instruction);

    private InstructionRecord[] Read(string content) => [.. InstructionFile.Read(folder.Write("data.json", content))];
}
