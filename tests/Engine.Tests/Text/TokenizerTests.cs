using System.Diagnostics;
using System.Text;
using System.Text.Json.Nodes;
using NativeEngine.Bench;
using NativeEngine.Testing;
using NativeEngine.Text;

namespace NativeEngine.Tests.Text;

/// <summary>What holds of every tokenizer, on files built in code.</summary>
public sealed class TokenizerTests
{
    [Theory]
    [InlineData("hello world", "hello Ġworld")]
    [InlineData("hell o", "hell Ġ o")]
    [InlineData("<end>hello", "<end> hello")]
    [InlineData("é", "Ã ©")]
    [InlineData("", "")]
    public void Byte_level(string text, string tokens)
    {
        Tokenizer tokenizer = TinyTokenizers.Json(TinyTokenizers.ByteLevel());
        int[] ids = tokenizer.Encode(text, addSpecial: true);
        Assert.Equal(tokens, string.Join(' ', ids.Select(id => tokenizer.Vocabulary[id])));
        Assert.Equal(text, tokenizer.Decode(ids, skipSpecial: false));
    }

    [Theory]
    [InlineData("ab ab", "<s> ▁ab ▁ab")]
    [InlineData("b", "<s> ▁b")]
    [InlineData("aé", "<s> ▁a <0xC3> <0xA9>")]
    [InlineData("", "<s>")]
    public void Characters(string text, string tokens)
    {
        Tokenizer tokenizer = TinyTokenizers.Json(TinyTokenizers.Characters());
        int[] ids = tokenizer.Encode(text, addSpecial: true);
        Assert.Equal(tokens, string.Join(' ', ids.Select(id => tokenizer.Vocabulary[id])));
        Assert.Equal(text, tokenizer.Decode(ids, skipSpecial: true));
    }

    [Fact]
    public void Without_an_unknown_token_characters_vanish_and_their_neighbours_merge()
    {
        JsonObject json = TinyTokenizers.Characters();
        json["model"]!["byte_fallback"] = false;
        json["model"]!["unk_token"] = null;
        json["normalizer"] = null;
        Tokenizer tokenizer = TinyTokenizers.Json(json);
        Assert.Equal(tokenizer.Encode("▁ab", addSpecial: false), tokenizer.Encode("é▁éaéb", addSpecial: false));
    }

    [Fact]
    public void The_scores_of_a_SentencePiece_model_decide()
    {
        ModelWriter model = new ModelWriter().Piece("<unk>", 0, 2).Piece("▁", -9, 1).Piece("ab", -1, 1).Piece("bc", -2, 1).Piece("xy", -3, 1).Piece("XX", 0, 4);
        var tokenizer = new SentencePieceTokenizer(model.Trainer(2, false).Normalizer(null).Read(), new SpecialIds(null, null, null, [], []), "test");
        Assert.Equal([1, 2, 0], tokenizer.Encode("abc", addSpecial: false)); // c is unknown
        Assert.Equal([1, 4], tokenizer.Encode("xy", addSpecial: false)); // x and y are no pieces, together they are
        Assert.Equal([1, 0, 5, 0], tokenizer.Encode("pqXXr", addSpecial: false)); // unknown characters are one token
        Assert.Equal("ab \u2047  XX", tokenizer.Decode([1, 2, 0, 1, 5], skipSpecial: false));
    }

    [Theory]
    [InlineData(false, "  a  b ", "▁ ▁a ▁ ▁b ▁")]
    [InlineData(true, "  a  b ", "▁a ▁b")]
    [InlineData(true, " ", "")]
    public void Extra_spaces(bool remove, string text, string tokens)
    {
        SentencePieceModel model = ModelWriter.Sound().Normalizer(null, removeExtraWhitespaces: remove).Read();
        var tokenizer = new SentencePieceTokenizer(model, new SpecialIds(null, null, null, [], []), "test");
        int[] ids = tokenizer.Encode(text.AsSpan(remove ? 0 : 1), addSpecial: false);
        Assert.Equal(tokens, string.Join(' ', ids.Select(id => tokenizer.Vocabulary[id])));
    }

