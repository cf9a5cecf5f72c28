using NativeEngine.Kernels.Interop;

namespace NativeEngine.Kernels.Cuda;

/// <summary>One of the modules that kernels.cu makes: all kernels but attention for one type, or attention for one type and head size.</summary>
/// <param name="DType">what it calls real</param>
/// <param name="HeadDim">head size of attention; 0 for the other kernels</param>
internal readonly record struct KernelModule(DType DType, int HeadDim = 0)
{
    private const int TensorCoreStep = 16, LargestWholeHead = 128; // the sums of larger heads are cut in two
    private const int LargestTile = 64;

    /// <summary>Attention of 16-bit types runs on tensor cores for the head sizes that they divide.</summary>
    public bool UsesTensorCores => DType.Size() == sizeof(ushort) && HeadDim > 0 && HeadDim % (TensorCoreStep * HeadParts) == 0;

    /// <summary>Threads of a block of attention.</summary>
    public int AttentionThreads => UsesTensorCores ? Grids.MaxThreads / 2 : Grids.MaxThreads;

    /// <summary>Rows of a block of attention.</summary>
    public int AttentionTile => UsesTensorCores ? LargestTile / HeadParts : LargestTile;

    private int HeadParts => HeadDim > LargestWholeHead ? 2 : 1;

    /// <summary>What the compiler is told besides the architecture.</summary>
    public IEnumerable<string> Options()
    {
        string real = DType switch
        {
            DType.F64 => "double",
            DType.F32 => "float",
            DType.F16 => "half",
            DType.BF16 => "bf16",
            _ => throw new ArgumentException($"no kernel computes in {DType}"),
        };
        string[] common = ["--std=c++17", "--device-as-default-execution-space", $"-DREAL={real}"];
        string[] attention = HeadDim == 0 ? [] : [FormattableString.Invariant($"-DHEAD_DIM={HeadDim}")];
        return [.. common, .. attention, .. UsesTensorCores ? ["-DTENSOR_CORES"] : Array.Empty<string>()];
    }

    /// <inheritdoc/>
    public override string ToString() => HeadDim == 0 ? $"kernels for {DType}" : $"attention for {DType}, heads of {HeadDim}";
}

/// <summary>The kernels of kernels.cu on one device: a module is compiled by NVRTC when it is first used, and kept on disk.</summary>
internal sealed unsafe class KernelSet(CudaContext context, CudaStream stream, KernelCache cache, string source) : IDisposable
{
    private const int MostParameters = 32;

    private readonly Dictionary<KernelModule, CudaModule> modules = [];
    private readonly Dictionary<(KernelModule, KernelPrototype), CudaKernel> kernels = [];

    /// <summary>kernels.cu</summary>
    public static string Source { get; } = ReadSource();

    /// <summary>Puts a launch on the stream.</summary>
    /// <param name="module">where the kernel is</param>
    /// <param name="prototype">the kernel</param>
    /// <param name="grid">blocks; none is no launch</param>
    /// <param name="threads">of a block</param>
    /// <param name="arguments">one for each parameter</param>
    /// <exception cref="CudaException">NE8004: kernels.cu does not compile</exception>
    public void Launch(KernelModule module, KernelPrototype prototype, Extents grid, int threads, params ReadOnlySpan<Argument> arguments)
    {
        ulong* values = stackalloc ulong[MostParameters];
        void** addresses = stackalloc void*[MostParameters];
        bool fits = arguments.Length == prototype.Parameters.Count;
        for (int i = 0; fits && i < arguments.Length; i++)
        {
            fits = arguments[i].TryEncode(prototype.Parameters[i], module.DType == DType.F64, out values[i]);
            addresses[i] = values + i;
        }

        if (!fits)
        {
            throw new ArgumentException($"{prototype} is launched with ({string.Join(", ", arguments.ToArray())})");
        }

        if (grid is { X: > 0, Y: > 0, Z: > 0 })
        {
            Kernel(module, prototype).Launch(stream, grid, new((uint)threads), 0, addresses);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (CudaModule module in modules.Values)
        {
            module.Dispose();
        }
    }

    private CudaKernel Kernel(KernelModule module, KernelPrototype prototype)
    {
        if (!kernels.TryGetValue((module, prototype), out CudaKernel? kernel))
        {
            if (!modules.TryGetValue(module, out CudaModule? loaded))
            {
                loaded = modules[module] = new CudaModule(context, Code(module), $"{module}");
            }

            kernel = kernels[(module, prototype)] = loaded.Kernel(prototype.Name);
        }

        return kernel;
    }

    /// <summary>Machine code for this device, or assembly where the device is newer than the compiler: the driver goes on from there.</summary>
    private byte[] Code(KernelModule module)
    {
        int device = context.ComputeCapability.Major * 10 + context.ComputeCapability.Minor;
        int newest = KernelCompiler.Architectures().Where(a => a <= device).DefaultIfEmpty().Max();
        bool isKnown = newest == device;
        string[] options = [FormattableString.Invariant($"--gpu-architecture={(isKnown ? "sm" : "compute")}_{newest}"), .. module.Options()];
        return cache.Get(source, options, KernelCompiler.Identity, () =>
        {
            using var compiler = new KernelCompiler(source, "kernels.cu");
            compiler.Compile(options);
            return isKnown ? compiler.Cubin() : compiler.Ptx();
        });
    }

    private static string ReadSource()
    {
        using var reader = new StreamReader(typeof(KernelSet).Assembly.GetManifestResourceStream("kernels.cu")!);
        return reader.ReadToEnd();
    }
}
