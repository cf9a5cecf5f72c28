using System.Text;
using System.Text.Json.Nodes;
using NativeEngine.Checkpoints;
using NativeEngine.Kernels;
using NativeEngine.Model;
using NativeEngine.Slice;
using NativeEngine.Spec;
using NativeEngine.Testing;

namespace NativeEngine.Tests;

/// <summary>A config.json is untrusted: absurd fields end in one clear error before anything is sized from them.</summary>
public sealed class ConfigTests
{
    private const string Llama = """
        {"model_type":"llama","vocab_size":512,"hidden_size":64,"intermediate_size":128,"num_hidden_layers":2,"num_attention_heads":4,
         "num_key_value_heads":2,"max_position_embeddings":256,"rms_norm_eps":1e-6,"rope_theta":10000.0,"hidden_act":"silu"}
        """;

    [Theory]
    [InlineData("num_hidden_layers", "1000000000")]
    [InlineData("num_hidden_layers", "0")]
    [InlineData("num_hidden_layers", "\"two\"")]
    [InlineData("num_hidden_layers", "2.5")]
    [InlineData("vocab_size", "-1")]
    [InlineData("vocab_size", "1e300")]
    [InlineData("hidden_size", "1099511627776")]
    [InlineData("hidden_size", "[64]")]
    [InlineData("num_attention_heads", "0")]
    [InlineData("num_attention_heads", "5")]
    [InlineData("num_key_value_heads", "3")]
    [InlineData("head_dim", "0")]
    [InlineData("rope_theta", "0")]
    [InlineData("rope_theta", "-10000")]
    [InlineData("rms_norm_eps", "-1")]
    [InlineData("rms_norm_eps", "true")]
    [InlineData("max_position_embeddings", "0")]
    [InlineData("attention_bias", "1")]
    [InlineData("eos_token_id", "\"</s>\"")]
    [InlineData("rope_scaling", "{\"type\":\"linear\",\"factor\":0}")]
    [InlineData("rope_scaling", "{\"rope_type\":\"llama3\",\"factor\":8}")]
    [InlineData("rope_scaling", "7")]
    [InlineData("tie_word_embeddings", "\"no\"")]
    public void An_absurd_field_is_named(string key, string value)
    {
        EngineException e = Assert.Throws<EngineException>(() => Read(key, value));
        Assert.Equal(ExitCode.InvalidInput, e.Exit);
        Assert.Equal("config.json", e.File);
        Assert.NotNull(e.Expected);
    }

    [Theory]
    [InlineData("model_type", "\"mamba\"")]
    [InlineData("model_type", "null")]
    [InlineData("hidden_act", "\"mish\"")]
    [InlineData("head_dim", "15")]
    [InlineData("rope_scaling", "{\"rope_type\":\"yarn\",\"factor\":4}")]
    public void An_unsupported_value_is_named_with_what_is_supported(string key, string value)
    {
        EngineException e = Assert.Throws<EngineException>(() => Read(key, value));
        Assert.Equal(ExitCode.Unsupported, e.Exit);
        Assert.NotNull(e.Expected);
    }

    [Theory]
    [InlineData("{")]
    [InlineData("[]")]
    [InlineData("{\"model_type\":\"llama\",\"model_type\":\"opt\"}")]
    [InlineData("{\"rope_theta\":NaN}")]
    [InlineData("{\"\\ud800\":1}")]
    public void Broken_json_is_an_invalid_input(string json) =>
        Assert.Equal(ExitCode.InvalidInput, Assert.Throws<EngineException>(() => SpecReader.Parse(Encoding.UTF8.GetBytes(json), "config.json")).Exit);

    [Fact]
    public void Nesting_a_hundred_thousand_deep_is_an_invalid_input()
    {
        byte[] json = Encoding.UTF8.GetBytes("{\"a\":" + new string('[', 100_000));
        Assert.Equal(ExitCode.InvalidInput, Assert.Throws<EngineException>(() => SpecReader.Parse(json, "config.json")).Exit);
    }

    [Fact]
    public void An_integer_may_be_written_as_a_float() => Assert.Equal(64, Read("hidden_size", "64.0").Hidden);

