using NativeEngine.Kernels;
using NativeEngine.Kernels.Cpu;
using NativeEngine.Slice;
using Xunit.Abstractions;

namespace NativeEngine.Tests;

/// <summary>The spectral projector beside the eigendecomposition, on spectra that models have and on those that break solvers.</summary>
public sealed class SpectralProjectorTests(ITestOutputHelper output) : IDisposable
{
    private readonly CpuBackend cpu = new(2);

    public static TheoryData<string, int, int> Spectra
    {
        get
        {
            var data = new TheoryData<string, int, int>();
            foreach (string name in (Environment.GetEnvironmentVariable("EP") ?? "decay,massive4,massive6,flat,cluster20,gapless,deficient,deficient2,steep,wishart").Split(','))
            {
                data.Add(name, 64, 40);
                data.Add(name, 256, 176);
                data.Add(name, 512, 384);
                data.Add(name, 512, 100);
            }
            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Spectra))]
    public void Scratch(string name, int n, int k)
    {
        double[] values = Values(name, n, k);
        using Tensor h = Matrix(values);
        double[] sorted = [.. values.OrderDescending()];
        double best = sorted.Take(k).Sum();
        var projector = new SpectralProjector(cpu, 1);
        for (int run = 0; run < 2; run++)
        {
            long start = System.Diagnostics.Stopwatch.GetTimestamp();
            Projection p = projector.Top(h, k);
            double t = System.Diagnostics.Stopwatch.GetElapsedTime(start).TotalMilliseconds;
            double gap = double.NaN;
            if (p.Rows is not null)
            {
                using Tensor product = cpu.Alloc(DType.F64, p.Rows.Shape), energy = cpu.Alloc(DType.F64, new Shape(k, k));
                cpu.Gemm(product, p.Rows, h);
                cpu.Gemm(energy, product, p.Rows, transposeB: true);
                gap = 1 - cpu.Download<double>(energy.Diagonal()).Sum() / best;
            }

            output.WriteLine($"{name} {n} {k}: gap {gap:e2} bound {p.EnergyGap:e2} solves {p.Solves} {t:f0} ms {p.Problem}");
            Console.WriteLine($"{name} {n} {k}: gap {gap:e2} bound {p.EnergyGap:e2} solves {p.Solves} {t:f0} ms {p.Problem}");
            p.Rows?.Dispose();
        }
    }

    public void Dispose() => cpu.Dispose();

    private static double[] Values(string name, int n, int k) => name switch
    {
        "decay" => [.. Enumerable.Range(0, n).Select(i => Math.Exp(-6.0 * i / n))],
        "massive4" => [.. Enumerable.Range(0, n).Select(i => i < 2 ? 1e4 : Math.Exp(-3.0 * i / n))],
        "massive6" => [.. Enumerable.Range(0, n).Select(i => i < 2 ? 1e6 : Math.Exp(-3.0 * i / n))],
        "flat" => [.. Enumerable.Range(0, n).Select(i => 1 + 1e-3 * i / n)],
        "cluster20" => [.. Enumerable.Range(0, n).Select(i => Math.Abs(i - k) <= 10 ? 1.0 : i < k ? 2 + (double)i / n : 0.5 * i / n)],
        "gapless" => [.. Enumerable.Range(0, n).Select(i => i < k - 100 ? 10.0 : i > k + 100 ? 0.1 : 1.0)],
        "deficient" => [.. Enumerable.Range(0, n).Select(i => i < k / 2 ? 1.0 + i : 0)],
        "deficient2" => [.. Enumerable.Range(0, n).Select(i => i < k - 3 ? Math.Exp(-6.0 * i / n) : 0)],
        "steep" => [.. Enumerable.Range(0, n).Select(i => Math.Exp(-20.0 * i / n))],
        "wishart" => [.. Enumerable.Range(0, n).Select(i => Math.Pow((double)(n - i) / n, 2))],
        _ => throw new ArgumentException(name),
    };

    /// <summary>U^T diag(values) U, U random.</summary>
    private Tensor Matrix(double[] values)
    {
        int n = values.Length;
        using Tensor random = cpu.Alloc(DType.F64, new Shape(n, n)), u = cpu.Alloc(DType.F64, new Shape(n, n)), scaled = cpu.Alloc(DType.F64, new Shape(n, n));
        cpu.Uniform(random, 1, 99);
        cpu.Qr(u, random);
        cpu.Copy(scaled, u);
        for (int i = 0; i < n; i++)
        {
            foreach (ref double x in scaled.Row<double>(i))
            {
                x *= values[i];
            }
        }

        Tensor h = cpu.Alloc(DType.F64, new Shape(n, n));
        cpu.Gemm(h, scaled, u, transposeA: true);
        return h;
    }
}
