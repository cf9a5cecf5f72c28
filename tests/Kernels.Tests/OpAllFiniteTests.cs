using NativeEngine.Kernels.Cpu;

namespace NativeEngine.Kernels.Tests;

/// <summary>AllFinite finds a single NaN or infinity wherever it is, and nothing between the rows.</summary>
public sealed class OpAllFiniteTests
{
    public static TheoryData<DType, double> BadValues
    {
        get
        {
            var data = new TheoryData<DType, double>();
            foreach (DType dtype in new[] { DType.F32, DType.F64, DType.BF16 })
            {
                foreach (double bad in new[] { double.NaN, double.PositiveInfinity, double.NegativeInfinity })
                {
                    data.Add(dtype, bad);
                }
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(BadValues))]
    public void Finds_one_bad_element_anywhere(DType dtype, double bad)
    {
        using var backend = new CpuBackend(2);
        using Tensor owner = backend.Alloc(dtype, new Shape(33, 260));
        Tensor x = owner.ColumnRange(0, 257);
        foreach (long row in new long[] { 0, 16, 32 })
        {
            foreach (int column in new[] { 0, 15, 16, 31, 255, 256 })
            {
                backend.Zero(owner);
                Assert.True(backend.AllFinite(x));
                Set(x, row, column, bad);
                Assert.False(backend.AllFinite(x));
            }
        }
    }

    [Theory]
    [MemberData(nameof(BadValues))]
    public void Ignores_the_gaps_between_rows(DType dtype, double bad)
    {
        using var backend = new CpuBackend(1);
        using Tensor owner = backend.Alloc(dtype, new Shape(5, 40));
        backend.Zero(owner);
        Set(owner, 2, 39, bad);
        Assert.True(backend.AllFinite(owner.ColumnRange(0, 39)));
        Assert.True(backend.AllFinite(owner.RowRange(0, 2)));
        Assert.True(backend.AllFinite(owner.RowRange(0, 0)));
    }

    [Fact]
    public void Large_and_denormal_numbers_are_finite()
    {
        using var backend = new CpuBackend(1);
        using Tensor x = backend.Alloc(DType.F32, new Shape(3, 31));
        x.AsSpan<float>().Fill(float.MaxValue);
        x.AsSpan<float>()[40] = float.Epsilon;
        x.AsSpan<float>()[41] = float.MinValue;
        Assert.True(backend.AllFinite(x));
    }

    [Fact]
    public void Every_finite_bf16_number_is_finite()
    {
        using var backend = new CpuBackend(1);
        using Tensor x = backend.Alloc(DType.BF16, new Shape(1, 1));
        for (int bits = 0; bits <= ushort.MaxValue; bits++)
        {
            x.AsSpan<ushort>()[0] = (ushort)bits;
            Assert.Equal(float.IsFinite(BitConverter.UInt32BitsToSingle((uint)bits << 16)), backend.AllFinite(x));
        }
    }

    private static void Set(Tensor x, long row, int column, double value)
    {
        switch (x.DType)
        {
            case DType.F32:
                x.Row<float>(row)[column] = (float)value;
                break;
            case DType.BF16:
                x.Row<ushort>(row)[column] = (ushort)(BitConverter.SingleToUInt32Bits((float)value) >> 16);
                break;
            default:
                x.Row<double>(row)[column] = value;
                break;
        }
    }
}
