using System.Text.Json.Nodes;
using NativeEngine.Checkpoints;
using NativeEngine.Kernels;
using NativeEngine.Spec;
using NativeEngine.Testing;
using NativeEngine.Tests.Checkpoints;
using NativeEngine.Tune;

namespace NativeEngine.Tests.Tune;

/// <summary>Adapters out and in again, and what is refused.</summary>
public sealed class AdapterFolderTests : IDisposable
{
    private static readonly string Model = Shared.Fixture("llama-mha");
    private static readonly ModelSpec Spec = SpecReader.Read(Model);

    private readonly TemporaryFolder folder = new();
    private readonly Notices notices = [];
    private readonly Checkpoint weights = Checkpoint.Open(Model);
    private readonly Session session;

    public AdapterFolderTests() => session = new Session("cpu", threads: 1, reporter: notices);

    public void Dispose()
    {
        session.Dispose();
        weights.Dispose();
        folder.Dispose();
    }

    [Fact]
    public void An_adapter_comes_back_as_it_was()
    {
        LoraConfig config = new(4, 6.5, 0.05, RankStabilized: true);
        using AdapterSet written = RandomAdapters.Write(session, Spec, weights, folder["a"], config, LoraTargetRoles.All);
        using AdapterSet read = AdapterFolder.Read(session, folder["a"], Spec, weights);
        Assert.Equal(written.Config, read.Config);
        Assert.Equal(written.Maps.Keys, read.Maps.Keys);
        Assert.All(
            written.Tensors().Zip(read.Tensors()),
            t => Assert.Equal(t.First.Value.AsSpan<float>().ToArray(), t.Second.Value.AsSpan<float>().ToArray()));
        Assert.Empty(notices);
        Assert.Empty(Manifest.Verify(folder["a"]));
        Assert.Equal(["a", "a/adapter_config.json", "a/adapter_model.safetensors", "a/nativeengine.manifest.json"], folder.Contents);
    }

    [Fact]
    public void The_configuration_is_that_of_peft()
    {
        RandomAdapters.Write(session, Spec, weights, folder["a"], new LoraConfig(8, 16, 0.05), [Role.AttnV, Role.AttnQ, Role.MlpDown]).Dispose();
        JsonNode expected = JsonNode.Parse(
            """
            {
              "peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": "", "inference_mode": true,
              "r": 8, "lora_alpha": 16, "lora_dropout": 0.05, "target_modules": ["down_proj", "q_proj", "v_proj"],
              "bias": "none", "fan_in_fan_out": false, "modules_to_save": null, "init_lora_weights": true,
              "layers_to_transform": null, "layers_pattern": null, "rank_pattern": {}, "alpha_pattern": {}
            }
            """)!;
        expected["base_model_name_or_path"] = Model;
        JsonNode config = JsonNode.Parse(File.ReadAllText(folder["a/adapter_config.json"]))!;
        Assert.True(JsonNode.DeepEquals(expected, config), config.ToJsonString());
    }

    [SkippableFact]
    public void Modules_are_named_as_the_family_names_them()
    {
        ModelSpec phi = SpecReader.Read(Golden.Model("tiny-phi"));
        using Checkpoint itsWeights = Checkpoint.Open(Golden.Model("tiny-phi"));
        using AdapterSet set = RandomAdapters.Write(session, phi, itsWeights, folder["a"], new LoraConfig(2, 4), LoraTargetRoles.Of(null, phi, notices));
        JsonNode config = JsonNode.Parse(File.ReadAllText(folder["a/adapter_config.json"]))!;
        Assert.Equal("""["dense","fc1","fc2","k_proj","q_proj","v_proj"]""", config["target_modules"]!.ToJsonString());
        using AdapterSet read = AdapterFolder.Read(session, folder["a"], phi, itsWeights);
        Assert.Equal(set.Maps.Keys, read.Maps.Keys);
    }

    [Theory]
    [InlineData("""["q_proj","v_proj"]""")]
    [InlineData("""["self_attn.q_proj","model.layers.0.self_attn.v_proj","v_proj"]""")]
    public void A_target_is_a_name_or_the_end_of_one(string targets)
    {
        Small(config => config["target_modules"] = JsonNode.Parse(targets));
        using AdapterSet read = AdapterFolder.Read(session, folder["a"], Spec, weights);
        Assert.Equal(Spec.Layers.Count * 2, read.Maps.Count);
    }

