using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace NativeEngine.Kernels.Cpu;

/// <summary>What one element counts for, in double; a struct each, so that every loop is compiled for its own.</summary>
internal interface ISaliency
{
    /// <summary>Whether g is looked at.</summary>
    static abstract bool UsesGradient { get; }

    /// <summary>Whether h is looked at.</summary>
    static abstract bool UsesSquaredGradient { get; }

    /// <summary>The saliency of weights w with gradients g and squared gradients h, lane by lane; 0 where w is 0.</summary>
    static abstract Vector512<double> Of(Vector512<double> w, Vector512<double> g, Vector512<double> h);
}

/// <summary>|w|</summary>
internal readonly struct Magnitude : ISaliency
{
    public static bool UsesGradient => false;

    public static bool UsesSquaredGradient => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<double> Of(Vector512<double> w, Vector512<double> g, Vector512<double> h) => Vector512.Abs(w);
}

/// <summary>w^2</summary>
internal readonly struct Square : ISaliency
{
    public static bool UsesGradient => false;

    public static bool UsesSquaredGradient => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<double> Of(Vector512<double> w, Vector512<double> g, Vector512<double> h) => w * w;
}

/// <summary>|w g|</summary>
internal readonly struct FirstOrder : ISaliency
{
    public static bool UsesGradient => true;

    public static bool UsesSquaredGradient => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<double> Of(Vector512<double> w, Vector512<double> g, Vector512<double> h) => Vector512.Abs(w * g);
}

/// <summary>w g</summary>
internal readonly struct Signed : ISaliency
{
    public static bool UsesGradient => true;

    public static bool UsesSquaredGradient => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<double> Of(Vector512<double> w, Vector512<double> g, Vector512<double> h) => w * g;
}

/// <summary>|w^2 h|</summary>
internal readonly struct SecondOrder : ISaliency
{
    public static bool UsesGradient => false;

    public static bool UsesSquaredGradient => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<double> Of(Vector512<double> w, Vector512<double> g, Vector512<double> h) => Vector512.Abs(w * w * h);
}

/// <summary>|w g - w^2 h / 2|</summary>
internal readonly struct Mixed : ISaliency
{
    public static bool UsesGradient => true;

    public static bool UsesSquaredGradient => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<double> Of(Vector512<double> w, Vector512<double> g, Vector512<double> h) =>
        Vector512.Abs(w * (g - Vector512.Create(0.5) * w * h));
}
