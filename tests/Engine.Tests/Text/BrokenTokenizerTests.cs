using System.Text;
using System.Text.Json.Nodes;
using NativeEngine.Text;

namespace NativeEngine.Tests.Text;

/// <summary>One broken or unsupported tokenizer file per rule; each has its own message, which says what, where, found, allowed and what to do.</summary>
public sealed class BrokenTokenizerTests
{
    private static readonly (string Rule, string Code, string Message, Action<JsonObject> Break)[] ByteLevelCases =
    [
        ("merge result missing", "NE3107", "merge into 'ell'", j => Merges(j)[1] = "e ll"),
        ("merge of unknown left", "NE3106", "merge of 'qq'", j => Merges(j)[0] = "qq e"),
        ("merge of unknown right", "NE3106", "merge of 'zz'", j => Merges(j)[0] = "h zz"),
        ("merge with one token", "NE3105", "model.merges[0] is not a merge", j => Merges(j)[0] = "he"),
        ("merge with three tokens", "NE3105", "model.merges[2] is not a merge", j => Merges(j)[2] = "h e l"),
        ("merge pair of three", "NE3102", "model.merges[0] is not a pair", j => Merges(j)[0] = new JsonArray("h", "e", "l")),
        ("merge is a number", "NE3102", "model.merges[0] is not a string", j => Merges(j)[0] = 7),
        ("duplicate id", "NE3104", "two tokens have the id 104", j => Vocab(j)["he"] = 104),
        ("negative id", "NE3103", "model.vocab.he is not an id", j => Vocab(j)["he"] = -1),
        ("huge id", "NE3103", "model.vocab.ll is not an id", j => Vocab(j)["ll"] = int.MaxValue),
        ("fractional id", "NE3102", "model.vocab.he is not an integer", j => Vocab(j)["he"] = 1.5),
        ("id as text", "NE3102", "model.vocab.ld is not an integer", j => Vocab(j)["ld"] = "3"),
        ("missing byte", "NE3108", "no token for byte 0x41", j => Vocab(j).Remove("A")),
        ("no vocabulary", "NE3102", "model.vocab is missing", j => Model(j).Remove("vocab")),
        ("empty vocabulary", "NE3102", "a vocabulary with at least one token", j => Model(j)["vocab"] = new JsonObject()),
        ("vocabulary is a list", "NE3102", "model.vocab is not an object", j => Model(j)["vocab"] = new JsonArray()),
        ("no merges", "NE3102", "model.merges is missing", j => Model(j).Remove("merges")),
        ("no model", "NE3102", "model is missing", j => j.Remove("model")),
        ("empty added token", "NE3111", "added_tokens[0] has an empty content", j => Added(j)["content"] = ""),
        ("added token moves", "NE3112", "added_tokens[0] contradicts", j => Added(j)["content"] = "he"),
        ("added token takes an id", "NE3112", "added_tokens[1] contradicts", j => j["added_tokens"]!.AsArray().Add(TinyTokenizers.AddedToken(3, "<pad>"))),
        ("added token with negative id", "NE3103", "added_tokens[0].id is not an id", j => Added(j)["id"] = -5),
        ("added token without id", "NE3102", "added_tokens[0].id is missing", j => Added(j).Remove("id")),
        ("added token flag", "NE3102", "added_tokens[0].lstrip is not true or false", j => Added(j)["lstrip"] = 1),
        ("unigram", "NE4101", "a model of type Unigram", j => Model(j)["type"] = "Unigram"),
        ("word suffix", "NE4101", "end_of_word_suffix '</w>'", j => Model(j)["end_of_word_suffix"] = "</w>"),
        ("dropout", "NE4101", "model.dropout: dropout", j => Model(j)["dropout"] = 0.1),
        ("unknown normalizer", "NE4101", "the normalizer BertNormalizer", j => j["normalizer"] = Type("BertNormalizer")),
        ("unknown pre-tokenizer", "NE4101", "the pre-tokenizer UnicodeScripts", j => j["pre_tokenizer"] = Type("UnicodeScripts")),
        ("unknown post-processor", "NE4101", "the post-processor Mystery", j => j["post_processor"] = Type("Mystery")),
        ("unknown decoder", "NE4101", "the decoder WordPiece", j => j["decoder"] = Type("WordPiece")),
        ("component without type", "NE3102", "normalizer.type is missing", j => j["normalizer"] = new JsonObject()),
        ("split after bytes", "NE4101", "Digits after ByteLevel", j => j["pre_tokenizer"] = Sequence(Type("ByteLevel"), Type("Digits"))),
        ("unknown behavior", "NE4101", "the behavior Sideways", j => j["pre_tokenizer"] = Split("a", "Sideways")),
        ("backreference", "NE4107", @"uses \1", j => j["pre_tokenizer"] = Split(@"(a)\1")),
        ("repeated group", "NE4107", "uses a repeated group", j => j["pre_tokenizer"] = Split("(a+)+$")),
        ("lazy quantifier", "NE4107", "uses a lazy or doubled quantifier", j => j["pre_tokenizer"] = Split("a+?")),
        ("lookbehind", "NE4107", "uses this kind of group", j => j["pre_tokenizer"] = Split("(?<=a)b")),
        ("open class", "NE4107", "uses an end in the middle", j => j["pre_tokenizer"] = Split("[a")),
        ("script property", "NE4107", @"uses \p{Han}", j => j["pre_tokenizer"] = Split(@"\p{Han}")),
        ("template without text", "NE4101", "a template with 0 sequences", j => j["post_processor"] = JsonNode.Parse(
            """{"type":"TemplateProcessing","single":[],"special_tokens":{}}""")),
        ("template with a hole", "NE3113", "which has no token", j => j["post_processor"] = JsonNode.Parse(
            """{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"x"}},{"Sequence":{"id":"A"}}],"special_tokens":{"x":{"ids":[999]}}}""")),
        ("empty pattern", "NE3102", "a string of at least one character", j => j["normalizer"] = JsonNode.Parse(
            """{"type":"Replace","pattern":{"String":""},"content":"x"}""")),
    ];

