using NativeEngine.Kernels.Cpu;

namespace NativeEngine.Kernels.Tests;

public sealed class GemmGramTests
{
    [Theory]
    [InlineData(1, 1, 2)]
    [InlineData(7, 3, 2)]
    [InlineData(600, 33, 2)]
    [InlineData(1025, 70, 2)]
    [InlineData(513, 129, 1)]
    [InlineData(300, 45, 0)]
    public void Adds_the_products_and_stays_symmetric(long n, long d, int isa)
    {
        using var cpu = new CpuBackend(2) { Isa = (Isa)isa };
        Tensor x = GemmReference.Random(cpu, DType.F32, n, d, 1, gap: 5);
        using Tensor h = GemmReference.Random(cpu, DType.F64, d, d, 2);
        for (long i = 0; i < d; i++)
        {
            for (long j = 0; j < i; j++)
            {
                GemmReference.Set(h, j, i, GemmReference.At(h, i, j));
            }
        }

        double[,] expected = GemmReference.Product(x, x, true, false, 1, 1, h);
        cpu.Gram(h, x);
        GemmReference.AssertClose(expected, h, 1.5e-7 * (n + 4), $"({n}, {d})");
        for (long i = 0; i < d; i++)
        {
            for (long j = 0; j < i; j++)
            {
                Assert.Equal(GemmReference.At(h, i, j), GemmReference.At(h, j, i));
            }
        }
    }

    [Fact]
    public void Bits_do_not_depend_on_the_number_of_threads()
    {
        double[]? first = null;
        foreach (int threads in new[] { 1, 2, 3, 8 })
        {
            using var cpu = new CpuBackend(threads);
            using Tensor x = GemmReference.Random(cpu, DType.F32, 2100, 100, 1);
            using Tensor h = cpu.Alloc(DType.F64, new Shape(100, 100));
            h.AsSpan<double>().Clear();
            cpu.Gram(h, x);
            first ??= h.AsSpan<double>().ToArray();
            Assert.True(h.AsSpan<double>().SequenceEqual(first), $"{threads} threads");
        }
    }

    [Fact]
    public void Wrong_types_and_shapes_are_refused()
    {
        using var cpu = new CpuBackend(1);
        using Tensor x = cpu.Alloc(DType.F32, new Shape(4, 3));
        using Tensor small = cpu.Alloc(DType.F64, new Shape(2, 2));
        using Tensor single = cpu.Alloc(DType.F32, new Shape(3, 3));
        Assert.Throws<ArgumentException>(() => cpu.Gram(small, x));
        Assert.Throws<ArgumentException>(() => cpu.Gram(single, x));
    }
}
