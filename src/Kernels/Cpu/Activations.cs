using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace NativeEngine.Kernels.Cpu;

/// <summary>A non-linearity of the MLP; a struct each, so that every loop is compiled for its own.</summary>
internal interface IActivation
{
    /// <summary>f(x), lane by lane; NaN stays NaN.</summary>
    static abstract Vector512<T> Apply<T>(Vector512<T> x) where T : unmanaged, IFloatingPointIeee754<T>;

    /// <summary>f(x) and f'(x), lane by lane.</summary>
    static abstract (Vector512<T> Value, Vector512<T> Slope) Differentiate<T>(Vector512<T> x) where T : unmanaged, IFloatingPointIeee754<T>;
}

/// <summary>max(x, 0); the slope at 0 is 0</summary>
internal readonly struct Relu : IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Apply<T>(Vector512<T> x) where T : unmanaged, IFloatingPointIeee754<T> => Vector512.Max(x, Vector512<T>.Zero);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Vector512<T> Value, Vector512<T> Slope) Differentiate<T>(Vector512<T> x) where T : unmanaged, IFloatingPointIeee754<T> =>
        (Apply(x), Vector512.GreaterThan(x, Vector512<T>.Zero) & Vector512<T>.One);
}

/// <summary>x sigmoid(x)</summary>
internal readonly struct Silu : IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Apply<T>(Vector512<T> x) where T : unmanaged, IFloatingPointIeee754<T> =>
        x / (Vector512<T>.One + VectorMath.Exp(-x));

    /// <summary>s + x s (1 - s), with s = sigmoid(x)</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Vector512<T> Value, Vector512<T> Slope) Differentiate<T>(Vector512<T> x) where T : unmanaged, IFloatingPointIeee754<T>
    {
        (Vector512<T> s, Vector512<T> slope) = Sigmoid.Differentiate(x);
        return (x * s, s + x * slope);
    }
}

/// <summary>x Phi(x), with erf</summary>
internal readonly struct Gelu : IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Apply<T>(Vector512<T> x) where T : unmanaged, IFloatingPointIeee754<T>
    {
        Vector512<T> half = Vector512.Create(T.CreateTruncating(0.5));
        Vector512<T> erf = VectorMath.Erf(x * Vector512.Create(T.CreateTruncating(0.70710678118654752440)));
        return half * x * (Vector512<T>.One + erf);
    }

    /// <summary>Phi(x) + x phi(x)</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Vector512<T> Value, Vector512<T> Slope) Differentiate<T>(Vector512<T> x) where T : unmanaged, IFloatingPointIeee754<T>
    {
        Vector512<T> half = Vector512.Create(T.CreateTruncating(0.5));
        Vector512<T> cumulative = half + half * VectorMath.Erf(x * Vector512.Create(T.CreateTruncating(0.70710678118654752440)));
        Vector512<T> density = Vector512.Create(T.CreateTruncating(0.39894228040143267794)) * VectorMath.Exp(-half * x * x);
        return (x * cumulative, cumulative + x * density);
    }
}

/// <summary>0.5 x (1 + tanh u) with u = sqrt(2/pi) (x + 0.044715 x^3), which is x / (1 + exp(-2 u)) without the cancellation</summary>
internal readonly struct GeluTanh : IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Apply<T>(Vector512<T> x) where T : unmanaged, IFloatingPointIeee754<T>
    {
        Vector512<T> linear = Vector512.Create(T.CreateTruncating(-2 * 0.79788456080286535588));
        Vector512<T> cubic = Vector512.Create(T.CreateTruncating(-2 * 0.79788456080286535588 * 0.044715));
        return x / (Vector512<T>.One + VectorMath.Exp(x * (linear + cubic * (x * x))));
    }

    /// <summary>s + x s (1 - s) (2 u)', with s = sigmoid(2 u)</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Vector512<T> Value, Vector512<T> Slope) Differentiate<T>(Vector512<T> x) where T : unmanaged, IFloatingPointIeee754<T>
    {
        Vector512<T> linear = Vector512.Create(T.CreateTruncating(2 * 0.79788456080286535588));
        Vector512<T> cubic = Vector512.Create(T.CreateTruncating(2 * 0.79788456080286535588 * 0.044715)) * (x * x);
        (Vector512<T> s, Vector512<T> slope) = Sigmoid.Differentiate(x * (linear + cubic));
        return (x * s, s + x * slope * (linear + cubic + cubic + cubic));
    }
}

/// <summary>s(x) = 1 / (1 + exp(-x))</summary>
internal static class Sigmoid
{
    /// <summary>s(x) and s'(x) = s (1 - s), from exp(-|x|): so nothing overflows, and 1 - s does not cancel.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Vector512<T> Value, Vector512<T> Slope) Differentiate<T>(Vector512<T> x) where T : unmanaged, IFloatingPointIeee754<T>
    {
        Vector512<T> e = VectorMath.Exp(-Vector512.Abs(x));
        Vector512<T> larger = Vector512<T>.One / (Vector512<T>.One + e), smaller = e * larger;
        return (Vector512.ConditionalSelect(Vector512.LessThan(x, Vector512<T>.Zero), smaller, larger), smaller * larger);
    }
}
