using NativeEngine.Kernels;
using NativeEngine.Kernels.Cuda;
using NativeEngine.Kernels.Interop;

namespace NativeEngine.Cuda.Tests;

/// <summary>Modules are compiled when they are first used, kept, and refused with the compiler's words.</summary>
[Collection(DeviceCollection.Name)]
public sealed class KernelSetTests : IDisposable
{
    private static readonly KernelPrototype Fill = new("fill(real* y, int n, acc value)");
    private readonly string folder = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());

    private const string Source = """
        typedef REAL real, acc;
        extern "C" __global__ void __launch_bounds__(256) fill(real* y, int n, acc value) {
            const int i = blockIdx.x * blockDim.x + threadIdx.x;
            if (i < n)
                y[i] = value;
        }
        """;

    [SkippableFact]
    public void A_module_is_compiled_for_its_type_and_found_again()
    {
        Device.Open();
        using var context = new CudaContext(0);
        using var stream = new CudaStream(context);
        using var memory = new DeviceMemory(context, 4096);
        using var transfer = new HostTransfer(context, stream);
        Tensor narrow = new(memory.Handle, DType.F32, new Shape(300), 300), wide = new(memory.Handle, DType.F64, new Shape(300), 300);
        for (int run = 0; run < 2; run++)
        {
            using var kernels = new KernelSet(context, stream, new KernelCache(folder), Source);
            kernels.Launch(new(DType.F32), Fill, new(2), 256, narrow, 300, 0.1);
            var floats = new float[300];
            transfer.Download<float>(floats, narrow);
            Assert.All(floats, v => Assert.Equal(0.1f, v));
            kernels.Launch(new(DType.F64), Fill, new(2), 256, wide, 300, 0.1);
            var doubles = new double[300];
            transfer.Download<double>(doubles, wide);
            Assert.All(doubles, v => Assert.Equal(0.1, v));
            Assert.Equal(2, Directory.GetFiles(folder).Length);
        }
    }

    [SkippableFact]
    public void What_does_not_compile_is_shown_with_its_line()
    {
        Device.Open();
        using var context = new CudaContext(0);
        using var stream = new CudaStream(context);
        using var kernels = new KernelSet(context, stream, new KernelCache(folder), Source.Replace("i < n", "i < m", StringComparison.Ordinal));
        CudaException error = Assert.Throws<CudaException>(() => kernels.Launch(new(DType.F32), Fill, new(1), 256, default(Tensor), 1, 0.0));
        Assert.Equal(("NE8004", ExitCode.Environment), (error.Code, error.Exit));
        Assert.Contains("kernels.cu(4): error: ", error.Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(folder));
    }

    [SkippableFact]
    public void A_launch_with_other_arguments_is_a_defect()
    {
        Device.Open();
        using var context = new CudaContext(0);
        using var stream = new CudaStream(context);
        using var kernels = new KernelSet(context, stream, new KernelCache(folder), Source);
        ArgumentException error = Assert.Throws<ArgumentException>(() => kernels.Launch(new(DType.F32), Fill, new(1), 256, default(Tensor), 1.0, 1));
        Assert.Equal("fill(real* y, int n, acc value) is launched with (Pointer, Double, Int)", error.Message);
    }

    [Fact]
    public void There_are_no_kernels_for_integers() => Assert.Throws<ArgumentException>(() => new KernelModule(DType.I32).Options().ToList());

    public void Dispose()
    {
        if (Directory.Exists(folder))
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
