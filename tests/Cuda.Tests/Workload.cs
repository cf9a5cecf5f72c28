using NativeEngine.Kernels;
using NativeEngine.Kernels.Cuda;
using NativeEngine.Kernels.Interop;

namespace NativeEngine.Cuda.Tests;

/// <summary>Everything that the engine asks of the CUDA libraries, once, with the same sizes every time: from opening a device to giving it back.</summary>
internal static class Workload
{
    private const string Source = "extern \"C\" __global__ void scale(float* x, float factor) { x[threadIdx.x] *= factor; }\n";

    /// <summary>Runs all of it and compares what it calculates.</summary>
    public static void Run()
    {
        Assert.Equal(1, CudaContext.Count());
        Assert.NotEmpty(CudaContext.Describe(0).Model);
        (byte[] cubin, byte[] ptx) = Compile();
        using CudaContext context = new(0);
        context.Synchronize();
        using (CudaBackend backend = new())
        {
            Ops(backend);
        }

        using CudaStream stream = new(context);
        Streams(context, stream);
        Kernels(context, stream, cubin, ptx);
        Libraries(context, stream);
        Assert.InRange(context.Memory().Free, 1, context.Memory().Total);
    }

    /// <summary>The back-end's own way: transfers with and without gaps, kernels, products by cuBLASLt, factorisations.</summary>
    private static void Ops(CudaBackend backend)
    {
        using Tensor owner = backend.Alloc(DType.F32, new Shape(4, 6)), x = backend.Upload<float>(new Shape(4, 4), [.. Enumerable.Range(0, 16).Select(i => (float)i)]);
        Tensor gaps = owner.ColumnRange(1, 4);
        backend.Upload<float>(gaps, backend.Download<float>(x));
        Assert.Equal(backend.Download<float>(x), backend.Download<float>(gaps));

        using Tensor product = backend.Alloc(DType.F32, x.Shape);
        backend.Gemm(product, x, gaps);
        Assert.Equal([56, 62, 68, 74], backend.Download<float>(product)[..4]);
        backend.Gemm(product, x, gaps, bias: x.RowRange(0, 1)); // of 16 bytes
        Assert.Equal([56, 63, 70, 77], backend.Download<float>(product)[..4]);

        using Tensor a = backend.Upload<double>(new Shape(2, 2), [2, 0, 0, 1]), values = backend.Alloc(DType.F64, new Shape(2)), q = backend.Alloc(DType.F64, a.Shape);
        backend.Qr(q, a);
        Assert.Equal(1, Math.Abs(backend.Download<double>(q)[0]), 12);
        backend.Upload<double>(a, [2, 0, 0, 1]);
        backend.Upload<double>(q, [2, 3, 4, 5]);
        backend.CholeskySolve(q, a);
        Assert.Equal([1, 3, 2, 5], backend.Download<double>(q).Select(v => Math.Round(v, 12)));
        backend.Upload<double>(a, [2, 0, 0, 1]);
        backend.SymEig(values, a, a);
        Assert.Equal([1, 2], backend.Download<double>(values).Select(v => Math.Round(v, 12)));
        backend.Upload<double>(a, [3, 0, 0, 1]);
        backend.SymEigBatched(values, a, a);
        Assert.Equal([1, 3], backend.Download<double>(values).Select(v => Math.Round(v, 12)));
    }

    private static (byte[] Cubin, byte[] Ptx) Compile()
    {
        Assert.Contains(90, KernelCompiler.Architectures());
        using KernelCompiler machine = new(Source, "scale.cu"), assembly = new(Source, "scale.cu");
        machine.Compile("--gpu-architecture=sm_90");
        assembly.Compile("--gpu-architecture=compute_90");
        return (machine.Cubin(), assembly.Ptx());
    }

    private static void Streams(CudaContext context, CudaStream stream)
    {
        using CudaStream other = new(context);
        using CudaEvent start = new(context, timing: true), end = new(context, timing: true);
        using DeviceMemory memory = new(context, 4096), copy = new(context, 4096);
        using PinnedMemory host = new(context, 4096);
        start.Record(stream);
        stream.Fill(memory.Handle, 7, 4096);
        stream.Copy(copy.Handle, memory.Handle, 4096);
        end.Record(stream);
        other.Wait(end);
        other.Download(host.Handle, copy.Handle, 4096);
        other.Synchronize();
        end.Synchronize();
        Assert.True(end.IsReached);
        Assert.True(other.IsIdle);
        Assert.InRange(end.SecondsSince(start), 0, 60);
    }

    private static unsafe void Kernels(CudaContext context, CudaStream stream, byte[] cubin, byte[] ptx)
    {
        using CudaModule machine = new(context, cubin, "cubin"), assembly = new(context, ptx, "ptx");
        using DeviceMemory memory = new(context, 128);
        CudaKernel scale = machine.Kernel("scale");
        Assert.InRange(scale.MaxThreads, 1, 1024);
        scale.MaxDynamicSharedBytes = 64 << 10;
        Assert.InRange(scale.BlocksPerMultiprocessor(32, 0), 1, 64);
        (nint address, float factor) = (memory.Handle, 2);
        void** arguments = stackalloc void*[] { &address, &factor };
        stream.Fill(memory.Handle, 0, 128);
        scale.Launch(stream, new(1), new(32), 0, arguments);
        stream.Synchronize();
    }

    /// <summary>What the back-end turns to where cuBLASLt has no algorithm.</summary>
    private static void Libraries(CudaContext context, CudaStream stream)
    {
        using DeviceMemory workspace = new(context, 1 << 20), numbers = new(context, 4096);
        using CuBlasHandle blas = new(stream, workspace);
        stream.Fill(numbers.Handle, 0, 4096);
        DeviceMatrix a = new(numbers.Handle, DType.F64, 2), b = new(numbers.Handle + 1024, DType.F64, 2), c = new(numbers.Handle + 2048, DType.F64, 2);
        blas.Gemm(c, a, b, false, false, 2, 2, 2, 1, 0);
        blas.Syrk(c, a, transpose: false, 2, 2, 1, 0);
        stream.Synchronize();
    }
}
