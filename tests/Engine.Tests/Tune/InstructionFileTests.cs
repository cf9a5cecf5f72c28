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
    [InlineData("plain text", "NE3200", null)]
    [InlineData("""[{"instruction":"a","output":"c"},{"instruction":]""", "NE3200", null)]
    [InlineData("""[{"instruction":"a","output":"c"}""", "NE3200", null)]
    [InlineData("""[{"instruction":"a","output":"c"}]]""", "NE3200", null)]
    [InlineData("""[{"instruction":"a","instruction":"b","output":"c"}]""", "NE3205", null)]
    [InlineData("""[[{"instruction":"a","output":"c"}]]""", "NE3201", null)]
    [InlineData("""[{"instruction":"a","output":"c"}, "b"]""", "NE3201", null)]
    [InlineData("""[{"instruction":"a","output":"c"},{"instruction":"b"}]""", "NE3202", "output")]
    [InlineData("""[{"instruction":null,"output":"c"}]""", "NE3202", "instruction")]
    [InlineData("""[{"instruction":"a","input":["b"],"output":"c"}]""", "NE3202", "input")]
    [InlineData("""[{"instruction":"a","input":"b","output":3}]""", "NE3202", "output")]
    [InlineData("""[{"instruction":"\ud800","output":"c"}]""", "NE3202", "instruction")]
    public void What_is_wrong_is_named(string content, string code, string? key)
    {
        EngineException e = Assert.Throws<EngineException>(() => Read(content));
        Assert.Equal((code, ExitCode.InvalidInput), (e.Code, e.Exit));
        Assert.StartsWith(folder["data.json"], e.File, StringComparison.Ordinal);
        Assert.Equal(key, e.Key);
    }

    [Theory]
    [InlineData("[{\"instruction\":\"a\",\n\"output\":\"c\"},\n\n{\"instruction\":\"b\"}]", "record 2 (line 4) has no text in the field 'output'")]
    [InlineData("{\"instruction\":\"a\",\"output\":\"c\"}\n7\n", "record 2 (line 2) is not an object")]
    [InlineData("\n{\"instruction\":\"a\",\"output\":\"c\"}\n{\"instruction\"}", "not valid JSON at record 2 (line 3): '}' is invalid after a property name. Expected a ':'")]
    public void Records_and_lines_count_from_1(string content, string message) =>
        Assert.Equal(message, Assert.Throws<EngineException>(() => Read(content)).Message);

    [Fact]
    public void Records_before_a_broken_one_are_read() =>
        Assert.Equal("a", InstructionFile.Read(folder.Write("data.json", """[{"instruction":"a","output":"c"},{"instruction":"b"}]""")).First().Instruction);

    private InstructionRecord[] Read(string content) => [.. InstructionFile.Read(folder.Write("data.json", content))];
}
