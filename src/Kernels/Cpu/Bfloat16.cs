using System.Runtime.InteropServices;

namespace NativeEngine.Kernels.Cpu;

/// <summary>bfloat16, the upper half of a binary32, to and from F32.</summary>
internal static class Bfloat16
{
    /// <summary>Exact.</summary>
    public static void ToSingle(ReadOnlySpan<ushort> x, Span<float> y)
    {
        Span<uint> bits = MemoryMarshal.Cast<float, uint>(y);
        for (int i = 0; i < x.Length; i++)
        {
            bits[i] = (uint)x[i] << 16;
        }
    }

    /// <summary>Rounds to nearest even; NaN stays NaN.</summary>
    public static void FromSingle(ReadOnlySpan<float> x, Span<ushort> y)
    {
        ReadOnlySpan<uint> bits = MemoryMarshal.Cast<float, uint>(x);
        for (int i = 0; i < x.Length; i++)
        {
            uint rounded = bits[i] + 0x7FFF + ((bits[i] >> 16) & 1);
            y[i] = (ushort)((float.IsNaN(x[i]) ? bits[i] | 0x400000 : rounded) >> 16);
        }
    }
}
