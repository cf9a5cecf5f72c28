namespace NativeEngine.Text;

/// <summary>Builds a byte-pair encoding from a vocabulary and merges, whatever files they stand in.</summary>
internal static class TokenizerModel
{
    /// <summary>The section <c>model</c> of tokenizer.json.</summary>
    public static (Vocabulary Vocabulary, BytePairEncoding Encoding) Read(JsonField model, bool byteLevel)
    {
        string type = model.Optional("type")?.Text() ?? "BPE";
        if (type != "BPE")
        {
            throw model.Unsupported($"a model of type {type}", "BPE");
        }

        foreach (string name in (string[])["continuing_subword_prefix", "end_of_word_suffix"])
        {
            if (model.Optional(name) is { } affix && affix.Text().Length > 0)
            {
                throw affix.Unsupported($"{name} '{affix.Text()}'", "none");
            }
        }

        if (model.Optional("dropout") is { } dropout && !(dropout.Element.TryGetDouble(out double rate) && rate == 0))
        {
            throw dropout.Unsupported("dropout", "null: encoding is deterministic");
        }

        Vocabulary vocabulary = ReadVocabulary(model.Required("vocab"));
        var merges = new MergeList(vocabulary, model.File);
        foreach (JsonField merge in model.Required("merges").Items())
        {
            AddMerge(merges, merge);
        }

        bool ignoreMerges = model.Flag("ignore_merges", false);
        return (vocabulary, byteLevel
            ? ByteLevel(vocabulary, merges, ignoreMerges, model.File)
            : new FileCharacterEncoding(vocabulary, merges.ToTable(), merges.Results, Unknown(model, vocabulary), ignoreMerges));
    }

    /// <summary>An object of tokens and their ids.</summary>
    public static Vocabulary ReadVocabulary(JsonField field)
    {
        var vocabulary = new Vocabulary();
        foreach ((string token, JsonField id) in field.Members())
        {
            if (!vocabulary.TryAdd(token, Id(id)))
            {
                throw new EngineException("NE3104", $"two tokens have the id {Id(id)}")
                {
                    File = field.File,
                    Key = field.Path,
                    Found = $"'{vocabulary[Id(id)]}' and '{token}'",
                    Expected = "one token per id",
                    Hint = "fetch the tokenizer files of the model again",
                };
            }
        }

        return vocabulary.Count > 0 ? vocabulary : throw field.Wrong("a vocabulary with at least one token");
    }

    /// <summary>An id in range.</summary>
    public static int Id(JsonField field)
    {
        int id = field.Integer();
        return id is >= 0 and < Vocabulary.MaxSize ? id : throw new EngineException("NE3103", $"{field.Path} is not an id")
        {
            File = field.File,
            Key = field.Path,
            Found = $"{id}",
            Expected = $"0 to {Vocabulary.MaxSize - 1}",
            Hint = "fetch the tokenizer files of the model again",
        };
    }

    /// <summary>An encoding over bytes.</summary>
    public static ByteLevelEncoding ByteLevel(Vocabulary vocabulary, MergeList merges, bool ignoreMerges, string file)
    {
        var byteIds = new int[256];
        for (int b = 0; b < 256; b++)
        {
            char token = ByteAlphabet.Char((byte)b);
            byteIds[b] = vocabulary.Id([token]) ?? throw new EngineException("NE3108", $"the vocabulary has no token for byte 0x{b:X2}")
            {
                File = file,
                Key = "model.vocab",
                Found = "none",
                Expected = $"'{token}', as all 256 bytes need a token",
                Hint = "text with this byte could not be encoded; train the tokenizer with the whole byte alphabet",
            };
        }

        Utf8Map? words = null;
        var wordIds = new List<int>();
        for (int id = 0; ignoreMerges && id < vocabulary.Size; id++)
        {
            words ??= new Utf8Map();
            if (vocabulary[id] is { } token && ByteAlphabet.Bytes(token) is { } bytes && words.Find(bytes, out uint hash) < 0)
            {
                words.Add(bytes, hash);
                wordIds.Add(id);
            }
        }

        return new ByteLevelEncoding(byteIds, merges.ToTable(), words, wordIds);
    }

    private static void AddMerge(MergeList merges, JsonField merge)
    {
        if (merge.IsList)
        {
            JsonField[] pair = [.. merge.Items().Take(3)];
            if (pair.Length != 2)
            {
                throw merge.Wrong("a pair of tokens");
            }

            merges.Add(pair[0].Text(), pair[1].Text(), merge.Path);
        }
        else
        {
            merges.AddLine(merge.Text(), merge.Path);
        }
    }

    private static UnknownRule Unknown(JsonField model, Vocabulary vocabulary)
    {
        int unknown = -1;
        if (model.Optional("unk_token") is { } field)
        {
            unknown = vocabulary.Id(field.Text()) ?? throw new EngineException("NE3109", $"the unknown token '{field.Text()}' is not in the vocabulary")
            {
                File = field.File,
                Key = field.Path,
                Found = field.Text(),
                Expected = "a token of model.vocab",
                Hint = "fetch the tokenizer files of the model again",
            };
        }

        int[]? byteIds = model.Flag("byte_fallback", false) ? ByteIds(vocabulary, model.File) : null;
        return new UnknownRule(unknown, model.Flag("fuse_unk", false), byteIds);
    }

    /// <summary>The ids of the 256 byte tokens; null when the vocabulary has none of them.</summary>
    public static int[]? ByteIds(Vocabulary vocabulary, string file)
    {
        for (int id = 0; id < vocabulary.Size; id++)
        {
            if (vocabulary[id] is { } token && ByteToken.LooksLike(token) && ByteToken.Value(token) is null)
            {
                throw new EngineException("NE3110", $"'{token}' is not a byte token")
                {
                    File = file,
                    Key = "vocabulary",
                    Found = $"'{token}' with id {id}",
                    Expected = "<0x00> to <0xFF>",
                    Hint = "fetch the tokenizer files of the model again",
                };
            }
        }

        int?[] ids = [.. Enumerable.Range(0, 256).Select(b => vocabulary.Id(ByteToken.Name(b)))];
        int missing = Array.IndexOf(ids, null);
        if (missing >= 0 && ids.Any(id => id is not null))
        {
            throw new EngineException("NE3108", $"the vocabulary has byte tokens, but none for byte 0x{missing:X2}")
            {
                File = file,
                Key = "vocabulary",
                Found = $"{ids.Count(id => id is not null)} of 256 byte tokens",
                Expected = ByteToken.Name(missing),
                Hint = "fetch the tokenizer files of the model again",
            };
        }

        return missing >= 0 ? null : [.. ids.Select(id => id!.Value)];
    }
}
