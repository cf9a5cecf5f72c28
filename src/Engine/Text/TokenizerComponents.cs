using System.Text;

namespace NativeEngine.Text;

/// <summary>The components of tokenizer.json, by the names they have there.</summary>
internal static class TokenizerComponents
{
    private const int MaxDepth = 16;

    /// <summary>The pattern that ByteLevel splits with unless told not to.</summary>
    public const string Gpt2Pattern = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    /// <summary>The members of nested sequences in order; a component that is no sequence is its own only member.</summary>
    private static IEnumerable<(JsonField Field, string Type)> Flatten(JsonField component, string list, int depth = 0)
    {
        string type = component.Required("type").Text();
        if (type != "Sequence")
        {
            return [(component, type)];
        }

        return depth < MaxDepth
            ? component.Required(list).Items().SelectMany(item => Flatten(item, list, depth + 1))
            : throw component.Unsupported($"sequences nested more than {MaxDepth} deep", "fewer");
    }

    public static List<TextStage> Normalizers(JsonField normalizer)
    {
        var stages = new List<TextStage>();
        foreach ((JsonField field, string type) in Flatten(normalizer, "normalizers"))
        {
            stages.Add(type switch
            {
                "Prepend" => new PrependNormalizer(Bytes(field.Required("prepend"))),
                "Replace" => new ReplaceNormalizer(Literal(field), Bytes(field.Required("content"))),
                "NFC" => new UnicodeNormalizer(NormalizationForm.FormC, field.File),
                "NFD" => new UnicodeNormalizer(NormalizationForm.FormD, field.File),
                "NFKC" => new UnicodeNormalizer(NormalizationForm.FormKC, field.File),
                "NFKD" => new UnicodeNormalizer(NormalizationForm.FormKD, field.File),
                _ => throw field.Unsupported($"the normalizer {type}", "Sequence, Prepend, Replace, NFC, NFD, NFKC, NFKD"),
            });
        }

        return stages;
    }

    /// <param name="root">the file</param>
    /// <param name="byteLevel">whether pieces are bytes in the end</param>
    public static List<TextStage> PreTokenizers(JsonField root, out bool byteLevel)
    {
        byteLevel = false;
        var stages = new List<TextStage>();
        if (root.Optional("pre_tokenizer") is not { } preTokenizer)
        {
            return stages;
        }

        foreach ((JsonField field, string type) in Flatten(preTokenizer, "pretokenizers"))
        {
            if (byteLevel)
            {
                throw field.Unsupported($"{type} after ByteLevel", "ByteLevel as the last pre-tokenizer");
            }

            switch (type)
            {
                case "ByteLevel":
                    byteLevel = true;
                    if (field.Flag("add_prefix_space", true))
                    {
                        stages.Add(new PrefixSpace());
                    }

                    if (field.Flag("use_regex", true))
                    {
                        stages.Add(Gpt2Split(field.File));
                    }

                    break;
                case "Split":
                    stages.Add(Split(field));
                    break;
                case "Digits":
                    stages.Add(new DigitsSplit(field.Flag("individual_digits", false)));
                    break;
                case "Metaspace":
                    stages.Add(new Metaspace(Character(field.Required("replacement")), Scheme(field), field.Flag("split", true)));
                    break;
                default:
                    throw field.Unsupported($"the pre-tokenizer {type}", "Sequence, ByteLevel, Split, Digits, Metaspace");
            }
        }

        return stages;
    }

    public static PatternSplit Gpt2Split(string file) => new(SplitPatternParser.Parse(Gpt2Pattern, file), SplitBehavior.Isolated, invert: false);

    /// <summary>The ids that a post-processor puts in front of a text and behind it.</summary>
    public static (List<int> Prefix, List<int> Suffix) Template(JsonField processor, Vocabulary vocabulary)
    {
        var prefix = new List<int>();
        var suffix = new List<int>();
        foreach ((JsonField field, string type) in Flatten(processor, "processors"))
        {
            switch (type)
            {
                case "ByteLevel":
                    break; // changes offsets only
                case "TemplateProcessing":
                    (List<int> before, List<int> after) = Single(field, vocabulary);
                    prefix.InsertRange(0, before);
                    suffix.AddRange(after);
                    break;
                case "RobertaProcessing" or "BertProcessing":
                    prefix.Insert(0, Pair(field.Required("cls"), vocabulary));
                    suffix.Add(Pair(field.Required("sep"), vocabulary));
                    break;
                default:
                    throw field.Unsupported($"the post-processor {type}", "Sequence, ByteLevel, TemplateProcessing, RobertaProcessing, BertProcessing");
            }
        }

        return (prefix, suffix);
    }

