using NativeEngine.Kernels;
using NativeEngine.Kernels.Cpu;
using NativeEngine.Kernels.Cuda;

namespace NativeEngine.Cuda.Tests;

/// <summary>Products and factorisations beside those of the CPU.</summary>
[Collection(DeviceCollection.Name)]
public sealed class ProductTests : IDisposable
{
    private readonly CpuBackend cpu = new(1);
    private readonly Random random = new(3);

    public static TheoryData<DType, DType, bool, bool> Products
    {
        get
        {
            var all = new TheoryData<DType, DType, bool, bool>();
            foreach ((DType c, DType b) in new[] { (DType.F32, DType.F32), (DType.F64, DType.F64), (DType.F32, DType.BF16) })
            {
                foreach ((bool ta, bool tb) in new[] { (false, false), (false, true), (true, false), (true, true) })
                {
                    all.Add(c, b, ta, tb);
                }
            }

            return all;
        }
    }

    [SkippableTheory]
    [MemberData(nameof(Products))]
    public void Gemm_agrees_with_the_cpu(DType c, DType b, bool transposeA, bool transposeB)
    {
        CudaBackend device = Device.Open();
        foreach ((long m, long n, long k, double beta) in new[] { (1L, 5L, 7L, 0.0), (5, 1, 3, 1), (33, 17, 40, -0.5), (64, 64, 64, 0) })
        {
            Tensor x = Random(c, transposeA ? k : m, transposeA ? m : k), y = Random(b, transposeB ? n : k, transposeB ? k : n), result = Random(c, m, n);
            using Tensor ofDevice = Put(device, result);
            device.Gemm(ofDevice, Put(device, x), Put(device, y), transposeA, transposeB, 1.5, beta);
            cpu.Gemm(result, x, y, transposeA, transposeB, 1.5, beta);
            Close(result, device, ofDevice, c == DType.F64 ? Tolerances.Factorisation : Tolerances.Product);
        }
    }

    [SkippableTheory]
    [InlineData(DType.BF16, DType.BF16, DType.BF16)]
    [InlineData(DType.F16, DType.F16, DType.F16)]
    [InlineData(DType.F32, DType.BF16, DType.BF16)]
    [InlineData(DType.F32, DType.F16, DType.F16)]
    [InlineData(DType.F32, DType.F32, DType.F16)]
    [InlineData(DType.F32, DType.BF16, DType.F32)]
    [InlineData(DType.BF16, DType.F32, DType.BF16)]
    [InlineData(DType.F16, DType.F16, DType.F32)]
    public void Types_of_16_bits_multiply_and_mix_with_F32(DType c, DType a, DType b)
    {
        CudaBackend device = Device.Open();
        foreach ((bool transposeA, bool transposeB) in new[] { (false, true), (true, false) })
        {
            Tensor x = Random(a, transposeA ? 40 : 33, transposeA ? 33 : 40), y = Random(b, transposeB ? 17 : 40, transposeB ? 40 : 17), z = Random(c, 33, 17);
            using Tensor ofDevice = Put(device, z);
            device.Gemm(ofDevice, Put(device, x), Put(device, y), transposeA, transposeB, 1.5, -0.5);
            Tensor exact = Wide(z);
            cpu.Gemm(exact, Wide(x), Wide(y), transposeA, transposeB, 1.5, -0.5);
            Close(exact, device, ofDevice, c == DType.F32 ? Tolerances.Product : Tolerances.Verb(c));
        }
    }

    [SkippableTheory]
    [InlineData(DType.BF16)]
    [InlineData(DType.F16)]
    public void Gram_of_a_16_bit_signal_loses_nothing_but_F32_sums(DType dtype)
    {
        CudaBackend device = Device.Open();
        Tensor x = Random(dtype, 4500, 24), wide = Wide(x), h = cpu.Alloc(DType.F64, new Shape(24, 24));
        cpu.Gemm(h, wide, wide, transposeA: true);
        using Tensor ofDevice = device.Alloc(DType.F64, h.Shape), signal = Put(device, x);
        device.Zero(ofDevice);
        device.Gram(ofDevice, signal);
        Close(h, device, ofDevice, Tolerances.Product);
    }