    private static readonly (string Rule, string Code, string Message, Action<JsonObject> Break)[] CharacterCases =
    [
        ("unknown token missing", "NE3109", "the unknown token '<what>'", j => Model(j)["unk_token"] = "<what>"),
        ("bad byte token", "NE3110", "'<0xZZ>' is not a byte token", j => Vocab(j)["<0xZZ>"] = 300),
        ("negative byte token", "NE3110", "'<0x-1>' is not a byte token", j => Vocab(j)["<0x-1>"] = 300),
        ("one byte token missing", "NE3108", "none for byte 0x0A", j => Vocab(j).Remove("<0x0A>")),
    ];

    private static readonly (string Rule, string Code, string Message, Func<ModelWriter> Write)[] ModelCases =
    [
        ("empty file", "NE3126", "no pieces", () => new ModelWriter()),
        ("truncated varint", "NE3124", "the file ends inside a value", () => ModelWriter.Sound().Raw(0x0A, 0xFF)),
        ("endless varint", "NE3123", "more than ten bytes", () => ModelWriter.Sound().Raw([0x20, .. Enumerable.Repeat((byte)0xFF, 20)])),
        ("length beyond the end", "NE3122", "a length reaches beyond the end", () => ModelWriter.Sound().Raw(0x0A, 0x7F, 0x01)),
        ("huge length", "NE3122", "a length reaches beyond the end", () => ModelWriter.Sound().Raw([0x0A, .. Enumerable.Repeat((byte)0xFF, 9), 0x01])),
        ("field number 0", "NE3121", "not a protobuf field", () => ModelWriter.Sound().Raw(0x02, 0x00)),
        ("group", "NE3121", "not a protobuf field", () => ModelWriter.Sound().Raw(0x0B)),
        ("piece is a number", "NE3125", "field 1 has the wrong wire type", () => ModelWriter.Sound().Raw(0x08, 0x01)),
        ("text file", "NE312", "", () => new ModelWriter().Raw(Encoding.UTF8.GetBytes("version https://git-lfs.github.com/spec/v1\n"))),
        ("empty piece", "NE3127", "piece 266 is not valid", () => ModelWriter.Sound().Piece("", 0, 1)),
        ("piece without number", "NE3127", "piece 266 is not valid", () => ModelWriter.Sound().Piece("x", float.NaN, 1)),
        ("piece of no type", "NE3127", "piece 266 is not valid", () => ModelWriter.Sound().Piece("x", 0, 9)),
        ("piece twice", "NE3128", "piece 266 is there twice", () => ModelWriter.Sound().Piece("ab", 0, 1)),
        ("piece of 100 kB", "NE3129", "piece 266 is too long", () => ModelWriter.Sound().Piece(new string('x', 100_000), 0, 1)),
        ("piece that is not UTF-8", "NE3130", "piece 266 is not UTF-8", () => ModelWriter.Sound().Piece([0xC3, 0x28], 0, 1)),
        ("bad byte piece", "NE3110", "piece 266 is not a byte token", () => ModelWriter.Sound().Piece("<0xZZ>", 0, 6)),
        ("no unknown piece", "NE3131", "exactly one unknown piece", () => new ModelWriter().Piece("a", 0, 1).Trainer(2, false)),
        ("no byte pieces", "NE3132", "there are no byte pieces", () => new ModelWriter().Piece("<unk>", 0, 2).Trainer(2, true)),
        ("one byte piece", "NE3108", "none for byte 0x00", () => new ModelWriter().Piece("<unk>", 0, 2).Piece("<0x41>", 0, 6).Trainer(2, true)),
        ("map shorter than its size", "NE3133", "normalization map", () => ModelWriter.Sound().Normalizer([1, 2])),
        ("map larger than the file", "NE3133", "normalization map", () => ModelWriter.Sound().Normalizer([0xFF, 0xFF, 0, 0, 1, 2, 3, 4, 0])),
        ("map without end", "NE3133", "normalization map", () => ModelWriter.Sound().Normalizer([4, 0, 0, 0, 0, 0, 0, 0, 65])),
        ("map node out of range", "NE3134", "normalization map", () => ModelWriter.Sound().Normalizer([4, 0, 0, 0, 0, 0xFF, 0xFF, 0, 65, 0])),
        ("unigram", "NE4102", "of type unigram", () => ModelWriter.Sound().Trainer(1, true)),
        ("character model", "NE4102", "of type char", () => ModelWriter.Sound().Trainer(4, true)),
        ("space behind", "NE4103", "treat_whitespace_as_suffix", () => ModelWriter.Sound().Message(2, [0xC0, 0x01, 0x01])),
        ("unused piece", "NE4105", "marked unused", () => ModelWriter.Sound().Piece("x", 0, 5)),
    ];

