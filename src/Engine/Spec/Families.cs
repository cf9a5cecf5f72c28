using NativeEngine.Kernels;

namespace NativeEngine.Spec;

/// <summary>One model_type: which config fields say what, and which names its checkpoints use. Functions read the config where checkpoints of one family differ.</summary>
internal sealed record Family(string ModelType)
{
    public required NameMap Names { get; init; }

    public required NormKind Norm { get; init; }

    public required ResidualKind Residual { get; init; }

    public required Func<ConfigJson, double> NormEps { get; init; }

    public Func<ConfigJson, bool> NormAffine { get; init; } = _ => true;

    public string FfnKey { get; init; } = "intermediate_size";

    public string ActivationKey { get; init; } = "hidden_act";

    public required string DefaultActivation { get; init; }

    public required bool GatedMlp { get; init; }

    public required Func<ConfigJson, Biases> Bias { get; init; }

    public required bool TiedByDefault { get; init; }

    /// <summary>Share of a head's dimensions that rotates; null for learned positions.</summary>
    public required Func<ConfigJson, double>? RotaryFraction { get; init; }

    /// <summary>Rows of learned positions in front of the first one used.</summary>
    public int PositionOffset { get; init; }

    /// <summary>The stock class takes the width of a head from head_dim where config.json has it (newer transformers), and not from hidden_size alone; the heads must divide hidden_size all the same.</summary>
    public bool ReadsHeadDim { get; init; }

    /// <summary>Config fields that must have this value, because anything else is another model.</summary>
    public IReadOnlyList<(string Key, string Value)> Requires { get; init; } = [];
}

/// <summary>The table of model types. Adding a family is adding a row (and its fixture).</summary>
internal static class Families
{
    private const string ShortcutAttn = "attn_shortcut_Q", ShortcutMlp = "mlp_shortcut_Q";