    [SkippableTheory]
    [InlineData(DType.F32, DType.F32, 0)]
    [InlineData(DType.F32, DType.BF16, 0)]
    [InlineData(DType.BF16, DType.BF16, 0)]
    [InlineData(DType.F16, DType.F16, 0)]
    [InlineData(DType.F32, DType.F32, 1)] // not aligned: a kernel adds it
    [InlineData(DType.F64, DType.F64, 0)] // and in F64
    public void A_bias_is_added_to_every_row_and_rounded_with_the_product(DType c, DType factors, int offset)
    {
        CudaBackend device = Device.Open();
        Tensor x = Random(factors, 33, 40), weight = Random(factors, 17, 40), z = Random(c, 33, 17), biases = Random(c, 2, 17 + offset);
        using Tensor onDevice = Put(device, biases);
        Tensor wide = Wide(biases);
        for (int i = 0; i < 2; i++)
        {
            using Tensor ofDevice = Put(device, z);
            Tensor exact = Wide(z);
            device.Gemm(
                ofDevice, Put(device, x), Put(device, weight), transposeB: true, alpha: 1.5, beta: -0.5, bias: onDevice.RowRange(i, 1).ColumnRange(offset, 17));
            cpu.Gemm(exact, Wide(x), Wide(weight), transposeB: true, alpha: 1.5, beta: -0.5, bias: wide.RowRange(i, 1).ColumnRange(offset, 17));
            Close(exact, device, ofDevice, c.Size() == sizeof(ushort) ? Tolerances.Verb(c) / 2 : Tolerances.Product);
        }
    }

    [SkippableTheory]
    [InlineData("1", 2 * 4 + 1)] // two algorithms, each of them warmed up and run three times
    [InlineData(null, 1)]
    public void Big_products_choose_their_algorithm_by_time_where_that_was_asked_for(string? asked, int productsOnTheDouble)
    {
        Device.Open();
        Device.Close();
        const int Side = 800; // 1.02 GFLOP
        string trace = Path.GetTempFileName();
        using var variable = new Variable(AlgorithmTimer.Variable, asked);
        using IDisposable traced = Device.Configured("CUDASIM_TRACE", trace, afterwards: "");
        using var device = new CudaBackend();
        Tensor x = Random(DType.F32, Side, Side), weight = Random(DType.F32, Side, Side), y = Random(DType.F32, Side, Side), bias = Random(DType.F32, 1, Side);
        using Tensor ofDevice = Put(device, y);
        device.Gemm(ofDevice, Put(device, x), Put(device, weight), transposeB: true, beta: -0.5, bias: Put(device, bias));
        cpu.Gemm(y, x, weight, transposeB: true, beta: -0.5, bias: bias);
        Close(y, device, ofDevice, Tolerances.Product);
        if (Device.IsDouble)
        {
            Assert.Equal(productsOnTheDouble, File.ReadLines(trace).Count(line => line.StartsWith("product 800x800x800", StringComparison.Ordinal)));
        }

        File.Delete(trace);
    }

    [SkippableFact]
    public void F64_does_not_mix()
    {
        CudaBackend device = Device.Open();
        using Tensor wide = device.Alloc(DType.F64, new Shape(2, 2)), narrow = device.Alloc(DType.BF16, new Shape(2, 2));
        Assert.Throws<ArgumentException>(() => device.Gemm(wide, wide, narrow));
        Assert.Throws<ArgumentException>(() => device.Gemm(wide, narrow, narrow));
    }

