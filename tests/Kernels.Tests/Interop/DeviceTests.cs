using NativeEngine.Kernels.Interop;

namespace NativeEngine.Kernels.Tests.Interop;

/// <summary>Memory, streams, events and kernels of a device.</summary>
[Collection(GpuCollection.Name)]
public sealed class DeviceTests
{
    private const string Source =
        """
        extern "C" __global__ void scale(float* x, float factor, int n) {
            const int i = blockIdx.x * blockDim.x + threadIdx.x;
            if (i < n) x[i] *= factor;
        }
        extern "C" __global__ void reversed(float* y, const float* x) {
            extern __shared__ float tile[];
            tile[threadIdx.x] = x[blockIdx.x * blockDim.x + threadIdx.x];
            __syncthreads();
            y[blockIdx.x * blockDim.x + threadIdx.x] = tile[blockDim.x - 1 - threadIdx.x];
        }
        """;

    [SkippableFact]
    public void A_device_says_what_it_is()
    {
        using Gpu gpu = new();
        (string model, Version capability, long bytes) = CudaContext.Describe(0);
        (long free, long total) = gpu.Context.Memory();
        Assert.NotEmpty(model);
        Assert.Equal(capability, gpu.Context.ComputeCapability);
        Assert.InRange(free, 1, total);
        Assert.InRange(total, 1, bytes);
        Assert.Equal("cuda:0", gpu.Context.Name);
        Assert.InRange(gpu.Context.Multiprocessors, 1, 1000);
        Assert.InRange(gpu.Context.ThreadsPerMultiprocessor, 512, 4096);
        Assert.InRange(gpu.Context.CacheBytes, 1 << 16, 1 << 30);
    }

    [SkippableFact]
    public void A_device_that_is_not_there_is_refused()
    {
        using Gpu gpu = new();
        CudaException error = Assert.Throws<CudaException>(() => new CudaContext(CudaContext.Count()));
        Assert.Equal(("NE8003", "cuDeviceGet", "CUDA_ERROR_INVALID_DEVICE"), (error.Code, error.Call, error.StatusName));
    }

    [SkippableFact]
    public void Bytes_come_back_as_they_went()
    {
        using Gpu gpu = new();
        float[] values = [.. Enumerable.Range(0, 1000).Select(i => i / 7f)];
        nint x = gpu.Upload(values);
        nint y = gpu.Alloc<float>(1000);
        gpu.Stream.Copy(y, x, 4000);
        gpu.Stream.Fill(x, 0xFF, 400);
        Assert.Equal(values, gpu.Download<float>(y, 1000));
        Assert.Equal([.. Enumerable.Repeat(float.NaN, 100), .. values[100..]], gpu.Download<float>(x, 1000));
    }

    [SkippableFact]
    public void Rows_are_copied_by_their_pitch()
    {
        using Gpu gpu = new();
        nint x = gpu.Upload<int>(1, 2, 3, 4, 5, 6, 7, 8);
        nint y = gpu.Upload(new int[9]);
        gpu.Stream.CopyRows(new(y, 12, OnDevice: true), new(x + 4, 16, OnDevice: true), 8, 2);
        Assert.Equal([2, 3, 0, 6, 7, 0, 0, 0, 0], gpu.Download<int>(y, 9));

        using PinnedMemory host = new(gpu.Context, 24);
        gpu.Stream.CopyRows(new(host.Handle, 12, OnDevice: false), new(x, 16, OnDevice: true), 12, 2);
        gpu.Stream.CopyRows(new(y, 12, OnDevice: true), new(host.Handle, 8, OnDevice: false), 8, 3);
        Assert.Equal([1, 2, 0, 3, 5, 0, 6, 7, 0], gpu.Download<int>(y, 9));
    }

    [SkippableFact]
    public void Kernels_compile_load_and_run()
    {
        using Gpu gpu = new();
        using CudaModule module = Compile(gpu);
        nint x = gpu.Upload<float>(1, 2, 3, 4, 5, 6);
        nint y = gpu.Alloc<float>(6);
        Scale(module.Kernel("scale"), gpu.Stream, x, 10, 5);
        Reverse(module.Kernel("reversed"), gpu.Stream, y, x);
        Assert.Equal([30, 20, 10, 6, 50, 40], gpu.Download<float>(y, 6));
    }

