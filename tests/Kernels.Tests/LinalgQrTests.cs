using NativeEngine.Kernels.Cpu;

namespace NativeEngine.Kernels.Tests;

public sealed class LinalgQrTests
{
    [SkippableFact]
    public void Reference_q_with_its_signs()
    {
        var data = new LinalgReferenceData();
        using var cpu = new CpuBackend(1);
        using Tensor a = cpu.Alloc(DType.F64, new Shape(17, 17)), q = cpu.Alloc(DType.F64, new Shape(17, 17));
        data.Read("qr.matrix_17").CopyTo(a.AsSpan<double>());
        cpu.Qr(q, a);
        double[] expected = data.Read("qr.q_17");
        for (int i = 0; i < expected.Length; i++)
        {
            Assert.Equal(expected[i], q.AsSpan<double>()[i], 1e-14);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(31)]
    [InlineData(33)]
    [InlineData(200)]
    public void Q_is_orthogonal_and_r_triangular(int n)
    {
        using var cpu = new CpuBackend(2);
        using Tensor a = GemmReference.Random(cpu, DType.F64, n, n, n), copy = GemmReference.Random(cpu, DType.F64, n, n, n);
        using Tensor q = cpu.Alloc(DType.F64, new Shape(n, n)), product = cpu.Alloc(DType.F64, new Shape(n, n));
        cpu.Qr(q, a);
        cpu.Gemm(product, q, q, transposeB: true);
        for (int i = 0; i < n; i++)
        {
            GemmReference.Set(product, i, i, GemmReference.At(product, i, i) - 1);
        }

        Assert.True(product.AsSpan<double>().ToArray().Max(Math.Abs) < 1e-14 * n);
        cpu.Gemm(product, q, copy, transposeA: true);
        for (int i = 1; i < n; i++)
        {
            foreach (double x in product.Row<double>(i)[..i])
            {
                Assert.True(Math.Abs(x) < 1e-14 * n);
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
            using Tensor a = GemmReference.Random(cpu, DType.F64, 150, 150, 1), q = cpu.Alloc(DType.F64, new Shape(150, 150));
            cpu.Qr(q, a);
            first ??= q.AsSpan<double>().ToArray();
            Assert.True(q.AsSpan<double>().SequenceEqual(first), $"{threads} threads");
        }
    }
}
