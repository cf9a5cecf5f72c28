using NativeEngine.Kernels.Cpu;

namespace NativeEngine.Kernels.Tests;

public sealed class GemmTests
{
    public static TheoryData<DType, int> Kernels
    {
        get
        {
            var data = new TheoryData<DType, int>();
            foreach (Isa isa in Enum.GetValues<Isa>())
            {
                data.Add(DType.F32, (int)isa);
                data.Add(DType.F64, (int)isa);
            }

            return data;
        }
    }

    private static double Tolerance(DType dtype, long k) => (dtype == DType.F32 ? 1e-7 : 2e-16) * (k + 4);

    [Theory]
    [MemberData(nameof(Kernels))]
    public void Odd_sizes_and_all_transposes_match_the_definition(DType dtype, int isa)
    {
        using var cpu = new CpuBackend(2) { Isa = (Isa)isa };
        (long M, long N, long K)[] sizes =
        [
            (1, 1, 1), (1, 33, 7), (2, 5, 64), (7, 31, 33), (8, 257, 31), (9, 16, 5), (13, 32, 3), (14, 48, 100), (15, 17, 257), (31, 1, 19), (33, 65, 1),
            (64, 64, 32), (65, 66, 67), (100, 31, 401), (257, 33, 7), (7, 100, 1000), (120, 140, 130),
        ];
        foreach ((long m, long n, long k) in sizes)
        {
            for (int transposes = 0; transposes < 4; transposes++)
            {
                bool ta = (transposes & 1) != 0, tb = (transposes & 2) != 0;
                using Tensor a = GemmReference.Random(cpu, dtype, ta ? k : m, ta ? m : k, 1);
                using Tensor b = GemmReference.Random(cpu, dtype, tb ? n : k, tb ? k : n, 2);
                using Tensor c = cpu.Alloc(dtype, new Shape(m, n));
                cpu.Gemm(c, a, b, ta, tb);
                GemmReference.AssertClose(
                    GemmReference.Product(a, b, ta, tb, 1, 0, c), c, Tolerance(dtype, k), $"{(Isa)isa} ({m}, {n}, {k}) {ta} {tb}");
            }
        }
    }