    public static List<Decoder> Decoders(JsonField decoder)
    {
        var steps = new List<Decoder>();
        foreach ((JsonField field, string type) in Flatten(decoder, "decoders"))
        {
            steps.Add(type switch
            {
                "ByteLevel" => new ByteLevelDecoder(),
                "Replace" => new ReplaceDecoder(Encoding.UTF8.GetString(Literal(field)), field.Required("content").Text()),
                "ByteFallback" => new ByteFallbackDecoder(),
                "Fuse" => new FuseDecoder(),
                "Strip" => new StripDecoder(Bmp(field.Required("content")), Cut(field.Required("start")), Cut(field.Required("stop"))),
                "Metaspace" => new MetaspaceDecoder(Character(field.Required("replacement")).ToString(), Scheme(field)),
                _ => throw field.Unsupported($"the decoder {type}", "Sequence, ByteLevel, Replace, ByteFallback, Fuse, Strip, Metaspace"),
            });
        }

        return steps;
    }

    private static SplitStage Split(JsonField field)
    {
        JsonField behaviorField = field.Required("behavior");
        SplitBehavior behavior = behaviorField.Text() switch
        {
            "Isolated" => SplitBehavior.Isolated,
            "Removed" => SplitBehavior.Removed,
            "MergedWithPrevious" => SplitBehavior.MergedWithPrevious,
            "MergedWithNext" => SplitBehavior.MergedWithNext,
            "Contiguous" => SplitBehavior.Contiguous,
            string other => throw behaviorField.Unsupported($"the behavior {other}", "Isolated, Removed, MergedWithPrevious, MergedWithNext, Contiguous"),
        };
        bool invert = field.Flag("invert", false);
        return field.Required("pattern").Optional("Regex") is { } regex
            ? new PatternSplit(SplitPatternParser.Parse(regex.Text(), field.File), behavior, invert)
            : new StringSplit(Literal(field), behavior, invert);
    }

    private static (List<int> Before, List<int> After) Single(JsonField template, Vocabulary vocabulary)
    {
        JsonField single = template.Required("single");
        var before = new List<int>();
        var after = new List<int>();
        int sequences = 0;
        foreach (JsonField item in single.Items())
        {
            if (item.Optional("Sequence") is not null)
            {
                sequences++;
                continue;
            }

            string name = item.Required("SpecialToken").Required("id").Text();
            foreach (JsonField id in template.Required("special_tokens").Required(name).Required("ids").Items())
            {
                (sequences == 0 ? before : after).Add(Known(id, TokenizerModel.Id(id), vocabulary));
            }
        }

        return sequences == 1 ? (before, after) : throw single.Unsupported($"a template with {sequences} sequences", "one");
    }

    private static int Pair(JsonField field, Vocabulary vocabulary)
    {
        JsonField[] pair = [.. field.Items().Take(3)];
        return pair.Length == 2 ? Known(field, TokenizerModel.Id(pair[1]), vocabulary) : throw field.Wrong("a token and its id");
    }

    private static int Known(JsonField field, int id, Vocabulary vocabulary)
    {
        return vocabulary[id] is not null ? id : throw new EngineException("NE3113", $"{field.Path} is the id {id}, which has no token")
        {
            File = field.File,
            Key = field.Path,
            Found = $"{id}",
            Expected = "the id of a token",
            Hint = "fetch the tokenizer files of the model again",
        };
    }

    private static PrependScheme Scheme(JsonField field)
    {
        if (field.Optional("prepend_scheme") is not { } scheme)
        {
            return field.Flag("add_prefix_space", true) ? PrependScheme.Always : PrependScheme.Never;
        }

        return scheme.Text() switch
        {
            "always" => PrependScheme.Always,
            "first" => PrependScheme.First,
            "never" => PrependScheme.Never,
            string other => throw scheme.Unsupported($"the prepend_scheme {other}", "always, first, never"),
        };
    }

    private static byte[] Bytes(JsonField field) => Encoding.UTF8.GetBytes(field.Text());

    /// <summary>The string that a Replace or Split looks for.</summary>
    private static byte[] Literal(JsonField field)
    {
        JsonField pattern = field.Required("pattern");
        if (pattern.Optional("String") is not { } text)
        {
            throw pattern.Unsupported("a pattern other than String", "String");
        }

        byte[] bytes = Bytes(text);
        return bytes.Length > 0 ? bytes : throw text.Wrong("a string of at least one character");
    }

    private static Rune Character(JsonField field) =>
        Rune.TryGetRuneAt(field.Text(), 0, out Rune rune) && rune.Utf16SequenceLength == field.Text().Length ? rune : throw field.Wrong("one character");

    private static char Bmp(JsonField field)
    {
        Rune rune = Character(field);
        return rune.IsBmp ? (char)rune.Value : throw field.Unsupported("a character beyond U+FFFF", "one below");
    }

    private static int Cut(JsonField field) => field.Integer() is var count and >= 0 ? count : throw field.Wrong("a count");
}