    [SkippableFact]
    public void A_batch_is_many_products_and_beta_zero_reads_nothing()
    {
        CudaBackend device = Device.Open();
        Tensor a = Random(DType.F32, new Shape(3, 4, 5)), b = Random(DType.F32, new Shape(3, 6, 5)), c = cpu.Alloc(DType.F32, new Shape(3, 4, 6));
        using Tensor ofDevice = device.Alloc(DType.F32, c.Shape); // the guarded pool fills it with NaN
        device.Gemm(ofDevice, Put(device, a), Put(device, b), transposeB: true);
        cpu.Gemm(c, a, b, transposeB: true);
        Close(c, device, ofDevice, Tolerances.Product);
    }

    [SkippableFact]
    public void A_stored_weight_is_widened_in_parts()
    {
        CudaBackend device = Device.Open();
        Tensor a = Random(DType.F32, 1, 4_200_000), b = Random(DType.BF16, 9, 4_200_000), c = cpu.Alloc(DType.F32, new Shape(1, 9)), bias = Random(DType.F32, 1, 9);
        using Tensor ofDevice = device.Alloc(DType.F32, c.Shape);
        device.Gemm(ofDevice, Put(device, a), Put(device, b), transposeB: true, bias: Put(device, bias));
        cpu.Gemm(c, a, b, transposeB: true, bias: bias);
        Close(c, device, ofDevice, 100 * Tolerances.Product); // sums of four million
    }

    [SkippableTheory]
    [InlineData("90")]
    [InlineData("86")] // F64 is slow there, so that products are summed in F32
    public void Gram_is_symmetric_and_adds_up_over_blocks(string computeCapability)
    {
        Device.Open();
        Device.Close();
        using var capability = Device.Configured("CUDASIM_CC", computeCapability, afterwards: "90");
        using var device = new CudaBackend();
        Tensor x = Random(DType.F32, 4500, 37), h = cpu.Alloc(DType.F64, new Shape(37, 37));
        cpu.Zero(h);
        using Tensor ofDevice = Put(device, h), signal = Put(device, x);
        device.Gram(ofDevice, signal);
        device.Gram(ofDevice, signal);
        cpu.Gram(h, x);
        cpu.Gram(h, x);
        Close(h, device, ofDevice, Tolerances.Product);
        double[] values = device.Download<double>(ofDevice);
        Assert.All(Enumerable.Range(0, 37 * 37), i => Assert.Equal(values[i], values[i % 37 * 37 + i / 37]));
    }

    [SkippableTheory]
    [InlineData(1)]
    [InlineData(6)]
    [InlineData(33)]
    public void SymEig_reads_the_lower_triangle_and_leaves_vectors_as_rows(int n)
    {
        CudaBackend device = Device.Open();
        Tensor root = Random(DType.F64, n, n), a = cpu.Alloc(DType.F64, root.Shape);
        cpu.Gemm(a, root, root, transposeB: true);
        double[] symmetric = cpu.Download<double>(a), lower = [.. symmetric.Select((v, i) => i % n > i / n ? double.NaN : v)];
        using Tensor values = device.Alloc(DType.F64, new Shape(n)), matrix = device.Upload<double>(a.Shape, lower), vectors = device.Alloc(DType.F64, a.Shape);
        device.SymEig(values, vectors, matrix);

        double[] l = device.Download<double>(values), v = device.Download<double>(vectors);
        Assert.Equal(l.Order(), l);
        for (int i = 0; i < n; i++)
        {
            for (int j = 0; j < n; j++)
            {
                double product = Enumerable.Range(0, n).Sum(k => v[i * n + k] * symmetric[k * n + j]);
                Assert.InRange(Math.Abs(product - l[i] * v[i * n + j]), 0, Tolerances.Factorisation * l[^1]);
            }
        }

        using Tensor inPlace = device.Upload<double>(a.Shape, lower);
        device.SymEig(values, inPlace, inPlace);
        Assert.Equal(v, device.Download<double>(inPlace));
    }

