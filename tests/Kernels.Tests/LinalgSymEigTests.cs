using NativeEngine.Kernels.Cpu;

namespace NativeEngine.Kernels.Tests;

public sealed class LinalgSymEigTests
{
    private const double Epsilon = 2.220446049250313e-16;
    private const double Bound = 10; // golden/linalg/README.md

    [SkippableFact]
    public void Reference_matrices()
    {
        var data = new LinalgReferenceData();
        using var cpu = new CpuBackend(2);
        int count = 0;
        foreach (string name in data.Symmetric)
        {
            double[] high = data.Read("eigenvalues." + name), low = data.Read("eigenvalues_low." + name);
            int n = high.Length;
            double[] a = new double[n * n];
            double[] lower = data.Read("lower." + name);
            for (int i = 0, at = 0; i < n; i++)
            {
                for (int j = 0; j <= i; j++, at++)
                {
                    a[i * n + j] = a[j * n + i] = lower[at];
                }
            }

            Check(cpu, name, n, a, high, low);
            count++;
        }

        Assert.True(count >= 30, $"only {count} matrices were found");
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(17)]
    [InlineData(64)]
    [InlineData(200)]
    public void Identity_and_zero(int n)
    {
        using var cpu = new CpuBackend(2);
        double[] identity = new double[n * n], ones = new double[n];
        for (int i = 0; i < n; i++)
        {
            identity[i * n + i] = ones[i] = 1;
        }

        Check(cpu, "identity", n, identity, ones, new double[n]);
        Check(cpu, "zero", n, new double[n * n], new double[n], new double[n]);
    }

    [Theory]
    [InlineData(31)]
    [InlineData(33)]
    [InlineData(65)]
    [InlineData(257)]
    [InlineData(600)]
    public void Random_and_low_rank(int n)
    {
        using var cpu = new CpuBackend(2);
        var random = new Random(n);
        double[] full = new double[n * n], covariance = new double[n * n], x = new double[n];
        for (int i = 0; i < n; i++)
        {
            for (int j = 0; j <= i; j++)
            {
                full[i * n + j] = full[j * n + i] = random.NextDouble() - 0.5;
            }
        }

        for (int rank = 0; rank < 5; rank++)
        {
            for (int i = 0; i < n; i++)
            {
                x[i] = random.NextDouble();
            }

            for (int i = 0; i < n * n; i++)
            {
                covariance[i] += x[i / n] * x[i % n];
            }
        }

        Check(cpu, "random", n, full, null, null);
        Check(cpu, "rank 5", n, covariance, null, null);
    }

    [Fact]
    public void Bits_do_not_depend_on_the_number_of_threads()
    {
        const int N = 400;
        double[]? first = null;
        foreach (int threads in new[] { 1, 2, 3, 8 })
        {
            using var cpu = new CpuBackend(threads);
            using Tensor a = GemmReference.Random(cpu, DType.F64, N, N, 1);
            using Tensor values = cpu.Alloc(DType.F64, new Shape(N));
            cpu.SymEig(values, a, a);
            double[] bits = [.. values.AsSpan<double>(), .. a.AsSpan<double>()];
            first ??= bits;
            Assert.True(bits.AsSpan().SequenceEqual(first), $"{threads} threads");
        }
    }

    [Fact]
    public void Only_the_lower_triangle_is_read()
    {
        const int N = 40;
        using var cpu = new CpuBackend(1);
        using Tensor a = GemmReference.Random(cpu, DType.F64, N, N, 1);
        using Tensor b = GemmReference.Random(cpu, DType.F64, N, N, 1);
        using Tensor valuesA = cpu.Alloc(DType.F64, new Shape(N)), valuesB = cpu.Alloc(DType.F64, new Shape(N));
        for (int i = 0; i < N; i++)
        {
            b.Row<double>(i)[(i + 1)..].Fill(double.NaN);
        }

        cpu.SymEig(valuesA, a, a);
        cpu.SymEig(valuesB, b, b);
        Assert.True(a.AsSpan<double>().SequenceEqual(b.AsSpan<double>()));
    }

    [Theory]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    public void A_matrix_that_is_not_finite_is_an_error(double bad)
    {
        using var cpu = new CpuBackend(1);
        using Tensor a = GemmReference.Random(cpu, DType.F64, 20, 20, 1);
        using Tensor values = cpu.Alloc(DType.F64, new Shape(20));
        GemmReference.Set(a, 13, 4, bad);
        Assert.Equal(ExitCode.Numerical, Assert.Throws<EngineException>(() => cpu.SymEig(values, a, a)).Exit);
    }

    /// <summary>The four rules of golden/linalg/README.md, on the matrix divided by its largest element.</summary>
    private static void Check(CpuBackend cpu, string name, int n, double[] matrix, double[]? high, double[]? low)
    {
        double largest = matrix.Max(Math.Abs), scale = largest == 0 ? 1 : largest;
        using Tensor a = cpu.Alloc(DType.F64, new Shape(n, n)), vectors = cpu.Alloc(DType.F64, new Shape(n, n)), values = cpu.Alloc(DType.F64, new Shape(n));
        matrix.CopyTo(a.AsSpan<double>());
        cpu.SymEig(values, vectors, a);
        double[] lambda = [.. values.AsSpan<double>().ToArray().Select(x => x / scale)];
        double norm = Math.Sqrt(matrix.Sum(x => x / scale * (x / scale))), norm2 = lambda.Max(Math.Abs);

        for (int i = 1; i < n; i++)
        {
            Assert.True(lambda[i] >= lambda[i - 1], $"{name}: eigenvalue {i} is out of order");
        }

        if (high is not null && low is not null)
        {
            double worst = Enumerable.Range(0, n).Max(i => Math.Abs(lambda[i] - high[i] / scale - low[i] / scale));
            Assert.True(worst <= Bound * n * Epsilon * norm2, $"{name}: an eigenvalue is off by {worst / (n * Epsilon * norm2)} n eps |A|");
        }

        using Tensor scaled = cpu.Alloc(DType.F64, new Shape(n, n)), product = cpu.Alloc(DType.F64, new Shape(n, n));
        matrix.Select(x => x / scale).ToArray().CopyTo(scaled.AsSpan<double>());
        cpu.Gemm(product, vectors, scaled);
        double residual = 0, orthogonality = 0;
        for (int i = 0; i < n; i++)
        {
            for (int j = 0; j < n; j++)
            {
                double r = product.Row<double>(i)[j] - lambda[i] * vectors.Row<double>(i)[j];
                residual += r * r;
            }
        }

        cpu.Gemm(product, vectors, vectors, transposeB: true);
        for (int i = 0; i < n; i++)
        {
            for (int j = 0; j < n; j++)
            {
                double r = product.Row<double>(i)[j] - (i == j ? 1 : 0);
                orthogonality += r * r;
            }
        }

        residual = Math.Sqrt(residual);
        orthogonality = Math.Sqrt(orthogonality) / (n * Epsilon);
        Assert.True(residual <= Bound * n * Epsilon * norm, $"{name}: residual {residual / (n * Epsilon * norm)} n eps |A|");
        Assert.True(orthogonality <= Bound, $"{name}: orthogonality {orthogonality} n eps");
    }
}
