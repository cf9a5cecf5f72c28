using NativeEngine.Checkpoints;

namespace NativeEngine.Spec;

/// <summary>config.json (transformers 4 and 5 spelling) to <see cref="ModelSpec"/>.</summary>
internal static class SpecReader
{
    // Above every published model; they keep a hostile config from sizing anything before it is compared with the tensors.
    internal const int MaxWidth = 1 << 20, MaxHeads = 1 << 14;
    private const int MaxLayers = 4096, MaxVocab = 1 << 24, MaxPositions = 1 << 26;

    /// <summary>Reads the spec of the model in <paramref name="folder"/>.</summary>
    /// <exception cref="EngineException">NE305x: a field is broken; NE405x: the model is not supported</exception>
    public static ModelSpec Read(string folder)
    {
        var model = new ModelFolder(folder);
        ModelSpec spec = Build(ConfigJson.Read(model));

        // Chat models list further end-of-text ids in generation_config.json only.
        const string generation = "generation_config.json";
        if (!model.Has(generation))
        {
            return spec;
        }

        IReadOnlyList<int> eos = ConfigJson.Parse(model.Read(generation, ConfigJson.MaxBytes), model.PathOf(generation)).Ids("eos_token_id");
        return spec with { Ids = spec.Ids with { Eos = [.. spec.Ids.Eos.Union(eos)] } };
    }

    /// <summary>Reads the spec from the bytes of a config.json; <paramref name="file"/> is its name in errors.</summary>
    public static ModelSpec Parse(ReadOnlyMemory<byte> utf8, string file) => Build(ConfigJson.Parse(utf8, file));

    private static ModelSpec Build(ConfigJson config)
    {
        Family family = Families.Find(config);
        int hidden = config.Int("hidden_size", 1, MaxWidth);
        int layers = config.Int("num_hidden_layers", 1, MaxLayers);
        int heads = config.Int("num_attention_heads", 1, MaxHeads);
        int kvHeads = config.Int("num_key_value_heads", 1, MaxHeads, heads);
        int ffn = config.Int(family.FfnKey, 1, MaxWidth);
        int maxPositions = config.Int("max_position_embeddings", 1, MaxPositions, 2048);
        if (config.Int("word_embed_proj_dim", 1, MaxWidth, hidden) is int projected && projected != hidden)
        {
            throw config.Unsupported("word_embed_proj_dim", projected.ToString(), $"{hidden}, as hidden_size");
        }

        if (heads % kvHeads != 0)
        {
            throw config.Wrong("num_key_value_heads", $"a divisor of num_attention_heads = {heads}", config.Root.GetProperty("num_key_value_heads"));
        }

        if (!config.Has("head_dim") && hidden % heads != 0)
        {
            throw config.Wrong("num_attention_heads", $"a divisor of hidden_size = {hidden}", config.Root.GetProperty("num_attention_heads"));
        }

        int headDim = config.Int("head_dim", 1, MaxWidth / heads, Math.Max(1, hidden / heads));
        var spec = new ModelSpec
        {
            ModelType = family.ModelType,
            Names = family.Names,
            Vocab = config.Int("vocab_size", 1, MaxVocab),
            Hidden = hidden,
            EmbedWidth = hidden,
            HeadWidth = hidden,
            MaxPositions = maxPositions,
            Norm = family.Norm,
            NormEps = family.NormEps(config),
            NormAffine = family.NormAffine(config),
            Residual = family.Residual,
            Rope = family.RotaryFraction is null ? null : Rope(config, family.RotaryFraction(config), headDim, maxPositions),
            PositionOffset = family.PositionOffset,
            Activation = Families.ActivationOf(family, config),
            GatedMlp = family.GatedMlp,
            Bias = family.Bias(config),
            TiedHead = config.Bool("tie_word_embeddings", family.TiedByDefault),
            Shortcuts = false,
            Layers = [.. Enumerable.Repeat(LayerShape.Dense(heads, kvHeads, headDim, ffn, hidden), layers)],
            Ids = new SpecialIds(
                config.Ids("bos_token_id") is [int bos, ..] ? bos : null,
                config.Ids("eos_token_id"),
                config.Ids("pad_token_id") is [int pad, ..] ? pad : null),
        };
        return config.Object(CompressedConfig.Key) is { } block ? CompressedConfig.Read(block, spec) : spec;
    }

    private static RopeSpec Rope(ConfigJson config, double fraction, int headDim, int maxPositions)
    {
        int rotaryDim = (int)(fraction * headDim);
        if (rotaryDim < 2 || rotaryDim % 2 != 0)
        {
            throw config.Unsupported("head_dim", headDim.ToString(), "a head whose rotary part is even");
        }

        // transformers 5 moved theta and scaling into rope_parameters; where both spellings are present, that one wins.
        ConfigJson? scaling = config.Object("rope_parameters") ?? config.Object("rope_scaling");
        double theta = scaling?.Has("rope_theta") == true
            ? scaling.Number("rope_theta", 1e-3, 1e15)
            : config.Number("rope_theta", 1e-3, 1e15, 10000);
        var spec = new RopeSpec { RotaryDim = rotaryDim, Theta = theta };
        string type = scaling?.Text("rope_type") ?? scaling?.Text("type") ?? "default";
        return type switch
        {
            "default" => spec,
            "linear" => spec with { Scaling = RopeScaling.Linear, Factor = scaling!.Number("factor", 1, 1e6) },
            "dynamic" => spec with
            {
                Scaling = RopeScaling.Dynamic,
                Factor = scaling!.Number("factor", 1, 1e6),
                OriginalMaxPositions = maxPositions,
            },
            "llama3" => Llama3(config, scaling!, spec),
            _ => throw config.Unsupported("rope_scaling", type, "default, linear, dynamic, llama3"),
        };
    }

    private static RopeSpec Llama3(ConfigJson config, ConfigJson scaling, RopeSpec spec)
    {
        double low = scaling.Number("low_freq_factor", 1e-6, 1e6), high = scaling.Number("high_freq_factor", 1e-6, 1e6);
        if (high <= low)
        {
            throw config.Wrong("high_freq_factor", $"more than low_freq_factor = {low}", scaling.Root.GetProperty("high_freq_factor"));
        }

        return spec with
        {
            Scaling = RopeScaling.Llama3,
            Factor = scaling.Number("factor", 1, 1e6),
            OriginalMaxPositions = scaling.Int("original_max_position_embeddings", 1, MaxPositions),
            LowFreqFactor = low,
            HighFreqFactor = high,
        };
    }
}
