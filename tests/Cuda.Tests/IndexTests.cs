using NativeEngine.Kernels;
using NativeEngine.Kernels.Cuda;

namespace NativeEngine.Cuda.Tests;

/// <summary>Indices outside are refused with the words of the CPU, whether they are known from their upload or asked from the device.</summary>
[Collection(DeviceCollection.Name)]
public sealed class IndexTests
{
    [SkippableTheory]
    [InlineData(false)]
    [InlineData(true)]
    public void An_id_outside_the_table_is_named(bool moved)
    {
        CudaBackend device = Device.Open();
        using Tensor table = device.Upload<float>(new Shape(9, 2), new float[18]), y = device.Alloc(DType.F32, new Shape(3, 2));
        using Tensor ids = Indices(device, moved, 1, 8, 9);
        ArgumentException error = Assert.Throws<ArgumentException>(() => device.Embed(y, table, ids));
        Assert.Equal("Embed: element 2 of I32(3) is 9, outside 0..8", error.Message);
        device.Embed(y.RowRange(0, 2), table, ids.ColumnRange(0, 2)); // nothing of this part is outside
        Assert.All(device.Download<float>(y.RowRange(0, 2)), v => Assert.Equal(0, v));
    }

    [SkippableTheory]
    [InlineData(false)]
    [InlineData(true)]
    public void Kept_rows_that_do_not_ascend_are_refused(bool moved)
    {
        CudaBackend device = Device.Open();
        using Tensor x = device.Upload<float>(new Shape(4, 1), [1, 2, 3, 4]);
        using Tensor twice = Indices(device, moved, 0, 2, 2), kept = Indices(device, moved, 0, 2, 3);
        Assert.Equal("KeepRows: element 2 of I32(3) is 2, not above 2 before it", Assert.Throws<ArgumentException>(() => device.KeepRows(x, twice)).Message);
        device.KeepRows(x, kept);
        Assert.Equal([1, 3, 4], device.Download<float>(x.RowRange(0, 3)));
    }

    [SkippableFact]
    public void What_was_known_is_forgotten_when_it_is_overwritten()
    {
        CudaBackend device = Device.Open();
        using Tensor table = device.Upload<float>(new Shape(2, 1), [5, 6]), y = device.Alloc(DType.F32, new Shape(2, 1));
        using Tensor ids = Indices(device, moved: false, 0, 1), others = Indices(device, moved: false, 0, 7);
        device.Copy(ids.ColumnRange(1, 1), others.ColumnRange(1, 1));
        Assert.Throws<ArgumentException>(() => device.Embed(y, table, ids));
    }

    [Fact]
    public void What_holds_for_all_indices_holds_for_a_part()
    {
        IndexRanges ranges = new();
        Tensor all = new(0x1000, DType.I32, new Shape(6), 6), beside = new(0x1000 + 3 * sizeof(int), DType.I32, new Shape(6), 6);
        ranges.Note<int>(all, [1, 2, 4, 5, 6, 8]);
        Tensor part = all.ColumnRange(2, 3);
        Assert.True(ranges.Within(part, 1, 9) && ranges.Ascends(part));
        Assert.False(ranges.Within(part, 1, 8)); // the last of all is outside: the device has to be asked
        Assert.False(ranges.Within(beside, 1, 9));
        ranges.Forget(all.Address, sizeof(int));
        Assert.False(ranges.Within(part, 1, 9) || ranges.Ascends(part));
    }

    /// <summary>Indices as they were uploaded, or copied on the device, which then is all that knows them.</summary>
    private static Tensor Indices(CudaBackend device, bool moved, params int[] values)
    {
        Tensor uploaded = device.Upload<int>(new Shape(values.Length), values);
        if (!moved)
        {
            return uploaded;
        }

        Tensor copy = device.Alloc(DType.I32, uploaded.Shape);
        device.Copy(copy, uploaded);
        uploaded.Dispose();
        return copy;
    }
}
