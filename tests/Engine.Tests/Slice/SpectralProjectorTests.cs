using NativeEngine.Kernels;
using NativeEngine.Kernels.Cpu;
using NativeEngine.Slice;

namespace NativeEngine.Tests;

/// <summary>The spectral projector beside the eigenvalues that it is given, on spectra that models have and on those that are hard.</summary>
public sealed class SpectralProjectorTests : IDisposable
{
    private readonly CpuBackend cpu = new(2);

    public static TheoryData<string, int, int> Spectra
    {
        get
        {
            var data = new TheoryData<string, int, int>();
            foreach (string name in (string[])["decay", "square", "steep", "massive", "cluster", "deficient", "just deficient", "zero"])
            {
                data.Add(name, 40, 30); // fewer columns than the window has room for
                data.Add(name, 129, 90);
                data.Add(name, 256, 60);
                data.Add(name, 256, 255);
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Spectra))]
    public void The_subspace_holds_the_energy_of_the_largest_eigenvalues(string name, int n, int k)
    {
        double[] values = Spectrum(name, n, k);
        double best = values.Take(k).Sum();
        using Tensor h = Matrix(values);
        var projector = new SpectralProjector(cpu, 1);
        for (int run = 0; run < 2; run++) // the second begins where the first has found the cut
        {
            Projection found = projector.Top(h, k);
            Assert.Null(found.Problem);
            using Tensor rows = found.Rows!;
            AssertOrthonormal(rows, k);
            double gap = best > 0 ? 1 - Energy(h, rows) / best : 0;
            Assert.InRange(gap, -Tolerances.SameInF64, Tolerances.EnergyGap);
            Assert.InRange(gap - found.EnergyGap, -1, Tolerances.EnergyGap / 10); // what it says of itself is a bound
        }
    }

    [Fact]
    public void A_gap_at_the_cut_makes_the_basis_that_of_the_eigenvectors()
    {
        double[] values = [.. Enumerable.Range(0, 128).Select(i => i < 80 ? 3.0 + i : 1.0 / (1 + i)).OrderDescending()];
        using Tensor h = Matrix(values), vectors = Vectors(128), cosines = cpu.Alloc(DType.F64, new Shape(80, 48));
        using Tensor rows = new SpectralProjector(cpu, 3).Top(h, 80).Rows!;
        cpu.Gemm(cosines, rows, vectors.RowRange(80, 48), transposeB: true);
        Assert.All(cpu.Download<double>(cosines), v => Assert.Equal(0, v, 1e-7));
    }

    [Fact]
    public void All_dimensions_are_no_matter_of_eigenvalues()
    {
        using Tensor h = Matrix(Spectrum("decay", 50, 25));
        Projection found = new SpectralProjector(cpu, 1).Top(h, 50);
        using Tensor rows = found.Rows!;
        AssertOrthonormal(rows, 50);
        Assert.Equal(0, found.Solves);
    }

    [Theory]
    [InlineData(1e-6)]
    [InlineData(1e6)]
    public void The_scale_of_the_matrix_does_not_matter(double scale)
    {
        double[] values = Array.ConvertAll(Spectrum("massive", 96, 60), v => v * scale);
        using Tensor h = Matrix(values), rows = new SpectralProjector(cpu, 1).Top(h, 60).Rows!;
        Assert.InRange(1 - Energy(h, rows) / values.Take(60).Sum(), -Tolerances.SameInF64, Tolerances.EnergyGap);
    }

    [Fact]
    public void The_same_seed_gives_the_same_bits_on_any_number_of_threads()
    {
        using Tensor h = Matrix(Spectrum("decay", 200, 140));
        double[] Bits(int threads, ulong seed)
        {
            using var backend = new CpuBackend(threads);
            using Tensor rows = new SpectralProjector(backend, seed).Top(h, 140).Rows!;
            return backend.Download<double>(rows);
        }

        double[] bits = Bits(1, 1);
        Assert.Equal(bits, Bits(3, 1));
        Assert.NotEqual(bits, Bits(1, 2));
    }

