using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace NativeEngine.Kernels.Cpu;

/// <summary>Conversions between element types, row by row; every float conversion rounds once, to nearest even.</summary>
internal static class Conversion
{
    /// <summary>Elements of the F32 scratch through which the 16-bit types pass.</summary>
    private const int Block = 512;

    /// <summary>Row <paramref name="n"/> of y = row n of x. Integers too large for y become its largest value.</summary>
    public static void Row(Tensor y, Tensor x, long n)
    {
        switch (x.DType, y.DType)
        {
            case (var from, var to) when from == to:
                CopyBytes(y, x, n);
                break;
            case (DType.F32, DType.F64):
                TensorPrimitives.ConvertTruncating<float, double>(x.Row<float>(n), y.Row<double>(n));
                break;
            case (DType.F64, DType.F32):
                TensorPrimitives.ConvertTruncating<double, float>(x.Row<double>(n), y.Row<float>(n));
                break;
            case (DType.I32, DType.I64):
                TensorPrimitives.ConvertSaturating<int, long>(x.Row<int>(n), y.Row<long>(n));
                break;
            case (DType.I64, DType.I32):
                TensorPrimitives.ConvertSaturating<long, int>(x.Row<long>(n), y.Row<int>(n));
                break;
            default:
                ThroughSingle(y, x, n);
                break;
        }
    }

    private static unsafe void CopyBytes(Tensor y, Tensor x, long n)
    {
        long size = x.DType.Size();
        long bytes = x.Columns * size;
        Buffer.MemoryCopy((byte*)x.Address + n * x.RowStride * size, (byte*)y.Address + n * y.RowStride * size, bytes, bytes);
    }

    private static void ThroughSingle(Tensor y, Tensor x, long n)
    {
        Span<float> scratch = stackalloc float[Block];
        for (int from = 0; from < x.Columns; from += Block)
        {
            int count = (int)Math.Min(Block, x.Columns - from);
            Span<float> single = y.DType == DType.F32 ? y.Row<float>(n).Slice(from, count) : scratch[..count];
            Load(single, x, n, from);
            Store(y, n, from, single);
        }
    }

    private static void Load(Span<float> single, Tensor x, long n, int from)
    {
        switch (x.DType)
        {
            case DType.BF16:
                Bfloat16.ToSingle(x.Row<ushort>(n).Slice(from, single.Length), single);
                break;
            case DType.F16:
                TensorPrimitives.ConvertToSingle(x.Row<Half>(n).Slice(from, single.Length), single);
                break;
            case DType.F64:
                RoundToOdd(x.Row<double>(n).Slice(from, single.Length), single);
                break;
            default:
                x.Row<float>(n).Slice(from, single.Length).CopyTo(single);
                break;
        }
    }

    private static void Store(Tensor y, long n, int from, ReadOnlySpan<float> single)
    {
        switch (y.DType)
        {
            case DType.BF16:
                Bfloat16.FromSingle(single, y.Row<ushort>(n).Slice(from, single.Length));
                break;
            case DType.F16:
                TensorPrimitives.ConvertToHalf(single, y.Row<Half>(n).Slice(from, single.Length));
                break;
            case DType.F64:
                TensorPrimitives.ConvertTruncating<float, double>(single, y.Row<double>(n).Slice(from, single.Length));
                break;
            default:
                break;
        }
    }

    /// <summary>
    /// F32 with the last bit set wherever bits were lost: rounding that to 16 bits gives the same as rounding the F64 itself,
    /// which rounding twice to nearest does not.
    /// </summary>
    [MethodImpl(InnerLoop.Options)]
    private static void RoundToOdd(ReadOnlySpan<double> x, Span<float> y)
    {
        int i = 0;
        for (; i <= x.Length - Vector512<float>.Count; i += Vector512<float>.Count)
        {
            RoundToOdd(Vector512.Create(x[i..]), Vector512.Create(x[(i + Vector512<double>.Count)..])).CopyTo(y[i..]);
        }

        for (; i < x.Length; i++)
        {
            y[i] = RoundToOdd(Vector512.Create(x[i]), default)[0];
        }
    }

    private static Vector512<float> RoundToOdd(Vector512<double> low, Vector512<double> high)
    {
        Vector512<float> nearest = Vector512.Narrow(low, high);
        Vector512<float> lost = Vector512.Narrow(Lost(low, Vector512.WidenLower(nearest)), Lost(high, Vector512.WidenUpper(nearest)));
        Vector512<int> exact = Vector512.Equals(lost, Vector512<float>.Zero).AsInt32();
        Vector512<int> away = Vector512.LessThan(nearest.AsInt32() ^ lost.AsInt32(), Vector512<int>.Zero);
        Vector512<int> towardsZero = nearest.AsInt32() + Vector512.AndNot(away, exact);
        return (towardsZero | Vector512.AndNot(Vector512<int>.One, exact)).AsSingle();
    }

    /// <summary>What the rounding of x took away, times a factor that keeps it from vanishing in F32.</summary>
    private static Vector512<double> Lost(Vector512<double> x, Vector512<double> rounded) => Vector512.ConditionalSelect(
        Vector512.Equals(x, rounded), Vector512<double>.Zero, (x - rounded) * Vector512.Create(1e30));
}