    [Theory]
    [MemberData(nameof(Kernels))]
    public void Alpha_beta_and_strided_views(DType dtype, int isa)
    {
        using var cpu = new CpuBackend(1) { Isa = (Isa)isa };
        foreach (long m in new long[] { 1, 5, 40 })
        {
            for (int transposes = 0; transposes < 4; transposes++)
            {
                bool ta = (transposes & 1) != 0, tb = (transposes & 2) != 0;
                const long N = 37, K = 29;
                Tensor a = GemmReference.Random(cpu, dtype, ta ? K : m, ta ? m : K, 3, gap: 3);
                Tensor b = GemmReference.Random(cpu, dtype, tb ? N : K, tb ? K : N, 4, gap: 1);
                Tensor c = GemmReference.Random(cpu, dtype, m, N, 5, gap: 2);
                double[,] expected = GemmReference.Product(a, b, ta, tb, -1.5, 0.25, c);
                cpu.Gemm(c, a, b, ta, tb, -1.5, 0.25);
                GemmReference.AssertClose(expected, c, Tolerance(dtype, K), $"{(Isa)isa} {m} {ta} {tb}");
                for (long i = 0; i < m; i++)
                {
                    Assert.True(double.IsNaN(GemmReference.At(c, i, N)), "the gap between the rows of c was written");
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(Kernels))]
    public void Beta_zero_does_not_read_c(DType dtype, int isa)
    {
        using var cpu = new CpuBackend(1) { Isa = (Isa)isa };
        foreach ((long m, long n, long k) in new (long, long, long)[] { (1, 9, 8), (20, 33, 500), (3, 3, 0) })
        {
            using Tensor a = GemmReference.Random(cpu, dtype, m, k, 6);
            using Tensor b = GemmReference.Random(cpu, dtype, n, k, 7);
            using Tensor c = cpu.Alloc(dtype, new Shape(m, n));
            for (long i = 0; i < m * n; i++)
            {
                GemmReference.Set(c, 0, i, double.NaN);
            }

            cpu.Gemm(c, a, b, transposeB: true);
            GemmReference.AssertClose(GemmReference.Product(a, b, false, true, 1, 0, c), c, Tolerance(dtype, k), $"({m}, {n}, {k})");
        }
    }

    [Theory]
    [InlineData(DType.F32)]
    [InlineData(DType.F64)]
    public void Bits_do_not_depend_on_the_number_of_threads(DType dtype)
    {
        (long Batch, long M, long N, long K)[] sizes = [(1, 257, 301, 1000), (1, 1, 2000, 513), (1, 2, 300, 200), (1, 8, 700, 300), (1, 30, 2500, 40), (3, 90, 90, 90), (9, 33, 65, 129)];
        foreach ((long batch, long m, long n, long k) in sizes)
        {
            byte[]? first = null;
            foreach (int threads in new[] { 1, 2, 3, 8 })
            {
                using var cpu = new CpuBackend(threads);
                using Tensor a = GemmReference.Random(cpu, dtype, batch * m, k, 8);
                using Tensor b = GemmReference.Random(cpu, dtype, batch * n, k, 9);
                using Tensor c = cpu.Alloc(dtype, new Shape(batch, m, n));
                cpu.Gemm(c, a.Reshape(new Shape(batch, m, k)), b.Reshape(new Shape(batch, n, k)), transposeB: true);
                using Tensor d = cpu.Alloc(dtype, new Shape(batch, m, n));
                cpu.Gemm(d, a.Reshape(new Shape(batch, m, k)), b.Reshape(new Shape(batch, k, n)));
                byte[] bits = [.. Bits(c), .. Bits(d)];
                first ??= bits;
                Assert.True(bits.AsSpan().SequenceEqual(first), $"({batch}, {m}, {n}, {k}) with {threads} threads");
            }
        }
    }

    [Theory]
    [InlineData(DType.F32)]
    [InlineData(DType.F64)]
    public void A_bias_is_added_to_every_row_of_a_batch(DType dtype)
    {
        using var cpu = new CpuBackend(2);
        const int Batch = 3, M = 5, N = 33, K = 7;
        using Tensor a = GemmReference.Random(cpu, dtype, Batch * M, K, 21), b = GemmReference.Random(cpu, dtype, Batch * N, K, 22);
        using Tensor bias = GemmReference.Random(cpu, dtype, 1, N, 23), c = cpu.Alloc(dtype, new Shape(Batch, M, N)), expected = cpu.Alloc(dtype, c.Shape);
        (Tensor left, Tensor right) = (a.Reshape(new Shape(Batch, M, K)), b.Reshape(new Shape(Batch, N, K)));
        cpu.Gemm(c, left, right, transposeB: true, bias: bias);
        cpu.Gemm(expected, left, right, transposeB: true);
        cpu.AddBias(expected, bias);
        Assert.Equal(Bits(expected), Bits(c));
    }

    [Theory]
    [InlineData((int)Isa.Vector128)]
    [InlineData((int)Isa.Vector256)]
    [InlineData((int)Isa.Vector512)]
    public void Stored_bf16_weights_give_the_bits_of_widened_ones(int isa)
    {
        foreach (int threads in new[] { 1, 3 })
        {
            using var cpu = new CpuBackend(threads) { Isa = (Isa)isa };
            (long N, long K)[] sizes = [(1, 1), (33, 7), (64, 256), (301, 405), (700, 96)];
            foreach ((long n, long k) in sizes)
            {
                foreach (long m in new long[] { 1, 2, 8, 9, 100 })
                {
                    for (int options = 0; options < 8; options++)
                    {
                        bool ta = (options & 1) != 0, tb = (options & 2) != 0;
                        long gap = (options & 4) != 0 ? 3 : 0;
                        using Tensor a = GemmReference.Random(cpu, DType.F32, ta ? k : m, ta ? m : k, 12);
                        (Tensor stored, Tensor widened) = GemmReference.RandomStored(cpu, tb ? n : k, tb ? k : n, 13, gap);
                        using Tensor x = GemmReference.Random(cpu, DType.F32, m, n, 14), y = GemmReference.Random(cpu, DType.F32, m, n, 14);
                        cpu.Gemm(x, a, stored, ta, tb, -1.5, 0.25);
                        cpu.Gemm(y, a, widened, ta, tb, -1.5, 0.25);
                        Assert.True(Bits(x).AsSpan().SequenceEqual(Bits(y)), $"{(Isa)isa} ({m}, {n}, {k}) {ta} {tb} gap {gap}, {threads} threads");
                    }
                }
            }
        }
    }

    [Fact]
    public void A_batch_of_stored_weights_gives_the_bits_of_widened_ones()
    {
        using var cpu = new CpuBackend(2);
        const long M = 5, N = 20, K = 48;
        foreach (long batch in new long[] { 3, 9 })
        {
            using Tensor a = GemmReference.Random(cpu, DType.F32, batch * M, K, 15);
            (Tensor stored, Tensor widened) = GemmReference.RandomStored(cpu, batch * N, K, 16);
            using Tensor x = cpu.Alloc(DType.F32, new Shape(batch, M, N)), y = cpu.Alloc(DType.F32, new Shape(batch, M, N));
            cpu.Gemm(x, a.Reshape(new Shape(batch, M, K)), stored.Reshape(new Shape(batch, N, K)), transposeB: true);
            cpu.Gemm(y, a.Reshape(new Shape(batch, M, K)), widened.Reshape(new Shape(batch, N, K)), transposeB: true);
            Assert.True(Bits(x).AsSpan().SequenceEqual(Bits(y)), $"batch of {batch}");
        }
    }

    [Fact]
    public void A_batch_is_its_products_one_by_one()
    {
        using var cpu = new CpuBackend(2);
        const long Batch = 5, M = 12, N = 20, K = 16;
        using Tensor a = GemmReference.Random(cpu, DType.F32, Batch * K, M, 10);
        using Tensor b = GemmReference.Random(cpu, DType.F32, Batch * K, N, 11);
        using Tensor c = cpu.Alloc(DType.F32, new Shape(Batch, M, N));
        using Tensor one = cpu.Alloc(DType.F32, new Shape(M, N));
        cpu.Gemm(c, a.Reshape(new Shape(Batch, K, M)), b.Reshape(new Shape(Batch, K, N)), transposeA: true);
        for (long i = 0; i < Batch; i++)
        {
            cpu.Gemm(one, a.RowRange(i * K, K), b.RowRange(i * K, K), transposeA: true);
            Assert.True(one.AsSpan<float>().SequenceEqual(c.AsSpan<float>().Slice((int)(i * M * N), (int)(M * N))));
        }
    }

    [Fact]
    public void Wrong_shapes_and_types_are_refused()
    {
        using var cpu = new CpuBackend(1);
        using Tensor a = cpu.Alloc(DType.F32, new Shape(3, 4));
        using Tensor b = cpu.Alloc(DType.F32, new Shape(4, 5));
        using Tensor c = cpu.Alloc(DType.F32, new Shape(3, 5));
        using Tensor wide = cpu.Alloc(DType.F64, new Shape(3, 5));
        Assert.Throws<ArgumentException>(() => cpu.Gemm(c, a, b, transposeB: true));
        Assert.Throws<ArgumentException>(() => cpu.Gemm(c, b, a));
        Assert.Throws<ArgumentException>(() => cpu.Gemm(wide, a, b));
        using Tensor storedA = cpu.Alloc(DType.BF16, new Shape(3, 4));
        using Tensor storedB = cpu.Alloc(DType.BF16, new Shape(4, 5));
        using Tensor wideA = cpu.Alloc(DType.F64, new Shape(3, 4));
        Assert.Throws<ArgumentException>(() => cpu.Gemm(c, storedA, b));
        Assert.Throws<ArgumentException>(() => cpu.Gemm(c, storedA, storedB));
        Assert.Throws<ArgumentException>(() => cpu.Gemm(wide, wideA, storedB));
        Assert.Throws<ArgumentException>(() => cpu.Gemm(c.Reshape(new Shape(1, 3, 5)), a, b));
    }

    private static unsafe byte[] Bits(Tensor x) => new Span<byte>((void*)x.Address, (int)x.Bytes).ToArray();
}
