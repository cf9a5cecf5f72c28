using System.Text.Json;
using NativeEngine.Checkpoints;
using NativeEngine.Kernels;
using NativeEngine.Model;
using NativeEngine.Slice;
using NativeEngine.Testing;

namespace NativeEngine.Tests;

/// <summary>Gradients of whole models: against transformers, against finite differences, and against themselves under other memory limits.</summary>
public sealed class BackwardTests
{
    private static readonly string[] Small =
    [
        "llama-mha", "llama-gqa-fp16", "llama-headdim", "llama-bias-sharded", "llama-tied-bf16", "llama-rope-dynamic", "llama-rope-llama3", "opt-nobias-noaffine",
    ];

    public static TheoryData<string> Families => [.. Small.Select(name => "variants/" + name), "tiny-opt", "tiny-phi"];

    [SkippableTheory]
    [InlineData("tiny-llama")]
    [InlineData("tiny-llama3")]
    [InlineData("tiny-opt")]
    [InlineData("tiny-phi")]
    public void Loss_and_gradients_match_transformers(string name)
    {
        GoldenTensors golden = Golden.Tensors("forward", name, "forward.safetensors");
        JsonElement json = Golden.Json("forward", name, "forward.json"), tolerance = json.GetProperty("tolerance");
        double lossRtol = tolerance.GetProperty("loss_rtol").GetDouble();
        using var run = new GradientRun(Golden.Model(name));
        using LabelledBatch batch = run.Batch(golden.Windows("input_ids"));
        Dictionary<string, double[]> found = run.Gradients([batch]);
        Golden.Close(json.GetProperty("loss64").GetDouble(), run.MeanLoss, lossRtol, 0, "loss");
        double[] perWindow = [.. json.GetProperty("loss_per_window64").EnumerateArray().Select(e => e.GetDouble())];
        Assert.All(perWindow.Zip(run.Losses), p => Golden.Close(p.First, p.Second / 95, lossRtol, 0, "loss of a window"));

        string[] zero = json.TryGetProperty("grad_zero_in_exact_arithmetic", out JsonElement z) ? [.. z.EnumerateArray().Select(e => e.GetString()!)] : [];
        JsonElement norms = json.GetProperty("grad_frobenius64");
        foreach (JsonProperty norm in norms.EnumerateObject().Where(p => !zero.Contains(p.Name)))
        {
            Golden.Close(norm.Value.GetDouble(), Math.Sqrt(found[norm.Name].Sum(v => v * v)), tolerance.GetProperty("grad_frobenius_rtol").GetDouble(), 0, norm.Name);
        }

        Assert.Equal(norms.EnumerateObject().Count(), found.Count);
        foreach (JsonElement full in json.GetProperty("grad_full_tensors").EnumerateArray())
        {
            double[] expected = golden.Doubles("grad." + full.GetString());
            AssertClose(expected, found[full.GetString()!], tolerance.GetProperty("grad_atol_times_max").GetDouble() * expected.Max(Math.Abs), full.GetString()!);
        }

        using LabelledBatch ignored = run.Batch(golden.Windows("input_ids"), ignored: 20);
        run.Gradients([ignored]);
        Golden.Close(json.GetProperty("loss_first_20_labels_ignored64").GetDouble(), run.MeanLoss, lossRtol, 0, "loss without the first 20 labels");
    }

