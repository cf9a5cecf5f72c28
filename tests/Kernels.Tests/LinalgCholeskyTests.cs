using NativeEngine.Kernels.Cpu;

namespace NativeEngine.Kernels.Tests;

public sealed class LinalgCholeskyTests
{
    [Theory]
    [InlineData(1, 1)]
    [InlineData(3, 7)]
    [InlineData(64, 64)]
    [InlineData(65, 130)]
    [InlineData(200, 1)]
    [InlineData(333, 40)]
    public void Every_row_is_divided(int n, int rows)
    {
        using var cpu = new CpuBackend(2);
        using Tensor a = Definite(cpu, n), solved = GemmReference.Random(cpu, DType.F64, rows, n, 2), product = GemmReference.Random(cpu, DType.F64, rows, n, 2);
        using Tensor factor = cpu.Alloc(DType.F64, a.Shape), b = cpu.Alloc(DType.F64, solved.Shape);
        cpu.Copy(b, solved);
        cpu.Copy(factor, a);
        for (int i = 0; i < n; i++)
        {
            factor.Row<double>(i)[(i + 1)..].Fill(double.NaN); // only the lower triangle is read
        }

        cpu.CholeskySolve(solved, factor);
        cpu.Gemm(product, solved, a);
        Assert.All(b.AsSpan<double>().ToArray().Zip(product.AsSpan<double>().ToArray()), pair => Assert.Equal(pair.First, pair.Second, 1e-12));
    }

    [Fact]
    public void A_matrix_that_is_not_positive_definite_is_refused_with_its_minor()
    {
        using var cpu = new CpuBackend(1);
        using Tensor a = Definite(cpu, 100), b = GemmReference.Random(cpu, DType.F64, 3, 100, 1);
        a.Row<double>(70)[70] = -1;
        EngineException error = Assert.Throws<EngineException>(() => cpu.CholeskySolve(b, a));
        Assert.Equal("NE10104", error.Code);
        Assert.Contains("minor 71", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Bits_do_not_depend_on_the_number_of_threads()
    {
        double[]? first = null;
        foreach (int threads in new[] { 1, 2, 3, 8 })
        {
            using var cpu = new CpuBackend(threads);
            using Tensor a = Definite(cpu, 300), b = GemmReference.Random(cpu, DType.F64, 300, 300, 5);
            cpu.CholeskySolve(b, a);
            first ??= b.AsSpan<double>().ToArray();
            Assert.True(b.AsSpan<double>().SequenceEqual(first), $"{threads} threads");
        }
    }

    /// <summary>x x^T + 1</summary>
    private static Tensor Definite(CpuBackend cpu, int n)
    {
        using Tensor x = GemmReference.Random(cpu, DType.F64, n, n, n);
        Tensor a = cpu.Alloc(DType.F64, new Shape(n, n));
        cpu.Gemm(a, x, x, transposeB: true);
        for (int i = 0; i < n; i++)
        {
            a.Row<double>(i)[i] += 1;
        }

        return a;
    }
}