    [Fact]
    public void A_huge_model_costs_nothing_before_its_tensors_are_seen()
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Throws<EngineException>(() => Read("num_hidden_layers", "1000000000"));
        Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < 1 << 20);
    }

    [Fact]
    public void The_sliced_block_survives_a_round_trip()
    {
        ModelSpec fused = Fusion.Fused(Read("tie_word_embeddings", "true"), compat: false);
        ModelSpec target = SliceSchedule.Constant(fused, 0.25, 8, sliceHead: false);
        ModelSpec read = ReadSliced(target, _ => { });
        Assert.Equal(target with { Layers = [], Names = read.Names, Ids = read.Ids }, read with { Layers = [] });
        Assert.Equal(target.Layers, read.Layers);
    }

    [Fact]
    public void Half_a_surrogate_pair_is_no_text()
    {
        EngineException e = Assert.Throws<EngineException>(() => SpecReader.Parse("{\"model_type\":\"\\ud800\"}"u8.ToArray(), "config.json"));
        Assert.Equal(("NE3052", "model_type"), (e.Code, e.Key));
    }

    [Theory]
    [InlineData("embedding")]
    [InlineData("head")]
    public void Widths_that_do_not_continue_are_refused(string key)
    {
        ModelSpec target = SliceSchedule.Constant(Fusion.Fused(Read("vocab_size", "512"), compat: false), 0.25, 8, sliceHead: false);
        EngineException e = Assert.Throws<EngineException>(() => ReadSliced(target, block => block[key] = 40));
        Assert.Equal(ExitCode.InvalidInput, e.Exit);
    }

    [Theory]
    [InlineData("model.layers.1.mlp.up_proj.weight", float.NaN)]
    [InlineData("lm_head.weight", float.PositiveInfinity)]
    public void A_weight_that_is_not_finite_is_named(string tensor, float value)
    {
        using TemporaryModel model = new("llama-mha", (name, weights) =>
        {
            if (name == tensor)
            {
                weights[7] = value;
            }
        });
        using var session = new Session("cpu", threads: 1);
        EngineException e = Assert.Throws<EngineException>(() => Verbs.Generate(session, new GenerateOptions(model.Folder) { PromptIds = [1, 2] }));
        Assert.Equal(ExitCode.Numerical, e.Exit);
        Assert.Equal(tensor, e.Key);
    }

    [Fact]
    public void An_activation_that_overflows_names_its_layer()
    {
        using TemporaryModel model = new("llama-mha", (name, weights) =>
        {
            if (name == "model.layers.1.mlp.down_proj.weight")
            {
                weights.Fill(3e38f);
            }
        });
        using var session = new Session("cpu", threads: 1);
        EngineException e = Assert.Throws<EngineException>(() => new Evaluate.PerplexityEvaluation(session, CausalModel.Open(session.Backend, model.Folder))
            .Measure(new TokenWindows([1, 2, 3, 4], null, 1, 4), 1, null));
        Assert.Equal("layer 1", e.Key);
    }

    [Fact]
    public void Shapes_that_contradict_the_config_are_named_with_both()
    {
        using TemporaryModel model = new("llama-mha", config: c => c["vocab_size"] = 500);
        EngineException e = Assert.Throws<EngineException>(() => CausalModel.Open(new Kernels.Cpu.CpuBackend(1), model.Folder));
        Assert.Equal(("(500, 64)", "(512, 64)"), (e.Expected, e.Found));
    }

    private static ModelSpec Read(string key, string value)
    {
        JsonObject config = JsonNode.Parse(Llama)!.AsObject();
        config[key] = JsonNode.Parse(value);
        return SpecReader.Parse(Encoding.UTF8.GetBytes(config.ToJsonString()), "config.json");
    }

    private static ModelSpec ReadSliced(ModelSpec target, Action<JsonObject> change)
    {
        JsonObject config = JsonNode.Parse(Llama)!.AsObject(), block = CompressedConfig.Write(target, "slicegpt", allWidths: false);
        change(block);
        config[CompressedConfig.Key] = block;
        return SpecReader.Parse(Encoding.UTF8.GetBytes(config.ToJsonString()), "config.json");
    }
}