    [Fact]
    public void A_target_that_no_module_bears_is_said()
    {
        Small(config => config["target_modules"]!.AsArray().Add("c_attn"));
        AdapterFolder.Read(session, folder["a"], Spec, weights).Dispose();
        Assert.Single(notices, n => n.Contains("'c_attn'", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("r", "\"eight\"", "NE3052")]
    [InlineData("r", "0", "NE3052")]
    [InlineData("r", null, "NE3053")]
    [InlineData("lora_alpha", null, "NE3053")]
    [InlineData("target_modules", null, "NE4050")]
    [InlineData("target_modules", "\".*_proj\"", "NE4050")]
    [InlineData("target_modules", "[\"q_proj\",7]", "NE3052")]
    [InlineData("target_modules", "[\"q_proj\",\"v_proj\",\"lm_head\"]", "NE4200")]
    [InlineData("peft_type", "\"LOHA\"", "NE4050")]
    [InlineData("peft_type", null, "NE4050")]
    [InlineData("bias", "\"all\"", "NE4050")]
    [InlineData("fan_in_fan_out", "true", "NE4050")]
    [InlineData("use_dora", "true", "NE4050")]
    [InlineData("modules_to_save", "[\"lm_head\"]", "NE4050")]
    [InlineData("rank_pattern", "{\"q_proj\":2}", "NE4050")]
    [InlineData("alpha_pattern", "{\"q_proj\":2}", "NE4050")]
    [InlineData("layers_to_transform", "[0]", "NE4050")]
    [InlineData("init_lora_weights", "\"pissa\"", "NE4050")]
    [InlineData("a_field_of_the_future", "1", "NE4050")]
    public void A_field_that_changes_the_function_is_refused_by_name(string field, string? value, string code)
    {
        Small(config =>
        {
            config.Remove(field);
            if (value is not null)
            {
                config[field] = JsonNode.Parse(value);
            }
        });
        EngineException e = Assert.Throws<EngineException>(() => AdapterFolder.Read(session, folder["a"], Spec, weights));
        Assert.Equal((code, field), (e.Code, e.Key));
        Assert.Equal(folder["a/adapter_config.json"], e.File);
    }

    [Fact]
    public void Half_a_surrogate_pair_is_no_name()
    {
        Small(_ => { });
        string config = File.ReadAllText(folder["a/adapter_config.json"]).Replace("\"q_proj\"", @"""\ud800""", StringComparison.Ordinal);
        File.WriteAllText(folder["a/adapter_config.json"], config);
        Assert.Equal("NE3052", Assert.Throws<EngineException>(() => AdapterFolder.Read(session, folder["a"], Spec, weights)).Code);
    }

    [Theory]
    [InlineData("auto_mapping", "{\"base_model_class\":\"LlamaForCausalLM\"}")]
    [InlineData("revision", "\"main\"")]
    [InlineData("megatron_core", "\"megatron.core\"")]
    [InlineData("qalora_group_size", "16")]
    [InlineData("loftq_config", "{}")]
    [InlineData("exclude_modules", "null")]
    [InlineData("lora_bias", "false")]
    [InlineData("init_lora_weights", "\"gaussian\"")]
    public void A_field_without_effect_is_let_be(string field, string value)
    {
        Small(config => config[field] = JsonNode.Parse(value));
        AdapterFolder.Read(session, folder["a"], Spec, weights).Dispose();
        Assert.Empty(notices);
    }

    [Fact]
    public void Another_model_of_the_same_shapes_is_said()
    {
        Small(_ => { });
        using var other = new TemporaryModel("llama-mha", (_, values) => values[0] += 1);
        using Checkpoint otherWeights = Checkpoint.Open(other.Folder);
        AdapterFolder.Read(session, folder["a"], Spec, otherWeights).Dispose();
        Assert.Single(notices, n => n.Contains("the adapter was trained on another model", StringComparison.Ordinal));
    }

    [Fact]
    public void A_missing_tensor_is_named()
    {
        Small(config => config["target_modules"]!.AsArray().Add("k_proj"));
        Fails("NE3211", "base_model.model.model.layers.0.self_attn.k_proj.lora_A.weight");
    }

    [Fact]
    public void A_tensor_that_is_left_over_is_named()
    {
        Small(config => config["target_modules"] = new JsonArray("v_proj"));
        Assert.Contains("4 tensors", Fails("NE3212", "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight").Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_rank_that_is_not_the_tensors_is_named()
    {
        Small(config => config["r"] = 5);
        EngineException e = Fails("NE3213", "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight");
        Assert.Equal(($"(5, {Spec.Hidden})", $"(4, {Spec.Hidden})"), (e.Expected, e.Found));
    }

    [Fact]
    public void An_adapter_of_a_wider_model_is_refused()
    {
        Small(_ => { });
        ModelSpec narrow = Spec with { Layers = [.. Spec.Layers.Select(l => l with { Heads = l.Heads - 1, KvHeads = l.KvHeads - 1 })] };
        EngineException e = Assert.Throws<EngineException>(() => AdapterFolder.Read(session, folder["a"], narrow, weights));
        Assert.Equal(("NE3213", "base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight"), (e.Code, e.Key));
    }

    [Fact]
    public void Values_that_are_not_finite_are_neither_read_nor_written()
    {
        Small(_ => { });
        byte[] bytes = File.ReadAllBytes(folder["a/adapter_model.safetensors"]);
        BitConverter.TryWriteBytes(bytes.AsSpan(^4), float.NaN);
        File.WriteAllBytes(folder["a/adapter_model.safetensors"], bytes);
        Assert.Equal("NE10001", Assert.Throws<EngineException>(() => AdapterFolder.Read(session, folder["a"], Spec, weights)).Code);

        using AdapterSet set = AdapterSet.Initial(session.Backend, Spec, new LoraConfig(4, 8), [Role.AttnQ], 1);
        set[0, Role.AttnQ]!.B.AsSpan<float>()[3] = float.PositiveInfinity;
        using var writer = new AdapterFolderWriter(session.Backend, set, Spec, weights, folder["b"], overwrite: false);
        Assert.Equal("NE10004", Assert.Throws<EngineException>(() => writer.Write(set)).Code);
    }

    [Fact]
    public void A_folder_without_an_adapter_and_a_pickled_one_are_refused()
    {
        Assert.Equal("NE3210", Assert.Throws<EngineException>(() => AdapterFolder.Read(session, Model, Spec, weights)).Code);
        Small(_ => { });
        File.Move(folder["a/adapter_model.safetensors"], folder["a/adapter_model.bin"]);
        Assert.Equal("NE4001", Assert.Throws<EngineException>(() => AdapterFolder.Read(session, folder["a"], Spec, weights)).Code);
        File.Delete(folder["a/adapter_model.bin"]);
        Assert.Equal("NE3210", Assert.Throws<EngineException>(() => AdapterFolder.Read(session, folder["a"], Spec, weights)).Code);
    }

    [Fact]
    public void An_output_that_touches_the_model_is_refused()
    {
        using AdapterSet set = AdapterSet.Initial(session.Backend, Spec, new LoraConfig(4, 8), [Role.AttnQ], 1);
        string output = Path.Combine(Model, "adapter");
        Assert.Equal("NE11004", Assert.Throws<EngineException>(() => new AdapterFolderWriter(session.Backend, set, Spec, weights, output, overwrite: false)).Code);
    }

    private EngineException Fails(string code, string key)
    {
        EngineException e = Assert.Throws<EngineException>(() => AdapterFolder.Read(session, folder["a"], Spec, weights));
        Assert.Equal((code, key, ExitCode.InvalidInput), (e.Code, e.Key, e.Exit));
        Assert.Equal(folder["a/adapter_model.safetensors"], e.File);
        return e;
    }

    /// <summary>An adapter of rank 4 for q and v, with a configuration that <paramref name="change"/> has changed.</summary>
    private void Small(Action<JsonObject> change)
    {
        RandomAdapters.Write(session, Spec, weights, folder["a"], new LoraConfig(4, 8), [Role.AttnQ, Role.AttnV]).Dispose();
        JsonObject config = JsonNode.Parse(File.ReadAllText(folder["a/adapter_config.json"]))!.AsObject();
        change(config);
        File.WriteAllText(folder["a/adapter_config.json"], config.ToJsonString());
    }
}