    [SkippableTheory]
    [InlineData("tiny-llama", "spm_slow")]
    [InlineData("tiny-llama3", "llama3")]
    public void Gradients_and_their_squares_match_LLM_Pruner(string name, string tokens)
    {
        JsonElement json = Golden.Json("llmpruner", name, "grads.json");
        GoldenTensors golden = Golden.Tensors("llmpruner", name, "grads.safetensors");
        using var run = new GradientRun(Golden.Model(name));
        using LabelledBatch batch = run.Batch(Golden.Tensors("llmpruner", "tokens", tokens + ".safetensors").Windows("examples"));
        Dictionary<string, double[]> found = run.Gradients([batch], squares: true);
        double lossRtol = json.GetProperty("rtol_loss").GetDouble(), normRtol = json.GetProperty("rtol_norm").GetDouble();
        Golden.Close(json.GetProperty("loss").GetDouble(), run.MeanLoss, lossRtol, 0, "loss");
        double[] perExample = [.. json.GetProperty("per_example_loss").EnumerateArray().Select(e => e.GetDouble())];
        Assert.All(perExample.Zip(run.Losses), p => Golden.Close(p.First, p.Second / 63, lossRtol, 0, "loss of an example"));
        foreach (JsonProperty norm in json.GetProperty("grad_norm_fp64").EnumerateObject()) // the F32 record sums a million squares in F32
        {
            Golden.Close(norm.Value.GetDouble(), Math.Sqrt(found[norm.Name].Sum(v => v * v)), normRtol, 0, norm.Name);
        }

        int squares = 0;
        foreach (JsonProperty norm in json.GetProperty("acc_grad_norm_fp64").EnumerateObject().Where(p => found.ContainsKey("squares " + p.Name)))
        {
            double[] square = found["squares " + norm.Name];
            Golden.Close(norm.Value.GetDouble(), Math.Sqrt(square.Sum(v => v * v)), normRtol, 0, norm.Name);
            Golden.Close(json.GetProperty("acc_grad_sum").GetProperty(norm.Name).GetDouble(), square.Sum(), normRtol, 0, norm.Name);
            squares++;
        }

        Assert.Equal(7 * run.Spec.Layers.Count, squares);
        foreach (string key in found.Keys.Where(k => golden.Has("grad." + k)))
        {
            double[] expected = golden.Doubles("grad." + key);
            AssertClose(expected, found[key], Tolerances.GradientTimesMax * expected.Max(Math.Abs), key);
        }
    }

    [SkippableTheory]
    [MemberData(nameof(Families))]
    public void Every_parameters_gradient_is_the_slope_of_the_loss(string name)
    {
        using var run = new GradientRun(Golden.Model(name.Split('/')), DType.F64);
        var random = new Random(7);
        TokenWindows windows = Windows(random, run.Spec.Vocab, rows: 2, width: 13);
        int[] mask = [.. Enumerable.Range(0, 26).Select(i => i is >= 13 and < 16 ? 0 : 1)];
        using LabelledBatch batch = run.Batch(windows with { Mask = mask }, ignored: 2);
        Dictionary<string, double[]> gradients = run.Gradients([batch]);
        foreach (Spec.Parameter p in run.Spec.Parameters())
        {
            AssertSlope(run, batch, run.Parameter(p.Name), gradients[p.Name], p.Name, random);
        }
    }

    [SkippableFact]
    public void A_sliced_models_gradients_are_slopes_too()
    {
        var random = new Random(8);
        using var sliced = new SlicedRun(Golden.Model("tiny-opt"), Windows(random, 4096, 8, 64), fused => SliceSchedule.Constant(fused, 0.25, 8, sliceHead: false));
        using var run = new GradientRun(sliced.Folder, DType.F64);
        using LabelledBatch batch = run.Batch(Windows(random, run.Spec.Vocab, 2, 9));
        Dictionary<string, double[]> gradients = run.Gradients([batch]);
        foreach (Spec.Parameter p in run.Spec.Parameters().Where(p => p.Layer is -1 or 1))
        {
            AssertSlope(run, batch, run.Parameter(p.Name), gradients[p.Name], p.Name, random);
        }
    }

