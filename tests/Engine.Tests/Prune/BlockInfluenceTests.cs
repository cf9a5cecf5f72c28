using NativeEngine.Checkpoints;
using NativeEngine.Kernels;
using NativeEngine.Model;
using NativeEngine.Prune;

namespace NativeEngine.Tests;

/// <summary>Block influence against the definition: hidden states of a forward in F64, one dot product after the other.</summary>
public sealed class BlockInfluenceTests
{
    private static readonly int[] Ids = [.. Enumerable.Range(0, 4 * 24).Select(i => (i * 131 + 7) % 500)];
    private static readonly int[] Mask = [.. Enumerable.Range(0, 4 * 24).Select(i => i % 24 < i / 24 * 3 ? 0 : 1)]; // row r starts with 3 r pads

    [SkippableTheory]
    [InlineData("tiny-llama3", false)]
    [InlineData("tiny-llama3", true)]
    [InlineData("tiny-opt", true)]
    [InlineData("tiny-phi", false)]
    public void Influence_is_one_minus_the_mean_cosine(string model, bool masked)
    {
        var windows = new TokenWindows(Ids, masked ? Mask : null, 4, 24);
        double[] found = Measure(model, windows, batch: 3);
        using var exact = new ForwardRun(Golden.Model(model), DType.F64);
        Assert.All(Defined(exact, windows).Zip(found), pair => Golden.Close(pair.First, pair.Second, 0, Tolerances.Influence, "influence"));
    }

    /// <summary>One minus the mean cosine between the signals in front of each layer of <paramref name="exact"/> and behind it.</summary>
    internal static double[] Defined(ForwardRun exact, TokenWindows windows) => [.. Enumerable.Range(0, exact.Model.Spec.Layers.Count).Select(l =>
    {
        using Tensor x = exact.Hidden(windows, l), y = exact.Hidden(windows, l + 1);
        return 1 - Enumerable.Range(0, windows.Ids.Length).Where(n => windows.Mask is null || windows.Mask[n] != 0).Average(n =>
        {
            double[] a = x.Row<double>(n).ToArray(), b = y.Row<double>(n).ToArray();
            return a.Zip(b, (p, q) => p * q).Sum() / Math.Sqrt(a.Sum(p => p * p)) / Math.Sqrt(b.Sum(q => q * q));
        });
    })];

    [SkippableFact]
    public void Neither_batches_nor_memory_change_a_bit()
    {
        var windows = new TokenWindows(Ids, Mask, 4, 24);
        double[] whole = Measure("tiny-llama3", windows, batch: 1);
        Assert.Equal(whole, Measure("tiny-llama3", windows, batch: 3));
        Assert.Equal(whole, Measure("tiny-llama3", windows, batch: 1, weightMemory: 0));
        Assert.Equal(whole, Measure("tiny-llama3", windows, batch: 4, weightMemory: 0));
    }

    [Fact]
    public void A_token_without_a_signal_is_not_turned()
    {
        using var model = new TemporaryModel("llama-mha", (name, w) => w[..(name == "model.embed_tokens.weight" ? 64 : 0)].Clear());
        using var session = new Session("cpu", threads: 1);
        using CausalModel opened = CausalModel.Open(session.Backend, model.Folder);
        Assert.Equal(64, opened.Spec.Hidden);
        Assert.Equal([0.0, 0.0], new BlockInfluence(session, opened).Measure(new TokenWindows([0, 0], null, 2, 1), batch: 2));
    }

    [SkippableFact]
    public void Only_padding_is_refused() => Assert.Equal(
        "NE3179", Assert.Throws<EngineException>(() => Measure("tiny-llama3", new TokenWindows(Ids, new int[Ids.Length], 4, 24), batch: 1)).Code);

    private static double[] Measure(string model, TokenWindows windows, int batch, long weightMemory = long.MaxValue)
    {
        using var session = new Session("cpu", threads: 2);
        using CausalModel opened = CausalModel.Open(session.Backend, Golden.Model(model), DType.F32, weightMemory);
        return new BlockInfluence(session, opened).Measure(windows, batch);
    }
}
