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
    private readonly ConcurrentDictionary<nint, long> live = []; // blocks that a tensor owns, so that a run that fails leaks nothing
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

    /// <inheritdoc/>
    public bool IsHost => true;

    /// <inheritdoc/>
    public int LargestHead => int.MaxValue;

    /// <inheritdoc/>
    public int BatchRows => 2048;

    /// <inheritdoc/>
    public long MemoryBytes => GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;

    /// <summary>Threads that work.</summary>
    public int Threads => team.Threads;

    /// <summary>Bytes that tensors own now.</summary>
    public long LiveBytes => Interlocked.Read(ref bytesInUse);

    /// <inheritdoc/>
    public long PeakBytes => Interlocked.Read(ref peakBytes);

    /// <inheritdoc/>
    public void Synchronize()
    {
        // an op is done when it returns
    }

    /// <inheritdoc/>
    public bool Supports(Op op, DType dtype) => op switch
    {
        Op.Upload or Op.Download or Op.Fill or Op.Drain or Op.Copy or Op.Zero or Op.KeepRows or Op.KeepColumns => true,
        Op.AllFinite or Op.AddSaliency or Op.Uniform => dtype is DType.F32 or DType.F64 or DType.BF16,
        Op.Gram => dtype == DType.F32,
        Op.SymEig or Op.Qr or Op.CholeskySolve => dtype == DType.F64,
        _ => dtype is DType.F32 or DType.F64,
    };

    /// <inheritdoc/>
    public unsafe Tensor Alloc(DType dtype, Shape shape)
    {
        long bytes = BlockBytes(checked(shape.Count * dtype.Size()));
        nint address = Take(bytes) ?? throw new EngineException("NE7001", $"out of memory: {bytes} bytes for a {dtype}{shape} tensor, {LiveBytes} in use")
        {
            Hint = "use fewer samples, a shorter --seqlen, or a machine with more memory",
        };
        live[address] = bytes;
        long now = Interlocked.Add(ref bytesInUse, bytes);
        for (long seen = peakBytes; now > seen; seen = peakBytes)
        {
            Interlocked.CompareExchange(ref peakBytes, now, seen);
        }

        return new Tensor(address, dtype, shape, shape.Columns, Release);
    }

    /// <inheritdoc/>
    public unsafe void Trim()
    {
        foreach (ConcurrentBag<nint> free in pool.Values)
        {
            while (free.TryTake(out nint address))
            {
                NativeMemory.AlignedFree((void*)address);
            }
        }
    }

    /// <summary>Gives back everything, also what tensors still own: they must not be used any more.</summary>
    public unsafe void Dispose()
    {
        Trim();
        foreach (nint address in live.Keys)
        {
            NativeMemory.AlignedFree((void*)address);
        }

        live.Clear();
        team.Dispose();
    }

    /// <summary>A block from the pool, or a fresh one; null when there is none even after the pool was emptied.</summary>
    private unsafe nint? Take(long bytes)
    {
        if (pool.TryGetValue(bytes, out ConcurrentBag<nint>? free) && free.TryTake(out nint pooled))
        {
            return pooled;
        }

        for (bool trimmed = false; ; trimmed = true)
        {
            try
            {
                return (nint)NativeMemory.AlignedAlloc(checked((nuint)bytes), Alignment);
            }
            catch (OutOfMemoryException) when (!trimmed)
            {
                Trim();
            }
            catch (OutOfMemoryException)
            {
                return null;
            }
        }
    }

    private void Release(Tensor tensor)
    {
        if (live.TryRemove(tensor.Address, out long bytes))
        {
            Interlocked.Add(ref bytesInUse, -bytes);
            pool.GetOrAdd(bytes, _ => []).Add(tensor.Address);
        }
    }

    /// <summary>Sizes are rounded up to sixteenths of a power of two, so that a freed block fits the next tensor of about its size.</summary>
    private static long BlockBytes(long bytes)
    {
        long step = Math.Max(64, (long)System.Numerics.BitOperations.RoundUpToPowerOf2((ulong)Math.Max(bytes, 1)) / 16);
        return checked((bytes + step - 1) / step * step);
    }
}
