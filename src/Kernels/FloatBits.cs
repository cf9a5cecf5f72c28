using System.Numerics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace NativeEngine.Kernels;

/// <summary>Numbers as the bits that files and tensors hold.</summary>
public static class FloatBits
{
    /// <summary>False when the elements in <paramref name="bytes"/> hold a NaN or an infinity, whose exponents are all ones; integers never do.</summary>
    public static bool AllFinite(DType dtype, ReadOnlySpan<byte> bytes) => dtype switch
    {
        DType.F64 => AllFinite<ulong>(MemoryMarshal.Cast<byte, ulong>(bytes), 0x7FF0_0000_0000_0000),
        DType.F32 => AllFinite<uint>(MemoryMarshal.Cast<byte, uint>(bytes), 0x7F80_0000),
        DType.F16 => AllFinite<ushort>(MemoryMarshal.Cast<byte, ushort>(bytes), 0x7C00),
        DType.BF16 => AllFinite<ushort>(MemoryMarshal.Cast<byte, ushort>(bytes), 0x7F80),
        _ => true,
    };

    private static bool AllFinite<T>(ReadOnlySpan<T> x, T exponent) where T : unmanaged, IBinaryInteger<T>
    {
        Vector256<T> ones = Vector256.Create(exponent), found = Vector256<T>.Zero;
        int i = 0;
        for (; i <= x.Length - Vector256<T>.Count; i += Vector256<T>.Count)
        {
            found |= Vector256.Equals(Vector256.Create(x[i..]) & ones, ones);
        }

        bool finite = found == Vector256<T>.Zero;
        for (; i < x.Length; i++)
        {
            finite &= (x[i] & exponent) != exponent;
        }

        return finite;
    }
}
