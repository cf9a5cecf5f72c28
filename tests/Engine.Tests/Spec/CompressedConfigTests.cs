using System.Text;
using System.Text.Json.Nodes;
using NativeEngine.Kernels;
using NativeEngine.Prune;
using NativeEngine.Slice;
using NativeEngine.Spec;
using NativeEngine.Tests.Checkpoints;

namespace NativeEngine.Tests;

/// <summary>config.json of compressed models: what is written is read back as it was, in the fields of the family where these suffice.</summary>
public sealed class CompressedConfigTests
{
    private const string Llama = """
        {"model_type":"llama","vocab_size":512,"hidden_size":64,"intermediate_size":128,"num_hidden_layers":4,"num_attention_heads":4,
         "num_key_value_heads":2,"max_position_embeddings":256,"rms_norm_eps":1e-6,"rope_theta":10000.0,"hidden_act":"silu",
         "layer_types":["a","b","c","d"]}
        """;

    private const string Opt = """
        {"model_type":"opt","vocab_size":512,"hidden_size":64,"word_embed_proj_dim":64,"ffn_dim":128,"num_hidden_layers":4,
         "num_attention_heads":4,"max_position_embeddings":256}
        """;

    private const string Phi = """
        {"model_type":"phi","vocab_size":512,"hidden_size":64,"intermediate_size":128,"num_hidden_layers":4,"num_attention_heads":4,
         "max_position_embeddings":256,"partial_rotary_factor":0.5}
        """;

