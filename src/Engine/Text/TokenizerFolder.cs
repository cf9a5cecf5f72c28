using System.Text;
using System.Text.Json;
using NativeEngine.Checkpoints;

namespace NativeEngine.Text;

/// <summary>Chooses between the tokenizer files of a model folder, and applies what its configuration says.</summary>
internal static class TokenizerFolder
{
    private const string VocabFileName = "vocab.json";
    private const string MergesFileName = "merges.txt";

    /// <summary>Whether <see cref="Load"/> finds files to read.</summary>
    public static bool Exists(string folder)
    {
        var files = new ModelFolder(folder);
        return files.Has(TokenizerJson.FileName) || files.Has(SentencePieceModel.FileName) || HasVocabAndMerges(files);
    }

    /// <summary>As <see cref="Tokenizer.Load"/>.</summary>
    public static Tokenizer Load(string folder, TokenizerChoice? asked, TokenizerChoice otherwise, IReporter reporter)
    {
        TokenizerChoice choice = asked ?? otherwise;
        var files = new ModelFolder(folder);
        bool hasJson = files.Has(TokenizerJson.FileName), hasModel = files.Has(SentencePieceModel.FileName);
        TokenizerConfig config = TokenizerConfig.Read(files);
        string name = choice switch
        {
            TokenizerChoice.Auto => "auto",
            TokenizerChoice.File => "file",
            _ => "slow",
        };

        if (choice == TokenizerChoice.Slow && hasModel)
        {
            return Slow(SentencePieceModel.Read(files, reporter), config, config.Legacy, $"{name}: {SentencePieceModel.FileName}, {Behaviour(config.Legacy)}");
        }

        if (asked == TokenizerChoice.Slow && (hasJson || HasVocabAndMerges(files)))
        {
            reporter.Notice($"{folder} has no {SentencePieceModel.FileName}, which a slow tokenizer is read from: the tokenizer is that of {(hasJson ? TokenizerJson.FileName : VocabFileName)}");
        }

        bool convert = choice == TokenizerChoice.Auto && config is { Class.IsLlama: true, AddPrefixSpace: not null } && hasModel;
        if (hasJson && !convert)
        {
            TokenizerParts parts = TokenizerJson.Read(files.Read(TokenizerJson.FileName), files.PathOf(TokenizerJson.FileName), reporter);
            return choice == TokenizerChoice.Auto
                ? Auto(parts, config, $"{name}: {TokenizerJson.FileName}")
                : new PipelineTokenizer(parts, Roles(config, parts.Vocabulary, parts.Prefix, parts.Suffix), $"{name}: {TokenizerJson.FileName}");
        }

        if (hasModel)
        {
            // The reference loses both flags on the way when it converts in spite of a tokenizer.json.
            (bool legacy, bool space) = hasJson ? (true, true) : (config.Legacy, config.AddPrefixSpace ?? true);
            TokenizerParts parts = SentencePieceConversion.Convert(SentencePieceModel.Read(files, reporter), files.PathOf(SentencePieceModel.FileName), legacy, space);
            return Auto(parts, config, $"{name}: {SentencePieceModel.FileName}, {Behaviour(legacy)}");
        }

        if (HasVocabAndMerges(files))
        {
            return Auto(ReadVocabAndMerges(files, config), config, $"{name}: {VocabFileName}, {MergesFileName}");
        }

        throw new EngineException("NE3100", "the model folder has no tokenizer")
        {
            File = folder,
            Key = "tokenizer",
            Found = "none of these files",
            Expected = $"{TokenizerJson.FileName}, {SentencePieceModel.FileName}, or {VocabFileName} with {MergesFileName}",
            Hint = "copy the tokenizer files into the model folder, or pass ids instead of text",
        };
    }

    /// <summary>The Python tokenizer of a SentencePiece model.</summary>
    public static Tokenizer Slow(SentencePieceModel model, TokenizerConfig config, bool legacy, string description)
    {
        Vocabulary vocabulary = model.Vocabulary.Copy();
        var added = new OrderedDictionary<string, AddedToken>();
        Add(config, added, vocabulary, [model.UnknownPiece, "<s>", "</s>"]);
        return new SlowLlamaTokenizer(model, vocabulary, [.. added.Values], legacy, config.AddPrefixSpace ?? true, Framed(config, vocabulary), description);
    }

