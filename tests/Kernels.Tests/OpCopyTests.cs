using NativeEngine.Kernels.Cpu;

namespace NativeEngine.Kernels.Tests;

/// <summary>Every conversion of Copy, bit by bit, over values where rounding, denormals and specials show; rows with gaps on both sides.</summary>
public sealed class OpCopyTests
{
    private const int Columns = 71;
    private static readonly DType[] Floats = [DType.F64, DType.F32, DType.F16, DType.BF16];

    public static TheoryData<DType, DType> Pairs
    {
        get
        {
            var data = new TheoryData<DType, DType>();
            foreach (DType from in Floats)
            {
                foreach (DType to in Floats)
                {
                    data.Add(from, to);
                }
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Pairs))]
    public void Rounds_once_to_nearest_even(DType from, DType to)
    {
        double[] values = [.. Samples()];
        long rows = (values.Length + Columns - 1) / Columns;
        using var backend = new CpuBackend(2);
        using Tensor x = backend.Alloc(from, new Shape(rows, Columns + 2)), y = backend.Alloc(to, new Shape(rows, Columns + 5));
        Tensor source = x.ColumnRange(1, Columns), target = y.ColumnRange(3, Columns);
        for (int i = 0; i < rows * Columns; i++)
        {
            Write(source, i, Nearest(values[i % values.Length], from));
        }

        backend.Copy(target, source);

        for (int i = 0; i < rows * Columns; i++)
        {
            double expected = Nearest(Read(source, i), to), actual = Read(target, i);
            Assert.True(
                BitConverter.DoubleToInt64Bits(expected) == BitConverter.DoubleToInt64Bits(actual) || (double.IsNaN(expected) && double.IsNaN(actual)),
                $"{from} {Read(source, i):R} to {to}: {actual:R}, expected {expected:R}");
        }
    }

    [Fact]
    public void Integers_widen_and_saturate()
    {
        using var backend = new CpuBackend(1);
        using Tensor x = backend.Alloc(DType.I64, new Shape(3, 33)), y = backend.Alloc(DType.I32, new Shape(3, 33)), z = backend.Alloc(DType.I64, new Shape(3, 33));
        for (int i = 0; i < 99; i++)
        {
            x.AsSpan<long>()[i] = (i % 3) switch { 0 => -i * 1000, 1 => long.MaxValue - i, _ => long.MinValue + i };
        }

        backend.Copy(y, x);
        backend.Copy(z, y);

        for (int i = 0; i < 99; i++)
        {
            long expected = Math.Clamp(x.AsSpan<long>()[i], int.MinValue, int.MaxValue);
            Assert.Equal(expected, y.AsSpan<int>()[i]);
            Assert.Equal(expected, z.AsSpan<long>()[i]);
        }
    }

    /// <summary>Every F16 and BF16 number, the numbers half-way to its neighbour and those just off them, extremes and specials.</summary>
    private static IEnumerable<double> Samples()
    {
        for (int bits = 0; bits < 65536; bits += 7)
        {
            foreach (DType dtype in new[] { DType.F16, DType.BF16 })
            {
                double value = Decode((ushort)bits, dtype), next = Decode((ushort)(bits + 1), dtype), middle = (value + next) / 2;
                yield return value;
                yield return middle;
                yield return Math.BitIncrement(middle);
                yield return Math.BitDecrement(middle);
                yield return MathF.BitIncrement((float)middle);
                yield return MathF.BitDecrement((float)middle);
            }
        }

        double[] extremes =
        [
            double.Epsilon, double.MaxValue, float.Epsilon, float.MaxValue, 65504, 65519.999, 65520, 3.3895313892515355e38, 3.3961775292304957e38,
            1e300, 1e-300, 1 + Math.Pow(2, -24), 1 + Math.Pow(2, -11), 1 + Math.Pow(2, -8) + Math.Pow(2, -40), double.PositiveInfinity, double.NaN,
        ];
        foreach (double value in extremes)
        {
            yield return value;
            yield return -value;
        }
    }

    /// <summary>The nearest number of a type, ties to even: for BF16 found among its neighbours in double precision.</summary>
    private static double Nearest(double x, DType dtype)
    {
        if (dtype != DType.BF16 || !double.IsFinite(x) || x == 0)
        {
            return dtype switch { DType.F32 => (float)x, DType.F16 => (double)(Half)x, _ => x };
        }

        // the spacing of numbers with 8 significant bits around x; below 2^-126 it stops shrinking
        double spacing = Math.ScaleB(1, Math.Max(Math.ILogB(x), -126) - 7);
        double rounded = Math.Round(x / spacing, MidpointRounding.ToEven) * spacing;
        return Math.CopySign(Math.Abs(rounded) >= Math.ScaleB(1, 128) ? double.PositiveInfinity : Math.Abs(rounded), x);
    }

    private static double Decode(ushort bits, DType dtype) =>
        dtype == DType.F16 ? (double)BitConverter.UInt16BitsToHalf(bits) : BitConverter.UInt32BitsToSingle((uint)bits << 16);

    private static double Read(Tensor x, int i)
    {
        (int row, int column) = Math.DivRem(i, Columns);
        return x.DType switch
        {
            DType.F64 => x.Row<double>(row)[column],
            DType.F32 => x.Row<float>(row)[column],
            _ => Decode(x.Row<ushort>(row)[column], x.DType),
        };
    }

    private static void Write(Tensor x, int i, double value)
    {
        (int row, int column) = Math.DivRem(i, Columns);
        switch (x.DType)
        {
            case DType.F64:
                x.Row<double>(row)[column] = value;
                break;
            case DType.F32:
                x.Row<float>(row)[column] = (float)value;
                break;
            case DType.F16:
                x.Row<Half>(row)[column] = (Half)value;
                break;
            default:
                x.Row<ushort>(row)[column] = (ushort)(BitConverter.SingleToUInt32Bits((float)value) >> 16);
                break;
        }
    }
}