    [Fact]
    public void A_cluster_that_is_too_large_for_the_window_is_a_problem_that_is_told()
    {
        double[] values = [.. Enumerable.Range(0, 200).Select(i => i < 20 ? 10.0 : i < 180 ? 1 : 0.1)];
        using Tensor h = Matrix(values);
        Projection found = new SpectralProjector(cpu, 1).Top(h, 100);
        Assert.Null(found.Rows);
        Assert.NotEmpty(found.Problem!);
    }

    [Fact]
    public void An_indefinite_matrix_is_a_problem_that_is_told()
    {
        double[] values = [.. Enumerable.Range(0, 64).Select(i => i < 60 ? 1.0 + i : -100)];
        using Tensor h = Matrix(values);
        Projection found = new SpectralProjector(cpu, 1).Top(h, 30);
        Assert.Null(found.Rows);
        Assert.Contains("not positive definite", found.Problem!, StringComparison.Ordinal);
    }

    public void Dispose() => cpu.Dispose();

    /// <summary>Descending.</summary>
    private static double[] Spectrum(string name, int n, int k) =>
    [
        .. Enumerable.Range(0, n).Select(i => name switch
        {
            "decay" => Math.Exp(-6.0 * i / n),
            "square" => Math.Pow((double)(n - i) / n, 2), // of x x^T, x square and random
            "steep" => Math.Exp(-20.0 * i / n),
            "massive" => i < 2 ? 1e6 : Math.Exp(-3.0 * i / n),
            "cluster" => Math.Abs(i - k) <= 8 ? 1 : i < k ? 3 - (double)i / n : 0.5 - 0.4 * i / n,
            "deficient" => i < k / 2 ? n - i : 0,
            "just deficient" => i < k - 3 ? Math.Exp(-6.0 * i / n) : 0,
            "zero" => 0.0,
            _ => throw new ArgumentException($"no spectrum is called {name}", nameof(name)),
        }),
    ];

    private double Energy(Tensor h, Tensor rows)
    {
        using Tensor image = cpu.Alloc(DType.F64, rows.Shape), small = cpu.Alloc(DType.F64, new Shape(rows.Rows, rows.Rows));
        cpu.Gemm(image, rows, h);
        cpu.Gemm(small, image, rows, transposeB: true);
        return cpu.Download<double>(small.Diagonal()).Sum();
    }

    private void AssertOrthonormal(Tensor rows, int k)
    {
        Assert.Equal(k, rows.Rows);
        using Tensor product = cpu.Alloc(DType.F64, new Shape(k, k));
        cpu.Gemm(product, rows, rows, transposeB: true);
        double[] elements = cpu.Download<double>(product);
        Assert.All(Enumerable.Range(0, elements.Length), i => Assert.Equal(i / k == i % k ? 1 : 0, elements[i], Tolerances.SameInF64));
    }

    /// <summary>V^T diag(values) V</summary>
    private Tensor Matrix(double[] values)
    {
        using Tensor vectors = Vectors(values.Length), scaled = cpu.Alloc(DType.F64, vectors.Shape);
        cpu.Copy(scaled, vectors);
        for (int i = 0; i < values.Length; i++)
        {
            foreach (ref double v in scaled.Row<double>(i))
            {
                v *= values[i];
            }
        }

        Tensor h = cpu.Alloc(DType.F64, vectors.Shape);
        cpu.Gemm(h, scaled, vectors, transposeA: true);
        return h;
    }

    /// <summary>Orthonormal rows, the same every time.</summary>
    private Tensor Vectors(int n)
    {
        using Tensor random = cpu.Alloc(DType.F64, new Shape(n, n));
        Tensor vectors = cpu.Alloc(DType.F64, random.Shape);
        cpu.Uniform(random, 1, 99);
        cpu.Qr(vectors, random);
        return vectors;
    }
}