    [SkippableTheory]
    [InlineData("tiny-llama3")]
    [InlineData("tiny-phi")]
    public void Memory_limits_and_threads_do_not_change_a_bit(string name)
    {
        Dictionary<string, double[]> expected = Of(long.MaxValue, long.MaxValue, 2);
        foreach ((long activations, long weights, int threads) in new[] { (0L, long.MaxValue, 1), (600_000L, 0L, 2), (long.MaxValue, 0L, 1) })
        {
            Dictionary<string, double[]> found = Of(activations, weights, threads);
            Assert.Equal(expected.Keys.Order(), found.Keys.Order());
            Assert.All(expected, e => Assert.Equal(e.Value, found[e.Key]));
        }

        Dictionary<string, double[]> Of(long activations, long weights, int threads)
        {
            using var run = new GradientRun(Golden.Model(name), DType.F32, threads, weights) { ActivationMemory = activations };
            var random = new Random(9);
            using LabelledBatch one = run.Batch(Windows(random, run.Spec.Vocab, 2, 40)), two = run.Batch(Windows(random, run.Spec.Vocab, 1, 33));
            return run.Gradients([one, two], squares: true);
        }
    }

    [SkippableFact]
    public void Squares_are_the_mean_of_each_examples_own_squared_gradient()
    {
        using var run = new GradientRun(Golden.Model("tiny-llama"), DType.F64);
        var random = new Random(10);
        TokenWindows windows = Windows(random, run.Spec.Vocab, 3, 20);
        int[] mask = [.. Enumerable.Range(0, 60).Select(i => i is >= 20 and < 31 ? 0 : 1)];
        const string Name = "model.layers.2.mlp.up_proj.weight";
        using LabelledBatch all = run.Batch(windows with { Mask = mask });
        double[] found = run.Gradients([all], squares: true)["squares " + Name];
        double[] expected = new double[found.Length];
        for (int r = 0; r < 3; r++)
        {
            using LabelledBatch one = run.Batch(new TokenWindows(windows.Ids[(r * 20)..(r * 20 + 20)], mask[(r * 20)..(r * 20 + 20)], 1, 20));
            double[] g = run.Gradients([one])[Name];
            expected = [.. expected.Zip(g, (e, v) => e + v * v / 3)];
        }

        AssertClose(expected, found, Tolerances.SameInF64 * expected.Max(), Name);
    }

    [SkippableTheory]
    [InlineData("tiny-llama3")]
    [InlineData("tiny-opt")]
    public void Packed_documents_do_not_see_each_other(string name)
    {
        using var run = new GradientRun(Golden.Model(name), DType.F64);
        var random = new Random(11);
        TokenWindows a = Windows(random, run.Spec.Vocab, 1, 17), b = Windows(random, run.Spec.Vocab, 1, 8);
        int[] first = [.. Enumerable.Repeat(0, 17), .. Enumerable.Repeat(17, 8)];
        using LabelledBatch packed = run.Batch(new TokenWindows([.. a.Ids, .. b.Ids], null, 1, 25), first: first);
        using LabelledBatch apart1 = run.Batch(a), apart2 = run.Batch(b);
        Dictionary<string, double[]> found = run.Gradients([packed]), expected = run.Gradients([apart1, apart2]);
        Assert.All(expected, e => AssertClose(e.Value, found[e.Key], Tolerances.SameInF64 * Math.Max(1e-6, e.Value.Max(Math.Abs)), e.Key));
    }