    [Fact]
    public void A_character_map_is_applied_first()
    {
        // A double array of two blocks: the root leads to node 256, 'A' to its child 256 ^ 65, whose leaf is 448 and holds offset 0 of the blob.
        var units = new uint[512];
        units[0] = 256u << 10;
        units[256 ^ 'A'] = ((256u ^ 'A' ^ 448u) << 10) | (1u << 8) | 'A';
        byte[] map = [.. BitConverter.GetBytes(4 * units.Length), .. units.SelectMany(BitConverter.GetBytes), (byte)'a', (byte)'b', 0];
        SentencePieceModel model = ModelWriter.Sound().Normalizer(map).Read();
        var tokenizer = new SentencePieceTokenizer(model, new SpecialIds(null, null, null, [], []), "test");
        Assert.Equal(tokenizer.Encode("ab bé", addSpecial: false), tokenizer.Encode("A bé", addSpecial: false));
    }

    [Fact]
    public void Text_must_be_Unicode()
    {
        Tokenizer tokenizer = TinyTokenizers.Json(TinyTokenizers.ByteLevel());
        Assert.Equal("NE3154", Assert.Throws<EngineException>(() => tokenizer.Encode("a\ud800", addSpecial: false)).Code);
        Assert.Equal("NE3151", Assert.Throws<EngineException>(() => tokenizer.EncodeUtf8([0x61, 0xFF], addSpecial: false)).Code);
        Assert.Equal(tokenizer.Encode("é", addSpecial: false), tokenizer.EncodeUtf8("é"u8, addSpecial: false));
    }

    [Fact]
    public void Choices_follow_the_files_of_the_folder()
    {
        byte[] json = TinyTokenizers.Bytes(TinyTokenizers.Characters());
        byte[] model = ModelWriter.Sound().ToArray();
        using TemporaryFolder both = TinyTokenizers.Folder(
            ("tokenizer.json", json),
            ("tokenizer.model", model),
            ("tokenizer_config.json", """{"tokenizer_class":"LlamaTokenizer","legacy":false}"""u8.ToArray()));
        Assert.Equal("auto: tokenizer.json", Load(both, TokenizerChoice.Auto).Description);
        Assert.Equal("file: tokenizer.json", Load(both, TokenizerChoice.File).Description);
        Assert.Equal("slow: tokenizer.model, not legacy", Load(both, TokenizerChoice.Slow).Description);
        File.WriteAllText(Path.Combine(both.Path, "tokenizer_config.json"), """{"tokenizer_class":"LlamaTokenizer","legacy":false,"add_prefix_space":true}""");
        Tokenizer auto = Load(both, TokenizerChoice.Auto);
        Assert.Equal("auto: tokenizer.model, legacy", auto.Description);
        Assert.Equal((1, 2, null, true), (auto.BosId, auto.EosId, auto.PadId, auto.AddsBos));
        File.Delete(Path.Combine(both.Path, "tokenizer.model"));
        Assert.Equal("slow: tokenizer.json", Load(both, TokenizerChoice.Slow).Description);
    }

    [SkippableTheory]
    [InlineData("tiny-opt", 4096, 2)]
    [InlineData("tiny-phi", null, null)]
    [InlineData("tiny-qwen2", null, null)]
    public void Vocabulary_and_merges_give_the_ids_of_the_file(string name, int? added, int? bos)
    {
        string model = Shared.Path("models", name);
        using TemporaryFolder folder = TinyTokenizers.Folder(
            [.. new[] { "vocab.json", "merges.txt", "tokenizer_config.json" }.Select(f => (f, File.ReadAllBytes(Path.Combine(model, f))))]);
        Tokenizer bare = Load(folder, TokenizerChoice.Auto);
        Tokenizer whole = Tokenizer.Load(model, TokenizerChoice.Auto, SilentReporter.Instance);
        string text = File.ReadAllText(Shared.Path("data", "ptb_valid.txt"))[..20_000] + " é漢 <|endoftext|> <unk>";
        Assert.Equal(whole.Encode(text, addSpecial: false), bare.Encode(text, addSpecial: false));
        Assert.Equal(added + 1 ?? whole.VocabSize, bare.VocabSize);
        Assert.Equal(bos is not null, whole.AddsBos);
    }

