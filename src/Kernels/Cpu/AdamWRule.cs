using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace NativeEngine.Kernels.Cpu;

/// <summary>
/// AdamW as torch.optim.AdamW has it: the decay first, then w -= rate / (1 - beta1^t) m / (sqrt(v) / sqrt(1 - beta2^t) + eps).
/// What is the same for all elements is computed in double.
/// </summary>
internal sealed class AdamWRule<T>(AdamWStep step) where T : unmanaged, INumber<T>
{
    private readonly T gradientScale = T.CreateTruncating(step.GradientScale);
    private readonly T weight1 = T.CreateTruncating(1 - step.Beta1), decay2 = T.CreateTruncating(step.Beta2), weight2 = T.CreateTruncating(1 - step.Beta2);
    private readonly T shrink = T.CreateTruncating(1 - step.LearningRate * step.WeightDecay);
    private readonly T rate = T.CreateTruncating(step.LearningRate / (1 - Math.Pow(step.Beta1, step.Step)));
    private readonly T correction2 = T.CreateTruncating(1 / Math.Sqrt(1 - Math.Pow(step.Beta2, step.Step)));
    private readonly T epsilon = T.CreateTruncating(step.Epsilon);

    /// <summary>w, m and v after the step with gradient g.</summary>
    [MethodImpl(InnerLoop.Options)]
    public void Update(Span<T> w, ReadOnlySpan<T> g, Span<T> m, Span<T> v)
    {
        int i = 0;
        for (; i <= w.Length - Vector512<T>.Count; i += Vector512<T>.Count)
        {
            Vector512<T> mean = Vector512.Create<T>(m[i..]), square = Vector512.Create<T>(v[i..]), weight = Vector512.Create<T>(w[i..]);
            Update(ref weight, Vector512.Create(g[i..]), ref mean, ref square);
            weight.CopyTo(w[i..]);
            mean.CopyTo(m[i..]);
            square.CopyTo(v[i..]);
        }

        UpdateLast(w[i..], g[i..], m[i..], v[i..]);
    }

    private void UpdateLast(Span<T> w, ReadOnlySpan<T> g, Span<T> m, Span<T> v)
    {
        Vector512<T> mean = VectorMath.LoadPartial<T>(m, T.Zero), square = VectorMath.LoadPartial<T>(v, T.Zero), weight = VectorMath.LoadPartial<T>(w, T.Zero);
        Update(ref weight, VectorMath.LoadPartial(g, T.Zero), ref mean, ref square);
        VectorMath.StorePartial(weight, w);
        VectorMath.StorePartial(mean, m);
        VectorMath.StorePartial(square, v);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Update(ref Vector512<T> w, Vector512<T> g, ref Vector512<T> m, ref Vector512<T> v)
    {
        g *= gradientScale;
        m += (g - m) * weight1;
        v = v * decay2 + g * g * weight2;
        w = w * shrink - m * rate / (Vector512.Sqrt(v) * correction2 + Vector512.Create(epsilon));
    }
}