    [SkippableTheory]
    [InlineData("tiny-llama3", 0.3)]
    [InlineData("tiny-opt", 0)]
    [InlineData("tiny-phi", 0.3)]
    public void An_adapters_gradient_is_the_slope_of_the_loss(string name, double dropout)
    {
        using var run = new GradientRun(Golden.Model(name), DType.F64);
        var random = new Random(12);
        List<(Tensor Value, Tensor Gradient, string Name)> factors = [];
        run.Model.AttachAdapters((l, layer) =>
        {
            foreach (Station station in layer.Stations)
            {
                foreach (Spec.LinearLayout map in station.Layout.Maps)
                {
                    // q and v of the stacked q, k, v: parts need not be all of a map
                    Spec.LinearPart[] parts = [.. map.Parts.Where(p => p.Role != Spec.Role.AttnK)];
                    (Tensor a, Tensor da) = Factor(3 * parts.Length, map.Inputs, $"A of {map.Slot}, layer {l}");
                    AdapterPart[] adapted = [.. parts.Select(p =>
                    {
                        (Tensor b, Tensor db) = Factor(p.Rows, 3, $"B of {p.Role}, layer {l}");
                        return new AdapterPart(p.From, b, db);
                    })];
                    station[map.Slot] = station[map.Slot]! with { Adapter = new Adapter(a, da, adapted, 0.7, dropout, (ulong)(l * 100 + (int)map.Slot)) };
                }
            }
        });
        TokenWindows windows = Windows(random, run.Spec.Vocab, 2, 12);
        using LabelledBatch batch = run.Batch(windows, dropout: 99);
        run.Loss([batch]);
        (double[] Gradient, string Name, Tensor Value)[] all = [.. factors.Select(f => (f.Gradient.AsSpan<double>().ToArray(), f.Name, f.Value))];
        foreach ((double[] gradient, string what, Tensor value) in all.Where((_, i) => i % 3 == 0))
        {
            AssertSlope(run, batch, value, gradient, what, random);
        }

        factors.ForEach(f =>
        {
            f.Value.Dispose();
            f.Gradient.Dispose();
        });

        (Tensor, Tensor) Factor(long rows, long columns, string what)
        {
            Tensor value = run.Backend.Alloc(DType.F64, new Shape(rows, columns)), gradient = run.Backend.Alloc(DType.F64, value.Shape);
            foreach (ref double v in value.AsSpan<double>())
            {
                v = 0.2 * (random.NextDouble() - 0.5);
            }

            run.Backend.Zero(gradient);
            factors.Add((value, gradient, what));
            return (value, gradient);
        }
    }

    [SkippableFact]
    public void A_loss_that_is_not_finite_names_the_layer_and_the_op()
    {
        using var run = new GradientRun(Golden.Model("tiny-llama"));
        run.Model.Layer(2).Stations[1].Norm.Gain!.AsSpan<float>().Fill(3e38f);
        using LabelledBatch batch = run.Batch(Windows(new Random(1), run.Spec.Vocab, 1, 8));
        EngineException e = Assert.Throws<EngineException>(() => run.Gradients([batch]));
        Assert.Equal((ExitCode.Numerical, "layer 2"), (e.Exit, e.Key));
        Assert.Contains("the norm of the MLP block", e.Message, StringComparison.Ordinal);
    }

    private static TokenWindows Windows(Random random, int vocab, int rows, int width) =>
        new([.. Enumerable.Range(0, rows * width).Select(_ => random.Next(3, vocab))], null, rows, width);

    /// <summary>Along a random direction, by the 4-point formula.</summary>
    private static void AssertSlope(GradientRun run, LabelledBatch batch, Tensor parameter, double[] gradient, string what, Random random)
    {
        double[] original = parameter.AsSpan<double>().ToArray();
        double size = Math.Max(1e-2, Math.Sqrt(original.Average(v => v * v))), h = Tolerances.SlopeStep * size;
        double[] direction = [.. original.Select(_ => random.NextDouble() - 0.5)];
        double slope = (Loss(-2) - 8 * Loss(-1) + 8 * Loss(1) - Loss(2)) / (12 * h);
        Loss(0);
        double expected = gradient.Zip(direction, (g, d) => g * d).Sum(), scale = Math.Sqrt(gradient.Sum(g => g * g) * direction.Sum(d => d * d) / direction.Length);
        Golden.Close(slope, expected, 0, Tolerances.Slope * scale + Tolerances.SlopeNoise / h, what);

        double Loss(int steps)
        {
            Span<double> values = parameter.AsSpan<double>();
            for (int i = 0; i < values.Length; i++)
            {
                values[i] = original[i] + steps * h * direction[i];
            }

            return steps == 0 ? 0 : run.Loss([batch]);
        }
    }

    private static void AssertClose(double[] expected, double[] found, double atol, string what)
    {
        for (int i = 0; i < expected.Length; i++)
        {
            Golden.Close(expected[i], found[i], 0, atol, $"{what}[{i}]");
        }
    }
}