    public static TheoryData<string> ByteLevelRules => [.. ByteLevelCases.Select(c => c.Rule)];

    public static TheoryData<string> CharacterRules => [.. CharacterCases.Select(c => c.Rule)];

    public static TheoryData<string> ModelRules => [.. ModelCases.Select(c => c.Rule)];

    [Theory]
    [MemberData(nameof(ByteLevelRules))]
    public void Byte_level_file(string rule)
    {
        var (_, code, message, change) = ByteLevelCases.Single(c => c.Rule == rule);
        JsonObject json = TinyTokenizers.ByteLevel();
        change(json);
        Check(code, message, () => TinyTokenizers.Json(json));
    }

    [Theory]
    [MemberData(nameof(CharacterRules))]
    public void Character_file(string rule)
    {
        var (_, code, message, change) = CharacterCases.Single(c => c.Rule == rule);
        JsonObject json = TinyTokenizers.Characters();
        change(json);
        Check(code, message, () => TinyTokenizers.Json(json));
    }

    [Theory]
    [MemberData(nameof(ModelRules))]
    public void SentencePiece_model(string rule)
    {
        var (_, code, message, write) = ModelCases.Single(c => c.Rule == rule);
        Check(code, message, () => write().Read());
    }

    [Theory]
    [InlineData("", "NE3101")]
    [InlineData("[]", "NE3101")]
    [InlineData("{\"model\":", "NE3101")]
    [InlineData("{\"a\":1,\"\\u0061\":2}", "NE3101")]
    [InlineData("{\"model\":{\"vocab\":{\"\\ud800\":1},\"merges\":[]}}", "NE3101 NE3102")]
    [InlineData("{\"model\":{\"vocab\":{\"a\":1},\"merges\":[\"\\ud800\"]}}", "NE3102")]
    public void Json_itself(string json, string codes)
    {
        EngineException e = Assert.Throws<EngineException>(() => TinyTokenizers.Json(Encoding.UTF8.GetBytes(json)));
        Assert.Contains(e.Code, codes, StringComparison.Ordinal);
    }