    /// <summary>Config, what is cut, the fields that change (null: a block is needed).</summary>
    public static TheoryData<string, string, string?> Cases => new()
    {
        { Llama, "nothing", "" },
        { Llama, "ffn everywhere", "intermediate_size=100" },
        { Llama, "ffn of one layer", null },
        { Llama, "heads everywhere", "num_attention_heads=2 num_key_value_heads=1 head_dim=16" },
        { Llama.Replace("\"num_key_value_heads\":2", "\"num_key_value_heads\":4"), "heads everywhere", null }, // 3 heads do not divide 64
        { Llama, "heads of one layer", null },
        { Llama, "hidden", "hidden_size=40 head_dim=16" },
        { Llama, "hidden, to no multiple of the heads", null },
        { Llama, "hidden and a layer's ffn", null },
        { Llama, "layers", "num_hidden_layers=2 layer_types=[\"b\",\"d\"]" },
        { Llama, "a layer and another's ffn", null },
        { Opt, "nothing", "" },
        { Opt, "ffn everywhere", "ffn_dim=100" },
        { Opt, "heads everywhere", null },
        { Opt, "hidden", null },
        { Opt, "layers", "num_hidden_layers=2" },
        { Phi, "ffn everywhere", "intermediate_size=100" },
        { Phi, "heads everywhere", null },
        { Phi, "heads of one layer", null },
        { Phi, "hidden", null },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public void Every_shape_is_read_back(string config, string cut, string? changes)
    {
        ModelSpec dense = Parse(config);
        PrunePlan plan = Plan(dense, cut);
        ModelSpec pruned = plan.Apply();
        JsonObject written = Write(config, pruned, "llm-pruner", plan.KeptLayers);
        AssertSame(pruned, Parse(written.ToJsonString()));
        Assert.Equal(changes is not null, ConfigWriter.WhyNotStock(pruned) is null);
        Assert.Equal(changes is null, written.ContainsKey(CompressedConfig.Key));
        if (changes is not null)
        {
            JsonObject original = Write(config, dense, null, null);
            Assert.Equal(
                changes.Split(' ', StringSplitOptions.RemoveEmptyEntries).Order(),
                written.Where(f => !JsonNode.DeepEquals(f.Value, original[f.Key])).Select(f => $"{f.Key}={f.Value!.ToJsonString()}").Order());
        }
        else
        {
            Assert.Equal((2, "llm-pruner"), ((int)written[CompressedConfig.Key]!["format"]!, (string?)written[CompressedConfig.Key]!["method"]));
        }
    }

    [Fact]
    public void A_dense_config_gains_no_field_about_shapes()
    {
        JsonObject written = Write(Llama, Parse(Llama), null, null), original = JsonNode.Parse(Llama)!.AsObject();
        Assert.Equal(["dtype", "rope_parameters", "rope_scaling", "tie_word_embeddings", "torch_dtype"], written.Select(f => f.Key).Except(original.Select(f => f.Key)).Order());
    }

    [Theory]
    [InlineData("nothing", 1, "slicegpt")]
    [InlineData("ffn of one layer", 2, "slicegpt,llm-pruner")]
    [InlineData("heads of one layer", 2, "slicegpt,llm-pruner")]
    [InlineData("ffn everywhere", 1, "slicegpt,llm-pruner")]
    [InlineData("heads everywhere", 1, "slicegpt,llm-pruner")]
    public void A_sliced_model_that_is_pruned_keeps_both_kinds_of_widths(string cut, int format, string method)
    {
        ModelSpec sliced = SliceSchedule.Constant(Fusion.Fused(Parse(Llama), compat: false), 0.25, 8, sliceHead: true);
        string config = Write(Llama, sliced, "slicegpt", null).ToJsonString();
        AssertSame(sliced, Parse(config));
        ModelSpec pruned = Plan(sliced, cut).Apply();
        JsonObject written = Write(config, pruned, cut == "nothing" ? null : "llm-pruner", null);
        AssertSame(pruned, Parse(written.ToJsonString()));
        Assert.Equal((format, method), ((int)written[CompressedConfig.Key]!["format"]!, (string)written[CompressedConfig.Key]!["method"]!));
    }

    [Fact]
    public void Pruned_again_to_one_shape_it_needs_no_block()
    {
        ModelSpec dense = Parse(Llama), once = Plan(dense, "ffn of one layer").Apply();
        string config = Write(Llama, once, "llm-pruner", null).ToJsonString();
        ModelSpec twice = once with { Layers = [.. once.Layers.Select(s => s with { Ffn = 90 })] };
        JsonObject written = Write(config, twice, "llm-pruner", null);
        Assert.False(written.ContainsKey(CompressedConfig.Key));
        AssertSame(twice, Parse(written.ToJsonString()));
    }

    [Fact]
    public void A_folder_of_format_1_still_loads()
    {
        JsonObject config = JsonNode.Parse(Llama)!.AsObject();
        config[CompressedConfig.Key] = JsonNode.Parse($$"""
            {"format":1,"method":"slicegpt","embedding":48,"head":48,"norm_eps":1e-6,"bias":{"qkv":false,"attn_out":false,"mlp_in":false,"mlp_out":false,"head":false},
             "layers":[{{string.Join(',', Enumerable.Repeat("""{"attention_input":48,"attention_output":40,"mlp_input":40,"mlp_output":48}""", 4))}}]}
            """);
        ModelSpec spec = Parse(config.ToJsonString());
        Assert.True(spec.Shortcuts);
        Assert.Equal(new LayerShape(4, 2, 16, 128, 48, 40, 40, 48), spec.Layers[1]);
    }

    [Theory]
    [InlineData("heads", "0")]
    [InlineData("heads", "100000")]
    [InlineData("heads", "3")]
    [InlineData("kv_heads", "8")]
    [InlineData("kv_heads", "0")]
    [InlineData("head_dim", "17")]
    [InlineData("head_dim", "1073741824")]
    [InlineData("ffn", "-1")]
    [InlineData("ffn", "1e18")]
    [InlineData("ffn", "null")]
    [InlineData("ffn", "[128]")]
    [InlineData("attention_input", "32")]
    [InlineData("mlp_output", "65")]
    public void An_absurd_width_is_named_with_its_layer(string key, string value)
    {
        JsonObject config = JsonNode.Parse(Llama)!.AsObject(), block = CompressedConfig.Write(Plan(Parse(Llama), "ffn of one layer").Apply(), "llm-pruner", allWidths: true);
        block["layers"]![2]![key] = JsonNode.Parse(value);
        config[CompressedConfig.Key] = block;
        EngineException e = Assert.Throws<EngineException>(() => Parse(config.ToJsonString()));
        Assert.Equal((ExitCode.InvalidInput, "config.json"), (e.Exit, e.File));
        Assert.StartsWith("nativeengine.layers[2]", e.Key, StringComparison.Ordinal);
        Assert.NotNull(e.Expected);
    }

    [Theory]
    [InlineData("format", "3", ExitCode.Unsupported)]
    [InlineData("format", "0", ExitCode.InvalidInput)]
    [InlineData("layers", "[]", ExitCode.InvalidInput)]
    [InlineData("layers", "[1,2,3,4]", ExitCode.InvalidInput)]
    [InlineData("layers", "7", ExitCode.InvalidInput)]
    [InlineData("embedding", "64", ExitCode.InvalidInput)]
    public void A_broken_block_is_refused(string key, string value, ExitCode exit)
    {
        JsonObject config = JsonNode.Parse(Llama)!.AsObject(), block = CompressedConfig.Write(Plan(Parse(Llama), "ffn of one layer").Apply(), "llm-pruner", allWidths: true);
        block[key] = JsonNode.Parse(value);
        config[CompressedConfig.Key] = block;
        Assert.Equal(exit, Assert.Throws<EngineException>(() => Parse(config.ToJsonString())).Exit);
    }

    [Fact]
    public void A_block_cannot_promise_more_than_the_tensors_hold()
    {
        JsonObject block = [];
        using TemporaryModel model = new("llama-mha", config: c =>
        {
            ModelSpec spec = Parse(c.ToJsonString());
            block = CompressedConfig.Write(spec with { Layers = [.. spec.Layers.Select((s, l) => l == 1 ? s with { Ffn = s.Ffn + 1 } : s)] }, "llm-pruner", allWidths: true);
            c[CompressedConfig.Key] = block;
        });
        EngineException e = Assert.Throws<EngineException>(() => Model.CausalModel.Open(new Kernels.Cpu.CpuBackend(1), model.Folder));
        Assert.Equal(("NE3055", "model.layers.1.mlp.gate_proj.weight"), (e.Code, e.Key));
    }

    private static PrunePlan Plan(ModelSpec spec, string cut)
    {
        StructureKind heads = spec.Layers[0].Heads == spec.Layers[0].KvHeads ? StructureKind.Heads : StructureKind.KvHeads;
        int[] someFfn = [.. Enumerable.Range(0, 28)], someHidden = [.. Enumerable.Range(8, 24)];
        IEnumerable<int> all = Enumerable.Range(0, spec.Layers.Count);
        return new PrunePlan(spec, cut switch
        {
            "nothing" => [],
            "ffn everywhere" => [.. all.Select(l => new PrunedGroup(l, StructureKind.Channels, someFfn))],
            "ffn of one layer" => [new(2, StructureKind.Channels, someFfn)],
            "heads everywhere" => [.. all.Select(l => new PrunedGroup(l, heads, [1]))],
            "heads of one layer" => [new(1, heads, [0])],
            "hidden" => [new(-1, StructureKind.Hidden, someHidden)],
            "hidden, to no multiple of the heads" => [new(-1, StructureKind.Hidden, [.. someHidden, 32, 33])],
            "hidden and a layer's ffn" => [new(-1, StructureKind.Hidden, someHidden), new(3, StructureKind.Channels, someFfn)],
            "layers" => [new(-1, StructureKind.Layers, [0, 2])],
            "a layer and another's ffn" => [new(-1, StructureKind.Layers, [0]), new(3, StructureKind.Channels, someFfn)],
            _ => throw new ArgumentException(cut, nameof(cut)),
        });
    }

    private static void AssertSame(ModelSpec expected, ModelSpec found)
    {
        Assert.Equal(expected.Layers, found.Layers);
        Assert.Equal(expected with { Layers = [], Ids = found.Ids }, found with { Layers = [] });
    }

    private static JsonObject Write(string config, ModelSpec spec, string? method, IReadOnlyList<int>? layers)
    {
        using TemporaryFolder folder = new();
        folder.Write("config.json", config);
        return JsonNode.Parse(ConfigWriter.Write(folder.Location, spec, DType.F32, method, layers))!.AsObject();
    }

    private static ModelSpec Parse(string config) => SpecReader.Parse(Encoding.UTF8.GetBytes(config), "config.json");
}
