using System.Numerics;
using NativeEngine.Kernels.Interop;

namespace NativeEngine.Kernels.Cuda;

/// <summary>
/// Device memory that is kept when it is given back, because cuMemAlloc and cuMemFree wait for the device. A block that was given back may be handed
/// out at once: all work is on one stream, so what still uses it runs before what comes. Not for concurrent use.
/// A pool hides overruns, so with <see cref="GuardVariable"/> = 1 every block is filled with 0xFF (NaN) and has guard bytes on both sides, which are
/// checked when it comes back.
/// </summary>
internal sealed class DevicePool(CudaContext context, CudaStream stream, bool guarded) : IDisposable
{
    /// <summary>Environment variable that turns the guard bytes on.</summary>
    public const string GuardVariable = "NATIVEENGINE_POOL_GUARD";

    private const int GuardBytes = 256; // as wide as cuMemAlloc aligns
    private const byte Guard = 0xA5, Fresh = 0xFF;

    private readonly Dictionary<long, Stack<DeviceMemory>> free = [];
    private readonly Dictionary<nint, DeviceMemory> live = [];
    private readonly byte[] expected = [.. Enumerable.Repeat(Guard, GuardBytes)];
    private long bytesInUse;

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
        DeviceMemory block = free.TryGetValue(size, out Stack<DeviceMemory>? blocks) && blocks.TryPop(out DeviceMemory? pooled) ? pooled : Allocate(size);
        nint address = block.Handle + margin;
        live.Add(address, block);
        PeakBytes = Math.Max(PeakBytes, bytesInUse += size);
        if (guarded)
        {
            stream.Fill(block.Handle, Guard, size);
            stream.Fill(address, Fresh, bytes);
        }

        return address;
    }

    /// <summary>Takes back what <see cref="Take"/> returned for <paramref name="bytes"/> bytes.</summary>
    /// <exception cref="InvalidOperationException">a guard byte has changed</exception>
    public void Give(nint address, long bytes)
    {
        if (!live.Remove(address, out DeviceMemory? block))
        {
            return;
        }

        bytesInUse -= block.Bytes;
        if (!free.TryGetValue(block.Bytes, out Stack<DeviceMemory>? blocks))
        {
            free[block.Bytes] = blocks = [];
        }

        blocks.Push(block);
        if (guarded && !GpuFault.IsLatched)
        {
            Check(block.Handle, "in front of");
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

    /// <summary>Returns free blocks to the driver.</summary>
    public void Trim()
    {
        foreach (DeviceMemory block in free.Values.SelectMany(blocks => blocks))
        {
            block.Dispose();
        }

        free.Clear();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Trim();
        foreach (DeviceMemory block in live.Values)
        {
            block.Dispose();
        }

        live.Clear();
    }

    private DeviceMemory Allocate(long size)
    {
        try
        {
            return new DeviceMemory(context, size);
        }
        catch (CudaException e) when (e.Exit == ExitCode.OutOfMemory && free.Values.Any(blocks => blocks.Count > 0))
        {
            Trim();
            return new DeviceMemory(context, size);
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
}