    [SkippableFact]
    public void A_kernel_says_what_it_needs()
    {
        using Gpu gpu = new();
        using CudaModule module = Compile(gpu);
        CudaKernel kernel = module.Kernel("reversed");
        Assert.InRange(kernel.Registers, 1, 255);
        Assert.Equal((0, 0), (kernel.LocalBytes, kernel.StaticSharedBytes));
        Assert.InRange(kernel.MaxThreads, 256, 1024);
    }

    [SkippableFact]
    public void A_kernel_that_is_not_there_is_named()
    {
        using Gpu gpu = new();
        using CudaModule module = Compile(gpu);
        CudaException error = Assert.Throws<CudaException>(() => module.Kernel("absent"));
        Assert.Equal(("NE1001", "cuModuleGetFunction", "kernel absent", "cuda:0"), (error.Code, error.Call, error.Facts, error.Device));
    }

    [SkippableFact]
    public void Streams_wait_for_events_and_events_take_the_time()
    {
        using Gpu gpu = new();
        using CudaModule module = Compile(gpu);
        using CudaStream other = new(gpu.Context);
        using CudaEvent start = new(gpu.Context, timing: true), end = new(gpu.Context, timing: true), ready = new(gpu.Context);
        nint x = gpu.Upload<float>(1, 2, 3, 4, 5, 6);
        start.Record(gpu.Stream);
        Scale(module.Kernel("scale"), gpu.Stream, x, 10, 6);
        end.Record(gpu.Stream);
        ready.Record(gpu.Stream);
        other.Wait(ready);
        Scale(module.Kernel("scale"), other, x, 2, 6);
        other.Synchronize();
        end.Synchronize();
        Assert.InRange(end.SecondsSince(start), 0, 60);
        Assert.Equal([20, 40, 60, 80, 100, 120], gpu.Download<float>(x, 6));
    }

    [SkippableFact]
    public void Too_much_memory_names_what_is_needed_and_what_is_free()
    {
        using Gpu gpu = new();
        CudaException error = Assert.Throws<CudaException>(() => new DeviceMemory(gpu.Context, 1L << 50));
        Assert.Equal(("NE7002", "cuMemAlloc_v2", "cuda:0"), (error.Code, error.Call, error.Device));
        Assert.Matches("^1,125,899,906,842,624 bytes needed, [0-9,]+ of [0-9,]+ bytes free on the device$", error.Facts);
        nint x = gpu.Upload<int>(1, 2);
        Assert.Equal([1, 2], gpu.Download<int>(x, 2));
    }

    [SkippableFact]
    public void Memory_outlives_the_context_that_was_disposed()
    {
        Skip.If(CudaProbe.Run().Devices.Count == 0, CudaProbe.Run().Problem);
        CudaContext context = new(0);
        using CudaStream stream = new(context);
        using PinnedMemory host = new(context, 8);
        using DeviceMemory memory = new(context, 8);
        context.Dispose();
        stream.Upload(memory.Handle, host.Handle, 8);
        stream.Synchronize();
    }

    [SkippableFact]
    public void Any_thread_may_call()
    {
        using Gpu gpu = new();
        nint x = gpu.Upload<int>(7);
        int[] values = new int[8];
        Thread[] threads = [.. Enumerable.Range(0, values.Length).Select(i => new Thread(() => values[i] = gpu.Download<int>(x, 1)[0]))];
        Array.ForEach(threads, thread => thread.Start());
        Array.ForEach(threads, thread => thread.Join());
        Assert.All(values, value => Assert.Equal(7, value));
    }

    private static CudaModule Compile(Gpu gpu)
    {
        Version capability = gpu.Context.ComputeCapability;
        using KernelCompiler compiler = new(Source, "device_tests.cu");
        compiler.Compile($"--gpu-architecture=sm_{capability.Major}{capability.Minor}", "--std=c++17");
        return new CudaModule(gpu.Context, compiler.Cubin(), "device_tests");
    }

    private static unsafe void Scale(CudaKernel kernel, CudaStream stream, nint x, float factor, int n)
    {
        void** arguments = stackalloc void*[] { &x, &factor, &n };
        kernel.Launch(stream, new(2), new(4), 0, arguments);
    }

    private static unsafe void Reverse(CudaKernel kernel, CudaStream stream, nint y, nint x)
    {
        void** arguments = stackalloc void*[] { &y, &x };
        kernel.Launch(stream, new(2), new(3), 3 * sizeof(float), arguments);
    }
}
