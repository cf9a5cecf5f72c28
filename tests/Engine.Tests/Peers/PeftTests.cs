using System.Text.Json;
using NativeEngine.Checkpoints;
using NativeEngine.Evaluate;
using NativeEngine.Kernels;
using NativeEngine.Model;
using NativeEngine.Spec;
using NativeEngine.Testing;
using NativeEngine.Tests.Checkpoints;
using NativeEngine.Tests.Tune;
using NativeEngine.Tune;

namespace NativeEngine.Tests;

/// <summary>Adapters that we write, loaded by stock peft, and the reverse.</summary>
public sealed class PeftTests : IDisposable
{
    private readonly TemporaryFolder folder = new();
    private readonly Session session = new("cpu", threads: 2);

    public void Dispose()
    {
        session.Dispose();
        folder.Dispose();
    }

    [SkippableTheory]
    [InlineData("tiny-llama", "spm")]
    [InlineData("tiny-llama3", "llama3")]
    [InlineData("tiny-opt", "opt")]
    [InlineData("tiny-phi", "phi")]
    public void An_adapter_that_we_write_is_the_same_there(string name, string tokens)
    {
        string model = Golden.Model(name), file = Shared.Path("golden", "slicegpt", $"tokens-{tokens}.safetensors");
        ModelSpec spec = SpecReader.Read(model);
        using Checkpoint weights = Checkpoint.Open(model);
        IReadOnlyList<Role> roles = LoraTargetRoles.Of(null, spec, SilentReporter.Instance);
        using AdapterSet adapter = RandomAdapters.Write(session, spec, weights, folder["adapter"], new LoraConfig(4, 1, 0.05), roles);
        JsonElement stock = Peer.Run("peft_check.py", "--model", model, "--adapter", folder["adapter"], "--tokens", file, "--name", "eval_ids", "--merge");
        Assert.False(stock.GetProperty("loading_info").EnumerateObject().Any(), stock.GetProperty("loading_info").GetRawText());

        JsonElement found = stock.GetProperty("adapter");
        Assert.Equal(adapter.Maps.Count * 2, found.GetProperty("lora_tensors").GetInt32());
        Assert.Equal(adapter.ParameterCount, found.GetProperty("lora_parameters").GetInt64());
        double squares = adapter.Maps.Values.Sum(lora => lora.B.AsSpan<float>().ToArray().Sum(b => (double)b * b));
        Golden.Close(Math.Sqrt(squares), found.GetProperty("lora_B_frobenius").GetDouble(), 1e-12, 0, "norm of all B");

        JsonElement expected = stock.GetProperty("with_adapter");
        double plain = stock.GetProperty("base").GetProperty("loss").GetDouble(), adapted = expected.GetProperty("loss").GetDouble();
        Assert.True(Math.Abs(adapted - plain) > 1e-3, $"the adapter changes nothing: {plain} and {adapted}");
        AssertSame(adapted, expected, model, folder["adapter"], file);

        Verbs.Merge(session, new MergeOptions(model, folder["adapter"], folder["merged"]) { Store = DType.F32 });
        AssertSame(stock.GetProperty("merged").GetProperty("loss").GetDouble(), expected, folder["merged"], null, file);
    }

    [SkippableTheory]
    [InlineData("tiny-llama", "q_proj,v_proj")]
    [InlineData("tiny-llama", "down_proj,gate_proj,o_proj,c_attn", "--half")]
    [InlineData("tiny-opt", "out_proj,fc1,fc2")]
    public void An_adapter_that_peft_writes_is_read(string name, string targets, params string[] more)
    {
        string model = Golden.Model(name);
        ModelSpec spec = SpecReader.Read(model);
        JsonElement norms = Peer.RunOwn("save_adapter.py", ["--model", model, "--out", folder["adapter"], "--targets", targets, .. more]);
        using Checkpoint weights = Checkpoint.Open(model);
        using AdapterSet adapter = AdapterFolder.Read(session, folder["adapter"], spec, weights);
        Assert.Equal(new LoraConfig(4, 6, 0.1), adapter.Config);
        Assert.Equal(norms.EnumerateObject().Count(), adapter.Maps.Count * 2);
        foreach ((int layer, Role role, char factor, Tensor value) in adapter.Tensors())
        {
            double norm = Math.Sqrt(value.AsSpan<float>().ToArray().Sum(x => (double)x * x));
            Golden.Close(norms.GetProperty(AdapterFolder.Name(spec, layer, role, factor)).GetDouble(), norm, 1e-12, 0, $"layer {layer}, {role}, {factor}");
        }
    }

    /// <summary>The model, with an adapter on it where given, has the loss and the greedy ids of the peer.</summary>
    private void AssertSame(double loss, JsonElement expected, string folder, string? adapter, string tokens)
    {
        using CausalModel model = CausalModel.Open(session.Backend, folder);
        using AdapterSet? adapters = adapter is null ? null : AdapterFolder.Read(session, adapter, model.Spec, model.Checkpoint);
        adapters?.AttachTo(model);
        int[] ids = new GoldenTensors(tokens).Ints("eval_ids")[..(8 * 128)];
        var windows = new TokenWindows(ids, null, 8, 128);
        Golden.Close(loss, PerplexityEvaluation.Mean(new PerplexityEvaluation(session, model).Measure(windows, 8, null), PerplexityProtocol.LlmPruner), Tolerances.StockLoss, 0, "loss");

        using var generator = new Generator(session, model);
        Assert.Equal(expected.GetProperty("greedy").EnumerateArray().Select(e => e.GetInt32()), generator.Greedy(ids[..16], 20, []).Ids);
    }
}
