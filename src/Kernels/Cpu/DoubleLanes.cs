using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace NativeEngine.Kernels.Cpu;

/// <summary>One sum in double for every lane of a vector of T; for F64 the lower vector alone is in use.</summary>
internal unsafe struct DoubleLanes
{
    private Vector512<double> lower, upper;

    /// <summary>The sum over all lanes.</summary>
    public readonly double Total => Vector512.Sum(lower + upper);

    /// <summary>The sums of the lanes of one vector of T, one after the other.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static DoubleLanes Load<T>(double* sums) => new()
    {
        lower = Vector512.Load(sums),
        upper = typeof(T) == typeof(float) ? Vector512.Load(sums + Vector512<double>.Count) : default,
    };

    /// <summary>The counterpart of <see cref="Load"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void Store<T>(double* sums)
    {
        lower.Store(sums);
        if (typeof(T) == typeof(float))
        {
            upper.Store(sums + Vector512<double>.Count);
        }
    }

    /// <summary>sum += v</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Add<T>(Vector512<T> v)
    {
        if (typeof(T) == typeof(float))
        {
            lower += Vector512.WidenLower(v.AsSingle());
            upper += Vector512.WidenUpper(v.AsSingle());
        }
        else
        {
            lower += v.AsDouble();
        }
    }

    /// <summary>sum += other</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Add(in DoubleLanes other)
    {
        lower += other.lower;
        upper += other.upper;
    }

    /// <summary>sum += (v - center)^2</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void AddSquare<T>(Vector512<T> v, Vector512<double> center)
    {
        if (typeof(T) == typeof(float))
        {
            Vector512<double> low = Vector512.WidenLower(v.AsSingle()) - center, high = Vector512.WidenUpper(v.AsSingle()) - center;
            lower = Vector512.FusedMultiplyAdd(low, low, lower);
            upper = Vector512.FusedMultiplyAdd(high, high, upper);
        }
        else
        {
            Vector512<double> distance = v.AsDouble() - center;
            lower = Vector512.FusedMultiplyAdd(distance, distance, lower);
        }
    }

    /// <summary>sum += v (w - center)</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void AddProduct<T>(Vector512<T> v, Vector512<T> w, Vector512<double> center)
    {
        if (typeof(T) == typeof(float))
        {
            lower = Vector512.FusedMultiplyAdd(Vector512.WidenLower(v.AsSingle()), Vector512.WidenLower(w.AsSingle()) - center, lower);
            upper = Vector512.FusedMultiplyAdd(Vector512.WidenUpper(v.AsSingle()), Vector512.WidenUpper(w.AsSingle()) - center, upper);
        }
        else
        {
            lower = Vector512.FusedMultiplyAdd(v.AsDouble(), w.AsDouble() - center, lower);
        }
    }

    /// <summary>sum *= v</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Scale<T>(Vector512<T> v)
    {
        if (typeof(T) == typeof(float))
        {
            lower *= Vector512.WidenLower(v.AsSingle());
            upper *= Vector512.WidenUpper(v.AsSingle());
        }
        else
        {
            lower *= v.AsDouble();
        }
    }
}
