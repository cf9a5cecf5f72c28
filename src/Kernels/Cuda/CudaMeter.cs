using NativeEngine.Kernels.Interop;

namespace NativeEngine.Kernels.Cuda;

/// <summary>Measures a GPU by events on the stream of its back-end.</summary>
internal sealed class CudaMeter : DeviceMeter
{
    private const long CopyBytes = 512 << 20, WorkspaceBytes = 32 << 20;
    private const int Algorithms = 8;

    private readonly Owned owned = new();
    private readonly CudaBackend backend;
    private readonly CudaStream stream;
    private readonly CudaEvent start, end;
    private readonly DeviceMemory evicted;

    public CudaMeter(CudaBackend backend)
    {
        this.backend = backend;
        stream = backend.Stream;
        try
        {
            (start, end) = (owned.Add(new CudaEvent(backend.Context, timing: true)), owned.Add(new CudaEvent(backend.Context, timing: true)));
            evicted = owned.Add(new DeviceMemory(backend.Context, 2L * backend.Context.CacheBytes));
        }
        catch
        {
            owned.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public override string Description => $"{backend.Name}, {CudaContext.Describe(backend.Context.Ordinal).Model}";

    /// <inheritdoc/>
    public override double Seconds(Action work)
    {
        start.Record(stream);
        work();
        end.Record(stream);
        end.Synchronize();
        return end.SecondsSince(start);
    }

    /// <inheritdoc/>
    public override double CopyBytesPerSecond()
    {
        long bytes = Math.Min(CopyBytes, backend.MemoryBytes / 16);
        using DeviceMemory from = new(backend.Context, bytes), to = new(backend.Context, bytes);
        stream.Fill(from.Handle, 0, bytes);
        return 2 * bytes / Median(() => stream.Copy(to.Handle, from.Handle, bytes), fromMemory: true);
    }

    /// <inheritdoc/>
    public override double PeakFlops(DType dtype, long m, long n, long k)
    {
        using Tensor a = backend.Alloc(dtype, new Shape(m, k)), b = backend.Alloc(dtype, new Shape(n, k)), c = backend.Alloc(dtype, new Shape(m, n));
        backend.Uniform(a, 1, 0); // a GPU multiplies zeros with less power, and then at a higher clock
        backend.Uniform(b, 1, 1UL << 40);

        // c^T = b a^T, column-major: the layout of a linear map, which is the best there is.
        using CuBlasLtHandle lt = new(backend.Context);
        using DeviceMemory workspace = new(backend.Context, WorkspaceBytes);
        using MatmulDescriptor product = new(lt, dtype, transposeA: true, transposeB: false);
        using MatrixLayout layoutA = Layout(lt, b, k, n), layoutB = Layout(lt, a, k, m), layoutC = Layout(lt, c, n, m);
        using MatmulPreference preference = new(lt, WorkspaceBytes, 256, 256, 256, 256);
        MatmulOperand result = new(c.Address, layoutC);
        double best = lt.Choices(product, layoutA, layoutB, layoutC, layoutC, preference, Algorithms)
            .Select(algorithm => Median(() => lt.Matmul(
                stream, product, result, new(b.Address, layoutA), new(a.Address, layoutB), result, 1, 0, algorithm, workspace), fromMemory: false))
            .DefaultIfEmpty(double.NaN).Min();
        return 2.0 * m * n * k / best;

        static MatrixLayout Layout(CuBlasLtHandle lt, Tensor t, long rows, long columns) => new(lt, new DeviceMatrix(t.Address, t.DType, t.RowStride), rows, columns);
    }

    /// <inheritdoc/>
    protected override void EvictCaches() => stream.Fill(evicted.Handle, 0, evicted.Bytes);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing) => owned.Dispose();
}
