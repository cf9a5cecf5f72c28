using NativeEngine.Kernels.Cpu;

namespace NativeEngine.Kernels.Tests;

/// <summary>Upload and Download: gaps between rows are passed over, every type goes through, wrong sizes are refused.</summary>
public sealed class OpTransferTests : IDisposable
{
    private readonly CpuBackend backend = new(1);

    [Fact]
    public void Values_come_back_and_gaps_stay()
    {
        using Tensor owner = backend.Upload<float>(new Shape(3, 7), Numbers(21));
        Tensor view = owner.ColumnRange(1, 5);
        backend.Upload<float>(view, [.. Numbers(15).Select(v => -v)]);

        Assert.Equal(Numbers(15).Select(v => -v), backend.Download<float>(view));
        Assert.Equal([1, -1, -2, -3, -4, -5, 7, 8, -6], backend.Download<float>(owner)[..9]);
    }

    [Fact]
    public void Bytes_are_the_elements_of_any_type()
    {
        using Tensor x = backend.Alloc(DType.BF16, new Shape(2, 3));
        byte[] bytes = [.. Enumerable.Range(1, 12).Select(i => (byte)i)];
        backend.Upload<byte>(x, bytes);

        var back = new byte[12];
        backend.Download<byte>(back, x);
        Assert.Equal(bytes, back);
        Assert.Equal([0x0201, 0x0403, 0x0605, 0x0807, 0x0A09, 0x0C0B], backend.Download<ushort>(x));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    public async Task Parts_cover_all_bytes_once_and_gaps_stay(int gap)
    {
        using Tensor owner = backend.Upload<float>(new Shape(3, 5 + gap), new float[3 * (5 + gap)]);
        Tensor view = owner.ColumnRange(0, 5);
        byte[] bytes = [.. Enumerable.Range(0, 60).Select(i => (byte)(i + 1))], back = new byte[60];
        backend.Fill(view, (part, from) => bytes.AsSpan((int)from, part.Length).CopyTo(part));
        await backend.Drain(view, (part, from) => part.CopyTo(back.AsSpan((int)from)));

        Assert.Equal(bytes, back);
        Assert.Equal(new float[3 * gap], backend.Download<float>(owner.ColumnRange(5, gap)));
    }

    [Fact]
    public void A_diagonal_is_a_column()
    {
        using Tensor square = backend.Upload<double>(new Shape(3, 3), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
        backend.Upload<double>(square.Diagonal(), [10, 50, 90]);

        Assert.Equal([10, 2, 3, 4, 50, 6, 7, 8, 90], backend.Download<double>(square));
        Assert.Equal([10, 50, 90], backend.Download<double>(square.Diagonal()));
        Assert.Throws<InvalidOperationException>(() => square.RowRange(0, 2).Diagonal());
    }

    [Fact]
    public void Wrong_sizes_are_refused()
    {
        using Tensor x = backend.Alloc(DType.F32, new Shape(2, 3));
        ArgumentException number = Assert.Throws<ArgumentException>(() => backend.Upload<float>(x, new float[5]));
        ArgumentException type = Assert.Throws<ArgumentException>(() => backend.Download(new double[6].AsSpan(), x));
        Assert.Equal("Upload: there must be one value per element, not 5 of 4 bytes; found F32(2, 3)", number.Message);
        Assert.Equal("Download: Double is not the size of an element; found F32(2, 3)", type.Message);
    }

    public void Dispose() => backend.Dispose();

    private static float[] Numbers(int count) => [.. Enumerable.Range(1, count).Select(i => (float)i)];
}
