using NativeEngine.Kernels.Cpu;

namespace NativeEngine.Kernels.Tests;

/// <summary>Gradients where rounding, overflow or infinities could spoil them.</summary>
public sealed class OpGradientValueTests
{
    private const int Vocabulary = 5000; // more than CrossEntropy reads at once

    [Theory]
    [InlineData(DType.F32)]
    [InlineData(DType.F64)]
    public void Large_logits_give_exact_losses_and_gradients(DType dtype)
    {
        (double[] loss, double[] gradient) = CrossEntropy(dtype, [7, 8], 0.5, (_, v) => v == 7 ? 3e4 : -3e4);
        Assert.Equal([0, 6e4], loss);
        Assert.All(gradient[..Vocabulary], value => Assert.Equal(0, value));
        Assert.Equal(0.5, gradient[Vocabulary + 7]);
        Assert.Equal(-0.5, gradient[Vocabulary + 8]);
    }

    [Theory]
    [InlineData(DType.F32)]
    [InlineData(DType.F64)]
    public void A_probability_near_1_keeps_its_gradient(DType dtype)
    {
        (double[] loss, double[] gradient) = CrossEntropy(dtype, [4999], 1, (_, v) => v == 4999 ? 30 : 0);
        double rest = 4999 * Math.Exp(-30);
        Assert.Equal(rest, loss[0], rest * 1e-3);
        Assert.Equal(-rest, gradient[4999], rest * 1e-3);
    }

    [Theory]
    [InlineData(DType.F32, 0)]
    [InlineData(DType.F32, 3000)]
    [InlineData(DType.F64, 4999)]
    public void A_logit_of_minus_infinity_has_no_gradient(DType dtype, int finite)
    {
        (double[] loss, double[] gradient) = CrossEntropy(dtype, [finite], 1, (_, v) => v == finite ? -2 : double.NegativeInfinity);
        Assert.Equal([0], loss);
        Assert.All(gradient, value => Assert.Equal(0, value));
    }

    [Theory]
    [InlineData(DType.F32)]
    [InlineData(DType.F64)]
    public void Ignored_rows_are_0_whatever_they_hold_and_a_NaN_stays_in_its_row(DType dtype)
    {
        (double[] loss, double[] gradient) = CrossEntropy(dtype, [-100, 3, -1, 4], 1, (n, v) => n < 2 && v == 4100 ? double.NaN : v * 1e-3);
        Assert.Equal([0, double.NaN, 0], loss[..3]);
        Assert.True(loss[3] > 0);
        for (int i = 0; i < gradient.Length; i++)
        {
            int n = i / Vocabulary;
            Assert.True(n == 1 ? gradient[i] is double.NaN || i % Vocabulary == 3 : n == 3 ? gradient[i] != 0 : gradient[i] == 0, $"element {i} is {gradient[i]}");
        }

        (loss, gradient) = CrossEntropy(dtype, [-1, -1], 1, (_, v) => v);
        Assert.All(loss.Concat(gradient), value => Assert.Equal(0, value));
    }

    [Theory]
    [InlineData(DType.F32)]
    [InlineData(DType.F64)]
    public void Slopes_of_activations_reach_their_limits(DType dtype)
    {
        double[] points = [1e6, -1e6, 1e3, -1e3, double.NaN, 0];
        using var backend = new CpuBackend(1);
        using Tensor x = backend.Alloc(dtype, new Shape(1, points.Length)), dy = backend.Alloc(dtype, x.Shape), dx = backend.Alloc(dtype, x.Shape);
        OpArena.Write(x, i => points[i]);
        OpArena.Write(dy, _ => 3);
        foreach (Activation f in Enum.GetValues<Activation>())
        {
            backend.ActivateBackward(dx, dy, x, f);
            bool relu = f == Activation.Relu;
            Assert.Equal([3, 0, 3, 0, relu ? 0 : double.NaN, relu ? 0 : 1.5], OpArena.Values(dx));
        }
    }

    private static (double[] Loss, double[] Gradient) CrossEntropy(DType dtype, int[] targets, double scale, Func<int, int, double> logit)
    {
        using var backend = new CpuBackend(2);
        using Tensor logits = backend.Alloc(dtype, new Shape(targets.Length, Vocabulary)), ids = backend.Alloc(DType.I32, new Shape(targets.Length));
        using Tensor loss = backend.Alloc(DType.F64, new Shape(targets.Length));
        OpArena.Write(logits, i => logit(i / Vocabulary, i % Vocabulary));
        OpArena.Write(ids, i => targets[i]);
        backend.CrossEntropy(loss, logits, ids, scale);
        return (OpArena.Values(loss), OpArena.Values(logits));
    }
}