    [Fact]
    public async Task Several_threads_may_encode_at_once()
    {
        Tokenizer tokenizer = TinyTokenizers.Json(TinyTokenizers.ByteLevel());
        string text = string.Concat(Enumerable.Range(0, 2000).Select(i => $"hello world {i} "));
        int[] expected = tokenizer.Encode(text, addSpecial: false);
        int[][] found = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(() => tokenizer.Encode(text, addSpecial: false))));
        Assert.All(found, ids => Assert.Equal(expected, ids));
    }

    [Theory]
    [InlineData("a")]
    [InlineData(" ")]
    [InlineData("\n")]
    [InlineData(" \n")]
    [InlineData("hello")]
    [InlineData("'")]
    [InlineData("7")]
    [InlineData("漢")]
    [InlineData("<end>")]
    [InlineData("<")]
    public void A_megabyte_of_the_same_takes_no_long_time(string unit)
    {
        string text = string.Concat(Enumerable.Repeat(unit, 1_000_000 / unit.Length));
        Tokenizer[] tokenizers = [TinyTokenizers.Json(TinyTokenizers.ByteLevel()), TinyTokenizers.Json(TinyTokenizers.Characters())];
        foreach (Tokenizer tokenizer in tokenizers)
        {
            long start = Stopwatch.GetTimestamp();
            int[] ids = tokenizer.Encode(text, addSpecial: false);
            string decoded = tokenizer.Decode(ids, skipSpecial: false);
            Assert.Equal(text.Length, decoded.Length);
            Assert.InRange(Stopwatch.GetElapsedTime(start).TotalSeconds, 0, 10); // quadratic time would be minutes
        }
    }

    [Fact]
    public void Hostile_combining_marks_are_refused_at_once()
    {
        JsonObject json = TinyTokenizers.ByteLevel();
        json["normalizer"] = new JsonObject { ["type"] = "NFC" };
        Tokenizer tokenizer = TinyTokenizers.Json(json);
        string marks = string.Concat(Enumerable.Repeat("\u0307\u0323", 100_000));
        Assert.Equal("NE4112", Assert.Throws<EngineException>(() => tokenizer.Encode(marks, addSpecial: false)).Code);
        Assert.Equal(new string('\u0301', 5000), tokenizer.Decode(tokenizer.Encode(new string('\u0301', 5000), addSpecial: false), skipSpecial: false));
        Assert.Equal("\u1E69", tokenizer.Decode(tokenizer.Encode("s\u0307\u0323", addSpecial: false), skipSpecial: false));
        Assert.Equal("é\uFFFEé", tokenizer.Decode(tokenizer.Encode("e\u0301\uFFFEe\u0301", addSpecial: false), skipSpecial: false));
    }

    [Fact]
    public void The_benchmark_reports_every_tokenizer_and_mode()
    {
        using TemporaryFolder folder = TinyTokenizers.Folder(
            ("tokenizer.json", TinyTokenizers.Bytes(TinyTokenizers.ByteLevel())), ("x.txt", Encoding.UTF8.GetBytes("hello world\nhello\n")));
        TokenizeBenchResult result = TokenizeBench.Run(folder.Path, Path.Combine(folder.Path, "x.txt"), SilentReporter.Instance, repetitions: 1);
        Assert.Equal(["whole", "lines", "whole", "lines", "whole", "lines"], result.Rows.Select(r => r.Mode));
        Assert.All(result.Rows, row => Assert.True(row.MbPerSecond > 0));
        string json = System.Text.Json.JsonSerializer.Serialize(result, TokenizeBenchJson.Default.TokenizeBenchResult);
        Assert.Contains("\"mb_per_second\":", json, StringComparison.Ordinal);
        Assert.Contains("\"tokenizer\":\"auto: tokenizer.json\"", json, StringComparison.Ordinal);
    }

    private static Tokenizer Load(TemporaryFolder folder, TokenizerChoice choice) => Tokenizer.Load(folder.Path, choice, SilentReporter.Instance);
}
