using NativeEngine.Kernels.Interop;

namespace NativeEngine.Kernels.Cuda;

/// <summary>
/// The CUDA back-end: the ops of <see cref="Cpu.CpuBackend"/> as launches on one stream, one file per op family with the same suffixes.
/// Products and factorisations are NVIDIA's, everything else is in kernels.cu, whose declarations stand above each launch. An op returns before it is
/// done, unless it gives a value back. One thread at a time.
/// </summary>
public sealed partial class CudaBackend : IBackend
{
    private const int RowAlignment = 16; // bytes that kernels move at once, and that the best algorithms of cuBLASLt count on
    private const long MostReserved = 1L << 30; // for kernels, which are loaded when they are first launched, those of the libraries too, and for other processes

    private static readonly KernelPrototype FirstOutsideKernel = new("first_outside_forward(int* index, const int* x, int count, int low, int end)");
    private static readonly KernelPrototype FirstUnorderedKernel = new("first_unordered_forward(int* index, const int* x, int count)");

    private readonly Owned owned = new();
    private readonly CudaContext context;
    private readonly CudaStream stream;
    private readonly DevicePool pool;
    private readonly HostTransfer transfer;
    private readonly BulkTransfer bulk;
    private readonly Products products;
    private readonly CuSolverHandle solver;
    private readonly KernelSet kernels;
    private readonly Grids grids;
    private readonly int costOfF64;
    private readonly IndexRanges indices = new();

    /// <summary>Opens device <paramref name="ordinal"/> and its libraries.</summary>
    /// <exception cref="EngineException">NE8002: a library is missing; NE8003: the device or the driver cannot be used</exception>
    public CudaBackend(int ordinal = 0)
    {
        try
        {
            context = owned.Add(new CudaContext(ordinal));
            stream = owned.Add(new CudaStream(context));
            pool = owned.Add(new DevicePool(context, stream, Environment.GetEnvironmentVariable(DevicePool.GuardVariable) == "1"));
            transfer = owned.Add(new HostTransfer(context, stream));
            bulk = owned.Add(new BulkTransfer(context, stream));
            products = owned.Add(new Products(context, stream, pool));
            solver = owned.Add(new CuSolverHandle(stream));
            kernels = owned.Add(new KernelSet(context, stream, KernelCache.Default, KernelSet.Source));
            grids = new Grids(context);
            costOfF64 = context.CostOfF64;
            long free = context.Memory().Free;
            MemoryBytes = free - Math.Min(MostReserved, free / 4);
        }
        catch
        {
            owned.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public string Name => context.Name;

    /// <summary>The device's context.</summary>
    internal CudaContext Context => context;

    /// <summary>Where everything runs.</summary>
    internal CudaStream Stream => stream;

    /// <inheritdoc/>
    public bool IsHost => false;

    /// <inheritdoc/>
    public int LargestHead => 256;

    /// <inheritdoc/>
    public int BatchRows => 16 * 2048;

    /// <inheritdoc/>
    public long MemoryBytes { get; }

    /// <inheritdoc/>
    public long PeakBytes => pool.PeakBytes;

    /// <summary>Bytes that tensors own now.</summary>
    public long LiveBytes => pool.LiveBytes;

    /// <inheritdoc/>
    public void Synchronize() => stream.Synchronize();

    /// <inheritdoc/>
    public bool Supports(Op op, DType dtype) => op switch
    {
        Op.Upload or Op.Download or Op.Fill or Op.Drain or Op.Copy or Op.Zero or Op.KeepRows or Op.KeepColumns => true,
        Op.Gram or Op.Attention or Op.AttentionBackward => dtype is DType.F32 or DType.F16 or DType.BF16,
        Op.SymEig or Op.Qr or Op.CholeskySolve => dtype == DType.F64,
        Op.AdamW => dtype is DType.F32 or DType.F64,
        _ => dtype.IsFloat(),
    };

    /// <inheritdoc/>
    public Tensor Alloc(DType dtype, Shape shape)
    {
        // Integers have no gaps: masks are seen as vectors.
        int elements = shape.Rank > 1 && dtype.IsFloat() ? RowAlignment / dtype.Size() : 1;
        long stride = checked(Grids.Ceiling(shape.Columns, elements) * elements), bytes = checked(shape.Rows * stride * dtype.Size());
        return new Tensor(pool.Take(bytes), dtype, shape, stride, tensor =>
        {
            indices.Forget(tensor.Address, bytes);
            pool.Give(tensor.Address, bytes);
        });
    }

    /// <inheritdoc/>
    public void Trim() => pool.Trim();

    /// <summary>Gives everything back, also what tensors still own: they must not be used any more.</summary>
    public void Dispose() => owned.Dispose();

    private void Launch(DType dtype, KernelPrototype kernel, Grid grid, params ReadOnlySpan<Argument> arguments) =>
        kernels.Launch(new(dtype), kernel, grid.Blocks, grid.Threads, arguments);

    /// <summary>Every index lies in <paramref name="from"/> .. <paramref name="end"/> - 1; asks the device where that is not known.</summary>
    private void CheckRange(Op op, Tensor x, int from, long end)
    {
        if (!indices.Within(x, from, end) && FirstBad(x, FirstOutsideKernel, from, end) is { } i)
        {
            throw Check.Outside(op, x, i, this.Download<int>(x)[i], from, end);
        }
    }

    /// <summary>The indices ascend strictly in 0 .. <paramref name="end"/> - 1.</summary>
    private void CheckAscending(Op op, Tensor x, long end)
    {
        CheckRange(op, x, 0, end);
        if (!indices.Ascends(x) && FirstBad(x, FirstUnorderedKernel) is { } i)
        {
            int[] values = this.Download<int>(x);
            throw Check.NotAscending(op, x, i, values[i - 1], values[i]);
        }
    }

    private int? FirstBad(Tensor x, KernelPrototype kernel, params ReadOnlySpan<Argument> bounds)
    {
        using Tensor index = Alloc(DType.I32, new Shape(1));
        Launch(DType.F32, kernel, Grids.One, [index, x, x.Shape.Count, .. bounds]);
        int first = this.Download<int>(index)[0];
        return first < x.Shape.Count ? first : null;
    }
}
