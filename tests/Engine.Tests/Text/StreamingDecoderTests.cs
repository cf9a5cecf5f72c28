using System.Text.Json;
using NativeEngine.Text;

namespace NativeEngine.Tests.Text;

/// <summary>Streaming prints what TextStreamer of transformers prints, token by token.</summary>
public sealed class StreamingDecoderTests
{
    [SkippableTheory]
    [InlineData("spm")]
    [InlineData("llama3")]
    [InlineData("qwen2")]
    [InlineData("opt")]
    [InlineData("phi")]
    [InlineData("llama2")]
    public void Chunks_are_those_of_the_reference(string name)
    {
        Tokenizer tokenizer = GoldenTokenizers.Load(name, "file");
        foreach (JsonElement item in GoldenTokenizers.Golden(name, "streaming.json").GetProperty("items").EnumerateArray())
        {
            int[] ids = [.. item.GetProperty("ids").EnumerateArray().Select(id => id.GetInt32())];
            Assert.Equal(ids, tokenizer.Encode(item.GetProperty("text").GetString(), addSpecial: false));
            Assert.Equal(Strings(item, "prefix_decode"), ids.Select((_, i) => tokenizer.Decode(ids.AsSpan(0, i + 1), skipSpecial: false)));
            var stream = new StreamingDecoder(tokenizer, skipSpecial: false);
            List<string> chunks = [.. ids.Select(stream.Push), stream.Finish()];
            Assert.Equal(Strings(item, "text_streamer_chunks"), chunks);
        }
    }

    [Fact]
    public void Half_a_character_is_never_given_out()
    {
        Tokenizer tokenizer = TinyTokenizers.Json(TinyTokenizers.ByteLevel());
        const string Text = "hello wörld 漢字 😀 a\nnaïve ";
        var stream = new StreamingDecoder(tokenizer, skipSpecial: true);
        List<string> chunks = [.. tokenizer.Encode(Text, addSpecial: false).Select(stream.Push), stream.Finish()];
        Assert.Equal(Text, string.Concat(chunks));
        Assert.All(chunks, chunk => Assert.DoesNotContain('\uFFFD', chunk));
        Assert.Contains("漢", chunks);
    }

    [Fact]
    public void A_long_line_comes_out_whole()
    {
        Tokenizer tokenizer = TinyTokenizers.Json(TinyTokenizers.Characters());
        string text = string.Concat(Enumerable.Range(0, 1500).Select(i => i % 7 == 0 ? " é" : " ab"))[1..];
        var stream = new StreamingDecoder(tokenizer, skipSpecial: true);
        List<string> chunks = [.. tokenizer.Encode(text, addSpecial: false).Select(stream.Push), stream.Finish()];
        Assert.Equal(text, string.Concat(chunks));
    }

    [Fact]
    public void It_starts_over_after_the_end()
    {
        Tokenizer tokenizer = TinyTokenizers.Json(TinyTokenizers.ByteLevel());
        var stream = new StreamingDecoder(tokenizer, skipSpecial: true);
        Assert.Equal("", stream.Push('a'));
        Assert.Equal(tokenizer.Decode(['a'], skipSpecial: true), stream.Finish());
        Assert.Equal("", stream.Finish());
    }

    private static IEnumerable<string> Strings(JsonElement item, string field) => item.GetProperty(field).EnumerateArray().Select(s => s.GetString()!);
}