    [SkippableFact]
    public void SymEig_refuses_what_is_not_finite()
    {
        CudaBackend device = Device.Open();
        using Tensor values = device.Alloc(DType.F64, new Shape(2)), a = device.Upload<double>(new Shape(2, 2), [1, 0, double.NaN, 1]);
        Assert.Equal(ExitCode.Numerical, Assert.Throws<EngineException>(() => device.SymEig(values, a, a)).Exit);
    }

    [SkippableTheory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(40)]
    public void Qr_has_the_signs_of_the_cpu(int n)
    {
        CudaBackend device = Device.Open();
        Tensor a = Random(DType.F64, n, n), q = cpu.Alloc(DType.F64, a.Shape);
        using Tensor ofDevice = device.Alloc(DType.F64, a.Shape), copy = Put(device, a);
        device.Qr(ofDevice, copy);
        cpu.Qr(q, a);
        Close(q, device, ofDevice, Tolerances.Factorisation);
    }

    [SkippableTheory]
    [InlineData(1, 1)]
    [InlineData(7, 3)]
    [InlineData(40, 65)]
    public void CholeskySolve_divides_rows_as_the_cpu_does(int n, int rows)
    {
        CudaBackend device = Device.Open();
        Tensor x = Random(DType.F64, n, n), a = cpu.Alloc(DType.F64, x.Shape), b = Random(DType.F64, rows, n);
        cpu.Gemm(a, x, x, transposeB: true);
        cpu.Add(a.Diagonal(), cpu.Upload<double>(new Shape(n, 1), [.. Enumerable.Repeat(1.0, n)]));
        using Tensor aOnDevice = Put(device, a), bOnDevice = Put(device, b);
        device.CholeskySolve(bOnDevice, aOnDevice);
        cpu.CholeskySolve(b, a);
        Close(b, device, bOnDevice, Tolerances.Factorisation);
    }

    [SkippableFact]
    public void CholeskySolve_refuses_an_indefinite_matrix()
    {
        CudaBackend device = Device.Open();
        using Tensor a = device.Upload<double>(new Shape(2, 2), [1, 2, 2, 1]), b = device.Upload<double>(new Shape(1, 2), [1, 1]);
        Assert.Equal("NE10104", Assert.Throws<EngineException>(() => device.CholeskySolve(b, a)).Code);
    }

    public void Dispose() => cpu.Dispose();

    private Tensor Random(DType dtype, long rows, long columns) => Random(dtype, new Shape(rows, columns));

    private Tensor Random(DType dtype, Shape shape)
    {
        Tensor x = cpu.Alloc(dtype, shape);
        cpu.Copy(x, cpu.Upload<double>(shape, [.. Enumerable.Range(0, (int)shape.Count).Select(_ => random.NextDouble() - 0.5)]));
        return x;
    }

    private Tensor Wide(Tensor x)
    {
        Tensor wide = cpu.Alloc(DType.F64, x.Shape);
        cpu.Copy(wide, x);
        return wide;
    }

    private Tensor Put(CudaBackend device, Tensor host)
    {
        var bytes = new byte[host.Shape.Count * host.DType.Size()];
        cpu.Download<byte>(bytes, host);
        Tensor x = device.Alloc(host.DType, host.Shape);
        device.Upload<byte>(x, bytes);
        return x;
    }

    private void Close(Tensor expected, CudaBackend device, Tensor actual, double tolerance)
    {
        using Tensor wide = cpu.Alloc(DType.F64, expected.Shape), wideOnDevice = device.Alloc(DType.F64, actual.Shape);
        cpu.Copy(wide, expected);
        device.Copy(wideOnDevice, actual);
        double[] e = cpu.Download<double>(wide), a = device.Download<double>(wideOnDevice);
        double scale = Math.Max(1, e.Max(Math.Abs));
        Assert.All(e.Zip(a), pair => Assert.InRange(Math.Abs(pair.First - pair.Second), 0, tolerance * scale));
    }
}