    /// <summary>What AutoTokenizer adds to the files: tokens of the configuration, and class behaviour.</summary>
    private static PipelineTokenizer Auto(TokenizerParts parts, TokenizerConfig config, string description)
    {
        Add(config, parts.AddedTokens, parts.Vocabulary, []);
        if (config.Class.PrefixSpaceByConfig && parts.PlainByteLevel)
        {
            parts.PreTokenizers.RemoveAll(stage => stage is PrefixSpace);
            if (config.AddPrefixSpace ?? false)
            {
                parts.PreTokenizers.Insert(0, new PrefixSpace());
            }
        }

        SpecialIds special = config.Class.IsLlama ? Framed(config, parts.Vocabulary) : Roles(config, parts.Vocabulary, parts.Prefix, parts.Suffix);
        return new PipelineTokenizer(parts, special, description);
    }

    /// <summary>Adds the tokens of the configuration: first those with flags, then special ones that are only named. New ones get the next ids.</summary>
    private static void Add(TokenizerConfig config, OrderedDictionary<string, AddedToken> added, Vocabulary vocabulary, IEnumerable<string> more)
    {
        foreach (AddedToken token in config.AddedTokens)
        {
            Set(token with { Special = token.Special || config.SpecialTokens.Contains(token.Content) });
        }

        foreach (string content in config.SpecialTokens.Concat(more).Where(content => content.Length > 0 && !added.ContainsKey(content)).ToArray())
        {
            Set(SentencePieceConversion.Special(-1, content));
        }

        void Set(AddedToken token)
        {
            int id = vocabulary.Id(token.Content) ?? vocabulary.Size;
            vocabulary.TryAdd(token.Content, id);
            added[token.Content] = token with { Id = id };
        }
    }

    private static bool HasVocabAndMerges(ModelFolder files) => files.Has(VocabFileName) && files.Has(MergesFileName);

    private static TokenizerParts ReadVocabAndMerges(ModelFolder files, TokenizerConfig config)
    {
        string vocabPath = files.PathOf(VocabFileName), mergesPath = files.PathOf(MergesFileName);
        using JsonDocument document = StrictJson.Parse(files.Read(VocabFileName), vocabPath, "NE3101");
        Vocabulary vocabulary = TokenizerModel.ReadVocabulary(new JsonField(document.RootElement, "", vocabPath));
        var merges = new MergeList(vocabulary, mergesPath);
        int number = 0;
        foreach (string line in Corpus.Lines(Corpus.Checked(files.Read(MergesFileName), mergesPath)))
        {
            number++;
            if (line.Length > 0)
            {
                merges.AddLine(line, $"line {number}");
            }
        }

        bool bos = config.Class.BosByConfig && config is { AddBos: true, Bos: not null };
        int? bosId = bos ? vocabulary.Id(config.Bos) : null;
        return new TokenizerParts
        {
            Vocabulary = vocabulary,
            AddedTokens = [],
            Normalizers = config.Class.ComposesCharacters ? [new UnicodeNormalizer(NormalizationForm.FormC, vocabPath)] : [],
            PreTokenizers = [new PatternSplit(SplitPatternParser.Parse(config.Class.Pattern, vocabPath), SplitBehavior.Isolated, invert: false)],
            PlainByteLevel = true,
            Encoding = TokenizerModel.ByteLevel(vocabulary, merges, ignoreMerges: false, vocabPath),
            Prefix = bosId is int id ? [id] : [],
            Decoders = [new ByteLevelDecoder()],
        };
    }

    /// <summary>The ids of the roles, around a text those that the configuration asks for.</summary>
    private static SpecialIds Framed(TokenizerConfig config, Vocabulary vocabulary)
    {
        int[] prefix = (config.AddBos ?? true) && Id(vocabulary, config.Bos ?? "<s>") is int bos ? [bos] : [];
        int[] suffix = (config.AddEos ?? false) && Id(vocabulary, config.Eos ?? "</s>") is int eos ? [eos] : [];
        return Roles(config, vocabulary, prefix, suffix);
    }

    private static SpecialIds Roles(TokenizerConfig config, Vocabulary vocabulary, IReadOnlyList<int> prefix, IReadOnlyList<int> suffix)
    {
        int? bos = Id(vocabulary, config.Bos) ?? (prefix.Count > 0 ? prefix[0] : null);
        int? eos = Id(vocabulary, config.Eos) ?? (suffix.Count > 0 ? suffix[^1] : null);
        return new SpecialIds(bos, eos, Id(vocabulary, config.Pad), prefix, suffix);
    }

    private static int? Id(Vocabulary vocabulary, string? token) => token is null ? null : vocabulary.Id(token);

    private static string Behaviour(bool legacy) => legacy ? "legacy" : "not legacy";
}
