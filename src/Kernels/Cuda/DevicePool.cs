using System.Numerics;
using NativeEngine.Kernels.Interop;

namespace NativeEngine.Kernels.Cuda;

/// <summary>
/// Device memory that is kept when it is given back, because cuMemAlloc and cuMemFree wait for the device. A block that was given back may be handed
/// out at once: all work is on one stream, so what still uses it runs before what comes. Not for concurrent use.
/// A pool hides overruns, so with <see cref="GuardVariable"/> = 1 every block is filled with 0xFF (NaN) and has guard bytes on both sides, which are
/// checked when it comes back.
/// </summary>
internal sealed class DevicePool : IDisposable
{
    /// <summary>Environment variable that turns the guard bytes on.</summary>
    public const string GuardVariable = "NATIVEENGINE_POOL_GUARD";

    private const int GuardBytes = 256; // as wide as cuMemAlloc aligns
    private const byte Guard = 0xA5, Fresh = 0xFF;
    private const long StreamedBytes = 1 << 20; // blocks from this size on know when they were vacated

    private readonly CudaContext context;
    private readonly CudaStream stream;
    private readonly bool guarded;
    private readonly Dictionary<long, Stack<Block>> free = [];
    private readonly Dictionary<nint, Block> live = [];
    private readonly byte[] expected = [.. Enumerable.Repeat(Guard, GuardBytes)];
    private long bytesInUse;

    /// <summary>Memory of <paramref name="context"/>, used on <paramref name="stream"/>. What is free in the pool goes back to the driver when a call finds no memory.</summary>
    public DevicePool(CudaContext context, CudaStream stream, bool guarded)
    {
        (this.context, this.stream, this.guarded) = (context, stream, guarded);
        context.MakeRoom = Trim;
    }

    /// <summary>Largest number of bytes that were handed out at once.</summary>
    public long PeakBytes { get; private set; }

    /// <summary>Bytes that are handed out.</summary>
    public long LiveBytes => bytesInUse;

    /// <summary>At least <paramref name="bytes"/> bytes, not cleared; their address is a multiple of 256.</summary>
    /// <exception cref="CudaException">NE7002: there are none, also after all free blocks went back to the driver</exception>
    public nint Take(long bytes)
    {
        int margin = guarded ? GuardBytes : 0;
        long size = BlockBytes(checked(bytes + 2 * margin));
        Block block = free.TryGetValue(size, out Stack<Block>? blocks) && blocks.TryPop(out Block? pooled) ? pooled : Allocate(size);
        nint address = block.Memory.Handle + margin;
        live.Add(address, block);
        PeakBytes = Math.Max(PeakBytes, bytesInUse += size);
        if (guarded)
        {
            stream.Fill(block.Memory.Handle, Guard, size);
            stream.Fill(address, Fresh, bytes);
            block.Vacated?.Record(stream);
        }

        return address;
    }

    /// <summary>Takes back what <see cref="Take"/> returned for <paramref name="bytes"/> bytes.</summary>
    /// <exception cref="InvalidOperationException">a guard byte has changed</exception>
    public void Give(nint address, long bytes)
    {
        if (!live.Remove(address, out Block? block))
        {
            return;
        }

        bytesInUse -= block.Memory.Bytes;
        if (!free.TryGetValue(block.Memory.Bytes, out Stack<Block>? blocks))
        {
            free[block.Memory.Bytes] = blocks = [];
        }

        blocks.Push(block);
        if (!GpuFault.IsLatched)
        {
            block.Vacated?.Record(stream);
        }

        if (guarded && !GpuFault.IsLatched)
        {
            Check(block.Memory.Handle, "in front of");
            Check(address + checked((nint)bytes), "behind");
        }

        void Check(nint guard, string where)
        {
            Span<byte> found = stackalloc byte[GuardBytes];
            Read(found, guard);
            int changed = found.CommonPrefixLength(expected);
            if (changed < GuardBytes)
            {
                throw new InvalidOperationException($"a kernel wrote {where} a block of {bytes} bytes: guard byte {changed} is 0x{found[changed]:X2}");
            }
        }
    }

    /// <summary>When the work was done that used the block at <paramref name="address"/> before it was handed out; null where that is not known.</summary>
    public CudaEvent? Vacated(nint address) => live.TryGetValue(address, out Block? block) ? block.Vacated : null;

    /// <summary>Returns free blocks to the driver, once the work is done that used them; false where there are none.</summary>
    public bool Trim()
    {
        if (free.Values.All(blocks => blocks.Count == 0))
        {
            return false;
        }

        context.Synchronize(); // transfers have a stream of their own
        FreeBlocks();
        return true;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        context.TrySynchronize();
        FreeBlocks();
        foreach (Block block in live.Values)
        {
            block.Dispose();
        }

        live.Clear();
    }

    private void FreeBlocks()
    {
        foreach (Block block in free.Values.SelectMany(blocks => blocks))
        {
            block.Dispose();
        }

        free.Clear();
    }

    private Block Allocate(long size)
    {
        DeviceMemory memory = new(context, size);
        try
        {
            return new Block(memory, size >= StreamedBytes ? new CudaEvent(context) : null);
        }
        catch
        {
            memory.Dispose();
            throw;
        }
    }

    private unsafe void Read(Span<byte> bytes, nint address)
    {
        fixed (byte* host = bytes)
        {
            stream.Download((nint)host, address, bytes.Length);
            stream.Synchronize();
        }
    }

    /// <summary>Sizes are rounded up to sixteenths of a power of two, so that a free block fits the next tensor of about its size.</summary>
    internal static long BlockBytes(long bytes)
    {
        long step = Math.Max(GuardBytes, (long)BitOperations.RoundUpToPowerOf2((ulong)Math.Max(bytes, 1)) / 16);
        return checked((Math.Max(bytes, 1) + step - 1) / step * step);
    }

    private sealed class Block(DeviceMemory memory, CudaEvent? vacated) : IDisposable
    {
        public DeviceMemory Memory => memory;

        public CudaEvent? Vacated => vacated;

        public void Dispose()
        {
            memory.Dispose();
            vacated?.Dispose();
        }
    }
}
