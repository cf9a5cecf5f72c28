using System.Collections.Concurrent;
using System.Runtime.InteropServices;

namespace NativeEngine.Kernels.Cpu;

/// <summary>
/// The CPU back-end: production code and the reference for every other device. One file per op family.
/// Memory comes from a pool of 64-byte aligned blocks, because fresh pages cost more than most ops that use them.
/// </summary>
public sealed partial class CpuBackend : IBackend
{
    private const nuint Alignment = 64;
    private readonly ConcurrentDictionary<long, ConcurrentBag<nint>> pool = [];
    private readonly Team team;
    private long bytesInUse, peakBytes;

    /// <summary>Uses <paramref name="threads"/> threads, or all processors when it is 0.</summary>
    public CpuBackend(int threads = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(threads);
        team = new Team(threads == 0 ? Environment.ProcessorCount : threads);
    }

    /// <inheritdoc/>
    public string Name => "cpu";

    /// <summary>Threads that work.</summary>
    public int Threads => team.Threads;

    /// <inheritdoc/>
    public long PeakBytes => Interlocked.Read(ref peakBytes);

    /// <inheritdoc/>
    public bool Supports(Op op, DType dtype) => op switch
    {
        Op.Copy or Op.Zero => true,
        Op.Gemm or Op.Embed or Op.AllFinite => dtype is DType.F32 or DType.F64 or DType.BF16,
        Op.Gram => dtype == DType.F32,
        Op.SymEig or Op.Qr => dtype == DType.F64,
        _ => dtype is DType.F32 or DType.F64,
    };

    /// <inheritdoc/>
    public unsafe Tensor Alloc(DType dtype, Shape shape)
    {
        long bytes = BlockBytes(checked(shape.Count * dtype.Size()));
        if (!pool.TryGetValue(bytes, out ConcurrentBag<nint>? free) || !free.TryTake(out nint address))
        {
            try
            {
                address = (nint)NativeMemory.AlignedAlloc(checked((nuint)bytes), Alignment);
            }
            catch (OutOfMemoryException e)
            {
                throw new EngineException("NE7001", $"out of memory: {bytes} bytes for a {dtype}{shape} tensor, {bytesInUse} in use", e)
                {
                    Hint = "use fewer samples, a shorter --seqlen, or a machine with more memory",
                };
            }
        }

        long now = Interlocked.Add(ref bytesInUse, bytes);
        for (long seen = peakBytes; now > seen; seen = peakBytes)
        {
            Interlocked.CompareExchange(ref peakBytes, now, seen);
        }

        return new Tensor(address, dtype, shape, shape.Columns, Release);
    }

    /// <summary>Returns pooled blocks that no tensor uses to the operating system.</summary>
    public unsafe void TrimPool()
    {
        foreach (ConcurrentBag<nint> free in pool.Values)
        {
            while (free.TryTake(out nint address))
            {
                NativeMemory.AlignedFree((void*)address);
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        TrimPool();
        team.Dispose();
    }

    private void Release(Tensor tensor)
    {
        long bytes = BlockBytes(tensor.Shape.Count * tensor.DType.Size());
        Interlocked.Add(ref bytesInUse, -bytes);
        pool.GetOrAdd(bytes, _ => []).Add(tensor.Address);
    }

    /// <summary>Sizes are rounded up to eighths of a power of two, so that a freed block fits the next tensor of about its size.</summary>
    private static long BlockBytes(long bytes)
    {
        long step = Math.Max(64, (long)System.Numerics.BitOperations.RoundUpToPowerOf2((ulong)Math.Max(bytes, 1)) / 16);
        return checked((bytes + step - 1) / step * step);
    }
}
