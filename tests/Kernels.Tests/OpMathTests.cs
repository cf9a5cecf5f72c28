using System.Runtime.Intrinsics;
using NativeEngine.Kernels.Cpu;

namespace NativeEngine.Kernels.Tests;

/// <summary>The vectorised functions against the runtime's, over their whole range.</summary>
public sealed class OpMathTests
{
    [Fact]
    public void Exp_F32_is_within_1_01_ulp()
    {
        double worst = 0;
        for (float x = -87.3f; x < 88.7f; x += 0.0023f)
        {
            double exact = Math.Exp(x);
            float y = VectorMath.Exp(Vector512.Create(x))[0];
            worst = Math.Max(worst, Math.Abs(y - exact) / (MathF.BitIncrement((float)exact) - (float)exact));
        }

        Assert.InRange(worst, 0, 1.01);
    }

    [Fact]
    public void Exp_F64_is_within_2_ulp_of_the_runtime()
    {
        double worst = 0;
        for (double x = -708.3; x < 709.7; x += 0.0123)
        {
            double exact = Math.Exp(x);
            worst = Math.Max(worst, Math.Abs(VectorMath.Exp(Vector512.Create(x))[0] - exact) / (Math.BitIncrement(exact) - exact));
        }

        Assert.InRange(worst, 0, 2);
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(-0.0, 1)]
    [InlineData(double.NaN, double.NaN)]
    [InlineData(double.PositiveInfinity, double.PositiveInfinity)]
    [InlineData(double.NegativeInfinity, 0)]
    [InlineData(1e30, double.PositiveInfinity)]
    [InlineData(-1e30, 0)]
    [InlineData(710, double.PositiveInfinity)]
    [InlineData(-709, 0)]
    public void Exp_at_the_edges(double x, double expected)
    {
        Assert.Equal(expected, VectorMath.Exp(Vector512.Create(x))[0]);
        Assert.Equal((float)expected, VectorMath.Exp(Vector512.Create((float)x))[0]);
    }

    [Fact]
    public void Exp_keeps_every_NaN()
    {
        for (int bit = 0; bit < 23; bit++)
        {
            float nan = BitConverter.UInt32BitsToSingle(0xFF800000u | (1u << bit));
            Assert.True(float.IsNaN(VectorMath.Exp(Vector512.Create(nan))[0]));
        }
    }

    [Fact]
    public void Erf_matches_its_series()
    {
        double worst32 = 0, worst64 = 0;
        for (double x = -7; x < 7; x += 0.00171)
        {
            worst32 = Math.Max(worst32, Math.Abs(VectorMath.Erf(Vector512.Create((float)x))[0] - OpReference.Erf((float)x)));
            worst64 = Math.Max(worst64, Math.Abs(VectorMath.Erf(Vector512.Create(x))[0] - OpReference.Erf(x)));
        }

        Assert.InRange(worst32, 0, 1.2e-7);
        Assert.InRange(worst64, 0, 1e-14);
        Assert.True(double.IsNaN(VectorMath.Erf(Vector512.Create(double.NaN))[0]));
        Assert.True(float.IsNaN(VectorMath.Erf(Vector512.Create(float.NaN))[0]));
        Assert.Equal(1, VectorMath.Erf(Vector512.Create(float.PositiveInfinity))[0]);
        Assert.Equal(-1, VectorMath.Erf(Vector512.Create(double.NegativeInfinity))[0]);
    }
}
