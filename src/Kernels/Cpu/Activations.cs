using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace NativeEngine.Kernels.Cpu;

/// <summary>A non-linearity of the MLP; a struct each, so that every loop is compiled for its own.</summary>
internal interface IActivation
{
    /// <summary>f(x), lane by lane; NaN stays NaN.</summary>
    static abstract Vector512<T> Apply<T>(Vector512<T> x) where T : unmanaged, IFloatingPointIeee754<T>;
}

/// <summary>max(x, 0)</summary>
internal readonly struct Relu : IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Apply<T>(Vector512<T> x) where T : unmanaged, IFloatingPointIeee754<T> => Vector512.Max(x, Vector512<T>.Zero);
}

/// <summary>x sigmoid(x)</summary>
internal readonly struct Silu : IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Apply<T>(Vector512<T> x) where T : unmanaged, IFloatingPointIeee754<T> =>
        x / (Vector512<T>.One + VectorMath.Exp(-x));
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
}
