using NativeEngine.Kernels;
using NativeEngine.Kernels.Cpu;
using NativeEngine.Kernels.Cuda;

namespace NativeEngine.Cuda.Tests;

/// <summary>Transfers and conversions: the bits of the CPU.</summary>
[Collection(DeviceCollection.Name)]
public sealed class CopyTests
{
    public static TheoryData<DType, DType> Conversions
    {
        get
        {
            DType[] floats = [DType.F64, DType.F32, DType.F16, DType.BF16], integers = [DType.I32, DType.I64];
            var pairs = new TheoryData<DType, DType>();
            foreach (DType[] group in (DType[][])[floats, integers])
            {
                foreach ((DType from, DType to) in group.SelectMany(from => group.Select(to => (from, to))))
                {
                    pairs.Add(from, to);
                }
            }

            return pairs;
        }
    }

    [SkippableTheory]
    [MemberData(nameof(Conversions))]
    public void Converts_to_the_bits_of_the_cpu(DType from, DType to)
    {
        const int Rows = 7, Columns = 37, Gap = 2;
        CudaBackend device = Device.Open();
        using var cpu = new CpuBackend(1);
        using Tensor source = cpu.Alloc(from, new Shape(Rows, Columns + Gap)), expected = cpu.Alloc(to, new Shape(Rows, Columns));
        Fill(cpu, source);
        cpu.Copy(expected, source.ColumnRange(1, Columns));

        using Tensor x = device.Alloc(from, source.Shape), y = device.Alloc(to, expected.Shape);
        device.Upload<byte>(x, Bytes(cpu, source));
        device.Copy(y, x.ColumnRange(1, Columns));
        Assert.Equal(Bytes(cpu, expected), Bytes(device, y));
    }

    [SkippableFact]
    public void Transfers_pass_over_gaps_in_blocks_of_any_size()
    {
        CudaBackend device = Device.Open();
        using Tensor owner = device.Alloc(DType.F32, new Shape(3, 1_500_000));
        device.Zero(owner);
        Tensor view = owner.ColumnRange(1, 1_400_001); // rows that are longer than a pinned block
        float[] values = [.. Enumerable.Range(0, 3 * 1_400_001).Select(i => (float)i)];
        device.Upload<float>(view, values);

        Assert.Equal(values, device.Download<float>(view));
        Assert.Equal(0, device.Download<float>(owner.ColumnRange(0, 1)).Sum());
        Assert.Equal([1, 2, 3], device.Download<float>(Upload(device, new Shape(3, 3), 1, 0, 0, 0, 2, 0, 0, 0, 3).Diagonal()));
    }

    [SkippableFact]
    public void A_source_may_be_overwritten_when_upload_returns()
    {
        CudaBackend device = Device.Open();
        using Tensor x = device.Alloc(DType.I32, new Shape(5_000_000));
        int[] values = [.. Enumerable.Range(0, 5_000_000)], expected = [.. values];
        device.Upload<int>(x, values);
        Array.Clear(values);
        Assert.Equal(expected, device.Download<int>(x));
    }

    [SkippableFact]
    public void All_finite_finds_one_element_in_a_strided_matrix()
    {
        CudaBackend device = Device.Open();
        foreach (float odd in (float[])[float.NaN, float.NegativeInfinity])
        {
            float[] values = new float[60];
            values[50] = odd;
            using Tensor x = device.Upload<float>(new Shape(6, 10), values);
            Assert.False(device.AllFinite(x));
            Assert.True(device.AllFinite(x.ColumnRange(1, 9)));
        }
    }

    private static Tensor Upload(CudaBackend device, Shape shape, params float[] values) => device.Upload<float>(shape, values);

    private static byte[] Bytes(IBackend backend, Tensor t)
    {
        var bytes = new byte[t.Shape.Count * t.DType.Size()];
        backend.Download<byte>(bytes, t);
        return bytes;
    }

    /// <summary>Numbers of every size, ties between neighbours among them; integers beyond 32 bits.</summary>
    private static void Fill(CpuBackend cpu, Tensor t)
    {
        int n = (int)t.Shape.Count;
        if (!t.DType.IsFloat())
        {
            using Tensor integers = cpu.Upload<long>(t.Shape, [.. Enumerable.Range(0, n).Select(i => (i % 3) switch { 0 => -i * 1000L, 1 => long.MaxValue - i, _ => long.MinValue + i })]);
            cpu.Copy(t, integers);
            return;
        }

        double[] special =
        [
            0, -0.0, double.PositiveInfinity, 65519.999, 65520, 3.3961775292304957e38, 1e300, 1e-300,
            1 + Math.Pow(2, -24), 1 + Math.Pow(2, -11), 1 + Math.Pow(2, -8) + Math.Pow(2, -40),
        ];
        var random = new Random(5);
        double[] values = [.. special, .. Enumerable.Range(special.Length, n - special.Length).Select(_ => (random.NextDouble() - 0.5) * Math.Pow(2, random.Next(-60, 60)))];
        using Tensor wide = cpu.Upload<double>(t.Shape, values);
        cpu.Copy(t, wide);
    }
}