    [Fact]
    public void Deep_json_does_not_overflow_the_stack()
    {
        string deep = string.Concat(Enumerable.Repeat("{\"a\":", 100_000));
        Assert.Equal("NE3101", Assert.Throws<EngineException>(() => TinyTokenizers.Json(Encoding.UTF8.GetBytes(deep))).Code);
    }

    [Theory]
    [InlineData("[]", "NE3101")]
    [InlineData("""{"legacy":"yes"}""", "NE3102")]
    [InlineData("""{"add_bos_token":1}""", "NE3102")]
    [InlineData("""{"tokenizer_class":["LlamaTokenizer"]}""", "NE3102")]
    [InlineData("""{"bos_token":5}""", "NE3102")]
    [InlineData("""{"eos_token":{"text":"x"}}""", "NE3102")]
    [InlineData("""{"additional_special_tokens":"x"}""", "NE3102")]
    [InlineData("""{"added_tokens_decoder":{"x":{"content":"a"}}}""", "NE3102")]
    [InlineData("""{"added_tokens_decoder":{"99999999":{"content":"a"}}}""", "NE3102")]
    [InlineData("""{"added_tokens_decoder":{"1":{"content":""}}}""", "NE3111")]
    public void Configuration(string config, string code)
    {
        using TemporaryFolder folder = TinyTokenizers.Folder(
            ("tokenizer.json", TinyTokenizers.Bytes(TinyTokenizers.ByteLevel())), ("tokenizer_config.json", Encoding.UTF8.GetBytes(config)));
        EngineException e = Assert.Throws<EngineException>(() => Tokenizer.Load(folder.Path, TokenizerChoice.Auto, SilentReporter.Instance));
        Assert.Equal(code, e.Code);
        Assert.NotNull(e.File);
    }

    [Theory]
    [InlineData("#version: 0.2\nh e\n\nl l\r\n", null)]
    [InlineData("h e\nh z\n", "NE3107 line 2 is a merge into 'hz', which is not in the vocabulary")]
    [InlineData("h e\nhe\n", "NE3105 line 2 is not a merge")]
    [InlineData("h e\nqq e\n", "NE3106 line 2 is a merge of 'qq', which is not in the vocabulary")]
    public void Vocabulary_and_merges(string merges, string? error)
    {
        JsonObject json = TinyTokenizers.ByteLevel();
        using TemporaryFolder folder = TinyTokenizers.Folder(("vocab.json", TinyTokenizers.Bytes(Vocab(json))), ("merges.txt", Encoding.UTF8.GetBytes(merges)));
        string? found = null;
        try
        {
            Tokenizer tokenizer = Tokenizer.Load(folder.Path, TokenizerChoice.Slow, SilentReporter.Instance);
            Assert.Equal("slow: vocab.json, merges.txt", tokenizer.Description);
            Assert.Equal(3, tokenizer.Encode("hello", addSpecial: false).Length);
        }
        catch (EngineException e)
        {
            found = $"{e.Code} {e.Message}";
            Assert.EndsWith("merges.txt", e.File, StringComparison.Ordinal);
        }

        Assert.Equal(error, found);
    }