    private static readonly Family[] Table =
    [
        // Touvron et al. 2023; Vicuna, Llama 3 and TinyLlama are the same row
        new("llama")
        {
            Norm = NormKind.Rms,
            NormEps = c => c.Number("rms_norm_eps", 0, 1, 1e-6),
            Residual = ResidualKind.Sequential,
            RotaryFraction = _ => 1,
            ReadsHeadDim = true,
            DefaultActivation = "silu",
            GatedMlp = true,
            Bias = c =>
            {
                bool attention = c.Bool("attention_bias", false), mlp = c.Bool("mlp_bias", false);
                return new Biases(attention, attention, mlp, mlp, false);
            },
            TiedByDefault = false,
            Names = new NameMap("model.layers.{0}.", new Dictionary<Role, string>
            {
                [Role.Embed] = "model.embed_tokens",
                [Role.NormAttn] = "input_layernorm",
                [Role.AttnQ] = "self_attn.q_proj",
                [Role.AttnK] = "self_attn.k_proj",
                [Role.AttnV] = "self_attn.v_proj",
                [Role.AttnOut] = "self_attn.o_proj",
                [Role.AttnShortcut] = ShortcutAttn,
                [Role.NormMlp] = "post_attention_layernorm",
                [Role.MlpGate] = "mlp.gate_proj",
                [Role.MlpUp] = "mlp.up_proj",
                [Role.MlpDown] = "mlp.down_proj",
                [Role.MlpShortcut] = ShortcutMlp,
                [Role.NormFinal] = "model.norm",
                [Role.Head] = "lm_head",
            }),
        },

        // Zhang et al. 2022; the 350m checkpoint normalises after the block and projects its embedding: another model
        new("opt")
        {
            Norm = NormKind.Layer,
            NormEps = _ => 1e-5,
            NormAffine = c => c.Bool("layer_norm_elementwise_affine", true),
            Residual = ResidualKind.Sequential,
            RotaryFraction = null,
            PositionOffset = 2,
            FfnKey = "ffn_dim",
            ActivationKey = "activation_function",
            DefaultActivation = "relu",
            GatedMlp = false,
            Bias = c =>
            {
                bool bias = c.Bool("enable_bias", true);
                return new Biases(bias, bias, bias, bias, false);
            },
            TiedByDefault = true,
            Requires = [("do_layer_norm_before", "true"), ("_remove_final_layer_norm", "false")],
            Names = new NameMap("model.decoder.layers.{0}.", new Dictionary<Role, string>
            {
                [Role.Embed] = "model.decoder.embed_tokens",
                [Role.Position] = "model.decoder.embed_positions",
                [Role.NormAttn] = "self_attn_layer_norm",
                [Role.AttnQ] = "self_attn.q_proj",
                [Role.AttnK] = "self_attn.k_proj",
                [Role.AttnV] = "self_attn.v_proj",
                [Role.AttnOut] = "self_attn.out_proj",
                [Role.AttnShortcut] = ShortcutAttn,
                [Role.NormMlp] = "final_layer_norm",
                [Role.MlpUp] = "fc1",
                [Role.MlpDown] = "fc2",
                [Role.MlpShortcut] = ShortcutMlp,
                [Role.NormFinal] = "model.decoder.final_layer_norm",
                [Role.Head] = "lm_head",
            }),
        },

        // Phi-1, Phi-1.5 and Phi-2 (Javaheripi et al. 2023): attention and MLP read the same norm
        new("phi")
        {
            Norm = NormKind.Layer,
            NormEps = c => c.Number("layer_norm_eps", 0, 1, 1e-5),
            Residual = ResidualKind.Parallel,
            RotaryFraction = c => c.Number("partial_rotary_factor", 0, 1, c.Object("rope_parameters")?.Number("partial_rotary_factor", 0, 1, 0.5) ?? 0.5),
            DefaultActivation = "gelu_new",
            GatedMlp = false,
            Bias = _ => new Biases(true, true, true, true, true),
            TiedByDefault = false,
            Requires = [("qk_layernorm", "false")],
            Names = new NameMap("model.layers.{0}.", new Dictionary<Role, string>
            {
                [Role.Embed] = "model.embed_tokens",
                [Role.NormAttn] = "input_layernorm",
                [Role.AttnQ] = "self_attn.q_proj",
                [Role.AttnK] = "self_attn.k_proj",
                [Role.AttnV] = "self_attn.v_proj",
                [Role.AttnOut] = "self_attn.dense",
                [Role.AttnShortcut] = ShortcutAttn,
                [Role.MlpUp] = "mlp.fc1",
                [Role.MlpDown] = "mlp.fc2",
                [Role.NormFinal] = "model.final_layernorm",
                [Role.Head] = "lm_head",
            }),
        },
    ];

    /// <summary>Names of the activations in config files.</summary>
    private static readonly Dictionary<string, Activation> Activations = new()
    {
        ["relu"] = Activation.Relu,
        ["silu"] = Activation.Silu,
        ["swish"] = Activation.Silu,
        ["gelu"] = Activation.Gelu,
        ["gelu_new"] = Activation.GeluTanh,
        ["gelu_fast"] = Activation.GeluTanh,
        ["gelu_pytorch_tanh"] = Activation.GeluTanh,
    };

    /// <summary>The row of <paramref name="config"/>'s model_type; exit 4 when there is none.</summary>
    public static Family Find(ConfigJson config)
    {
        string? type = config.Text("model_type");
        Family family = Array.Find(Table, f => f.ModelType == type)
            ?? throw config.Unsupported("model_type", type, string.Join(", ", Table.Select(f => f.ModelType)));
        foreach ((string key, string value) in family.Requires)
        {
            if (config.Bool(key, value == "true") != (value == "true"))
            {
                throw config.Unsupported(key, value == "true" ? "false" : "true", value);
            }
        }

        return family;
    }

    /// <summary>The row of a model that was read.</summary>
    public static Family Of(ModelSpec spec) => Array.Find(Table, f => f.ModelType == spec.ModelType)!;

    /// <summary>The activation that <paramref name="config"/> names; exit 4 when it is not known.</summary>
    public static Activation ActivationOf(Family family, ConfigJson config)
    {
        string name = config.Text(family.ActivationKey) ?? family.DefaultActivation;
        return Activations.TryGetValue(name, out Activation f) ? f : throw config.Unsupported(family.ActivationKey, name, string.Join(", ", Activations.Keys));
    }
}
