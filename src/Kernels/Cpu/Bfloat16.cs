using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace NativeEngine.Kernels.Cpu;

/// <summary>bfloat16, the upper half of a binary32, to and from F32.</summary>
internal static class Bfloat16
{
    /// <summary>x, which is a T or, as ushort, a bfloat16 number that becomes F32.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Widen<T, TStored>(TStored x) where T : unmanaged where TStored : unmanaged => typeof(TStored) == typeof(ushort)
        ? Unsafe.BitCast<uint, T>((uint)Unsafe.BitCast<TStored, ushort>(x) << 16)
        : Unsafe.BitCast<TStored, T>(x);

    /// <summary>Exact.</summary>
    [MethodImpl(InnerLoop.Options)]
    public static void ToSingle(ReadOnlySpan<ushort> x, Span<float> y)
    {
        Span<uint> bits = MemoryMarshal.Cast<float, uint>(y);
        int i = 0;
        for (; i <= x.Length - Vector512<ushort>.Count; i += Vector512<ushort>.Count)
        {
            (Vector512<uint> lower, Vector512<uint> upper) = Vector512.Widen(Vector512.Create(x[i..]));
            (lower << 16).CopyTo(bits[i..]);
            (upper << 16).CopyTo(bits[(i + Vector512<uint>.Count)..]);
        }

        for (; i < x.Length; i++)
        {
            bits[i] = (uint)x[i] << 16;
        }
    }

    /// <summary>Rounds to nearest even; NaN stays NaN.</summary>
    [MethodImpl(InnerLoop.Options)]
    public static void FromSingle(ReadOnlySpan<float> x, Span<ushort> y)
    {
        ReadOnlySpan<uint> bits = MemoryMarshal.Cast<float, uint>(x);
        int i = 0;
        for (; i <= x.Length - Vector512<ushort>.Count; i += Vector512<ushort>.Count)
        {
            Vector512<uint> lower = Round(Vector512.Create(bits[i..])), upper = Round(Vector512.Create(bits[(i + Vector512<uint>.Count)..]));
            Vector512.Narrow(lower, upper).CopyTo(y[i..]);
        }

        for (; i < x.Length; i++)
        {
            y[i] = (ushort)Round(Vector512.CreateScalar(bits[i]))[0];
        }
    }

    /// <summary>The 16 bits that are kept, rounded. A NaN is made quiet instead: the carry could turn it into an infinity.</summary>
    private static Vector512<uint> Round(Vector512<uint> bits)
    {
        Vector512<uint> odd = (bits >> 16) & Vector512<uint>.One;
        Vector512<uint> rounded = bits + Vector512.Create(0x7FFFu) + odd;
        Vector512<uint> quiet = bits | Vector512.Create(0x400000u);
        Vector512<float> value = bits.AsSingle();
        return Vector512.ConditionalSelect(Vector512.Equals(value, value).AsUInt32(), rounded, quiet) >> 16;
    }
}