    [Fact]
    public void A_folder_without_tokenizer_says_which_files_are_looked_for()
    {
        using TemporaryFolder folder = TinyTokenizers.Folder();
        EngineException e = Assert.Throws<EngineException>(() => Tokenizer.Load(folder.Path, TokenizerChoice.Auto, SilentReporter.Instance));
        Assert.Equal("NE3100", e.Code);
        Assert.Contains("tokenizer.model", e.Expected, StringComparison.Ordinal);
    }

    [Fact]
    public void A_piece_with_NUL_is_said_and_used()
    {
        var reporter = new Listener();
        ModelWriter.Sound().Piece("a\0", 1, 1).Read(reporter);
        Assert.Contains("piece 266 contains a NUL", Assert.Single(reporter.Notices), StringComparison.Ordinal);
    }

    [Fact]
    public void Holes_are_allowed_but_do_not_decode()
    {
        JsonObject json = TinyTokenizers.ByteLevel();
        Vocab(json)["zz"] = 400;
        Tokenizer tokenizer = TinyTokenizers.Json(json);
        Assert.Equal(401, tokenizer.VocabSize);
        Assert.Equal("zz", tokenizer.Decode([400], skipSpecial: false));
        foreach (int id in (int[])[300, 401, -1])
        {
            EngineException e = Assert.Throws<EngineException>(() => tokenizer.Decode([id], skipSpecial: false));
            Assert.Equal(("NE3155", ExitCode.InvalidInput), (e.Code, e.Exit));
        }
    }

    [Fact]
    public void A_pattern_that_backtracks_too_much_is_stopped()
    {
        JsonObject json = TinyTokenizers.ByteLevel();
        json["pre_tokenizer"] = Sequence(Split(@"\s+x"), Type("ByteLevel"));
        Tokenizer tokenizer = TinyTokenizers.Json(json);
        Assert.Equal(2, tokenizer.Encode("  ", addSpecial: false).Length);
        Assert.Equal("NE4108", Assert.Throws<EngineException>(() => tokenizer.Encode(new string(' ', 300_000), addSpecial: false)).Code);
    }

    private static void Check(string code, string message, Action load)
    {
        EngineException e = Assert.Throws<EngineException>(load);
        Assert.StartsWith(code, e.Code, StringComparison.Ordinal);
        Assert.Contains(message, e.Message, StringComparison.Ordinal);
        Assert.True(e.Exit is ExitCode.InvalidInput or ExitCode.Unsupported);
        Assert.All([e.File, e.Key, e.Expected, e.Found, e.Hint], part => Assert.False(part is null));
    }

    private static JsonObject Model(JsonObject json) => json["model"]!.AsObject();

    private static JsonObject Vocab(JsonObject json) => Model(json)["vocab"]!.AsObject();

    private static JsonArray Merges(JsonObject json) => Model(json)["merges"]!.AsArray();

    private static JsonObject Added(JsonObject json) => json["added_tokens"]![0]!.AsObject();

    private static JsonObject Type(string name) => new() { ["type"] = name };

    private static JsonObject Sequence(params JsonNode[] members) => new() { ["type"] = "Sequence", ["pretokenizers"] = new JsonArray(members) };

    private static JsonObject Split(string regex, string behavior = "Isolated") => new()
    {
        ["type"] = "Split",
        ["pattern"] = new JsonObject { ["Regex"] = regex },
        ["behavior"] = behavior,
    };
}

/// <summary>Keeps the notices.</summary>
internal sealed class Listener : IReporter
{
    public List<string> Notices { get; } = [];

    public void Phase(string name, long total, long done = 0) { }

    public void Step(long done, string? detail = null) { }

    public void Notice(string message) => Notices.Add(message);
}
