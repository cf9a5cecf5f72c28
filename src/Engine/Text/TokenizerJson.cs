using System.Text.Json;

namespace NativeEngine.Text;

/// <summary>Reads tokenizer.json, the format of Hugging Face tokenizers. A part that the engine does not have is refused by name.</summary>
internal static class TokenizerJson
{
    public const string FileName = "tokenizer.json";

    /// <summary>Reads <paramref name="utf8"/>, which came from <paramref name="path"/>.</summary>
    /// <exception cref="EngineException">NE31xx: the file is broken; NE41xx: it uses something that is not supported</exception>
    public static TokenizerParts Read(ReadOnlyMemory<byte> utf8, string path, IReporter reporter)
    {
        using JsonDocument document = StrictJson.Parse(utf8, path, "NE3101");
        return Read(new JsonField(document.RootElement, "", path), reporter);
    }

    private static TokenizerParts Read(JsonField root, IReporter reporter)
    {
        foreach (string ignored in (string[])["truncation", "padding"])
        {
            if (root.Optional(ignored) is not null)
            {
                reporter.Notice($"{root.File}: {ignored} is ignored");
            }
        }

        List<TextStage> preTokenizers = TokenizerComponents.PreTokenizers(root, out bool byteLevel);
        (Vocabulary vocabulary, BytePairEncoding encoding) = TokenizerModel.Read(root.Required("model"), byteLevel);
        OrderedDictionary<string, AddedToken> added = AddedTokens(root, vocabulary);
        List<TextStage> normalizers = root.Optional("normalizer") is { } normalizer ? TokenizerComponents.Normalizers(normalizer) : [];
        var (prefix, suffix) = root.Optional("post_processor") is { } processor ? TokenizerComponents.Template(processor, vocabulary) : ([], []);
        return new TokenizerParts
        {
            Vocabulary = vocabulary,
            AddedTokens = added,
            Normalizers = normalizers,
            PreTokenizers = preTokenizers,
            PlainByteLevel = byteLevel && root.Required("pre_tokenizer").Required("type").Text() == "ByteLevel",
            Encoding = encoding,
            Prefix = prefix,
            Suffix = suffix,
            Decoders = root.Optional("decoder") is { } decoder ? TokenizerComponents.Decoders(decoder) : null,
        };
    }

    private static OrderedDictionary<string, AddedToken> AddedTokens(JsonField root, Vocabulary vocabulary)
    {
        var tokens = new OrderedDictionary<string, AddedToken>();
        foreach (JsonField field in root.Optional("added_tokens")?.Items() ?? [])
        {
            AddedToken token = AddedToken(field, TokenizerModel.Id(field.Required("id")));
            if (vocabulary.Id(token.Content) is int known ? known != token.Id : !vocabulary.TryAdd(token.Content, token.Id))
            {
                throw new EngineException("NE3112", $"{field.Path} contradicts the vocabulary")
                {
                    File = root.File,
                    Key = field.Path,
                    Found = $"'{token.Content}' with id {token.Id}",
                    Expected = vocabulary.Id(token.Content) is int id ? $"id {id}, as before" : $"another id: {token.Id} is '{vocabulary[token.Id]}'",
                    Hint = "give every token one id",
                };
            }

            tokens[token.Content] = token; // the last of two entries holds
        }

        return tokens;
    }

    /// <summary>Reads the flags of an added token; they stand in tokenizer_config.json too.</summary>
    public static AddedToken AddedToken(JsonField field, int id)
    {
        string content = field.Required("content").Text();
        if (content.Length == 0)
        {
            throw new EngineException("NE3111", $"{field.Path} has an empty content")
            {
                File = field.File,
                Key = field.Path,
                Found = "\"\"",
                Expected = "the text of a token",
                Hint = "remove the entry",
            };
        }

        bool special = field.Flag("special", false);
        return new AddedToken(
            id,
            content,
            SingleWord: field.Flag("single_word", false),
            LStrip: field.Flag("lstrip", false),
            RStrip: field.Flag("rstrip", false),
            Normalized: field.Flag("normalized", !special),
            special);
    }
}
