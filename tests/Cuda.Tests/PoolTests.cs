using NativeEngine.Kernels;
using NativeEngine.Kernels.Cuda;
using NativeEngine.Kernels.Interop;

namespace NativeEngine.Cuda.Tests;

/// <summary>The pool of device memory: what is reused, what is counted, what the guard bytes catch.</summary>
[Collection(DeviceCollection.Name)]
public sealed class PoolTests
{
    [SkippableFact]
    public void A_block_returns_for_the_next_of_about_its_size()
    {
        Device.Open();
        using var context = new CudaContext(0);
        using var stream = new CudaStream(context);
        using var pool = new DevicePool(context, stream, guarded: false);
        nint first = pool.Take(1000), second = pool.Take(1000);
        Assert.NotEqual(first, second);
        Assert.Equal(0, first % 256);
        pool.Give(first, 1000);
        Assert.Equal(first, pool.Take(1010));
        Assert.Equal((2048, 2048), (pool.LiveBytes, pool.PeakBytes));
        pool.Give(second, 1000);
        Assert.Equal((1024, 2048), (pool.LiveBytes, pool.PeakBytes));
    }

    [Theory]
    [InlineData(0, 256)]
    [InlineData(1, 256)]
    [InlineData(257, 512)]
    [InlineData(100_000, 106_496)]
    [InlineData(1 << 20, 1 << 20)]
    public void Sizes_are_rounded_to_sixteenths_of_a_power_of_two(long bytes, long block) => Assert.Equal(block, DevicePool.BlockBytes(bytes));

    [SkippableFact]
    public void Free_blocks_go_back_before_memory_runs_out()
    {
        CudaBackend device = Device.Open();
        using var context = new CudaContext(0);
        using var stream = new CudaStream(context);
        using var pool = new DevicePool(context, stream, guarded: false);
        long most = context.Memory().Free / 16 * 9;
        pool.Give(pool.Take(most), most);
        long other = most / 8 * 7; // of another size class, and there is no room for both
        pool.Give(pool.Take(other), other);
        CudaException error = Assert.Throws<CudaException>(() => pool.Take(4 * most));
        Assert.Equal((ExitCode.OutOfMemory, device.Name), (error.Exit, error.Device));
    }

    [SkippableTheory]
    [InlineData("cuModuleLoadData")]
    [InlineData("cuLaunchKernel")]
    public void Free_blocks_go_back_where_a_kernel_finds_no_memory(string call)
    {
        Device.Open();
        Skip.IfNot(Device.IsDouble, "a GPU does not fail on demand");
        Device.Close();
        using CudaBackend backend = new();
        using Tensor x = backend.Alloc(DType.F32, new Shape(1)), y = backend.Alloc(DType.F32, new Shape(1));
        backend.Alloc(DType.F32, new Shape(1 << 20)).Dispose();
        long free = backend.Context.Memory().Free;
        using IDisposable fault = Device.Configured("CUDASIM_FAIL", $"{call}@1=2,{call}@2=2", afterwards: "");
        Assert.Equal("NE7002", Assert.Throws<CudaException>(() => backend.Zero(x)).Code); // twice is once too often
        Assert.InRange(backend.Context.Memory().Free, free + (4 << 20), long.MaxValue);

        backend.Alloc(DType.F32, new Shape(1 << 20)).Dispose();
        Device.Configure("CUDASIM_FAIL", $"{call}@1=2");
        backend.Zero(y);
        Assert.Equal([0], backend.Download<float>(y));
    }

    [SkippableTheory]
    [InlineData(-4, "in front of")]
    [InlineData(1000, "behind")]
    public void Guard_bytes_tell_what_was_written_outside(int offset, string where)
    {
        Device.Open();
        using var context = new CudaContext(0);
        using var stream = new CudaStream(context);
        using var pool = new DevicePool(context, stream, guarded: true);
        nint block = pool.Take(1000);
        stream.Fill(block, 0, 1000);
        pool.Give(block, 1000);

        block = pool.Take(1000);
        stream.Fill(block + offset, 0, 4);
        Assert.Contains($"{where} a block of 1000 bytes", Assert.Throws<InvalidOperationException>(() => pool.Give(block, 1000)).Message, StringComparison.Ordinal);
    }

    [SkippableFact]
    public void Fresh_memory_is_nan_under_guard_and_rows_are_aligned()
    {
        CudaBackend device = Device.Open();
        using Tensor x = device.Alloc(DType.F32, new Shape(3, 5)), mask = device.Alloc(DType.I32, new Shape(3, 5));
        Assert.Equal((8, 5), (x.RowStride, mask.RowStride));
        Assert.All(device.Download<float>(x), v => Assert.True(float.IsNaN(v)));
    }
}
