using System.Runtime.InteropServices;
using NativeEngine.Kernels.Interop;

namespace NativeEngine.Kernels.Tests.Interop;

/// <summary>A device with a stream, real or played by the libraries that NATIVEENGINE_CUDA_DIR names. Skips the test where there is none.</summary>
internal sealed class Gpu : IDisposable
{
    private readonly List<DeviceMemory> blocks = [];

    public Gpu(bool libraries = false)
    {
        CudaProbe probe = CudaProbe.Run(0);
        Skip.If(probe.Devices.Count == 0, probe.Problem);
        Skip.If(libraries && probe.Problem is not null, probe.Problem);
        Context = new CudaContext(0);
        Stream = new CudaStream(Context);
    }

    public CudaContext Context { get; }

    public CudaStream Stream { get; }

    /// <summary>Device memory with these values, freed with the rest.</summary>
    public nint Upload<T>(params T[] values) where T : unmanaged
    {
        nint address = Alloc<T>(values.Length);
        using PinnedMemory host = new(Context, values.Length * (long)Marshal.SizeOf<T>());
        values.CopyTo(Span<T>(host));
        Stream.Upload(address, host.Handle, host.Bytes);
        Stream.Synchronize();
        return address;
    }

    /// <summary>Device memory for <paramref name="count"/> values.</summary>
    public nint Alloc<T>(long count) where T : unmanaged
    {
        blocks.Add(new DeviceMemory(Context, Math.Max(1, count * Marshal.SizeOf<T>())));
        return blocks[^1].Handle;
    }

    /// <summary>What device memory holds when the stream has come to its end.</summary>
    public T[] Download<T>(nint address, int count) where T : unmanaged
    {
        using PinnedMemory host = new(Context, count * (long)Marshal.SizeOf<T>());
        Stream.Download(host.Handle, address, host.Bytes);
        Stream.Synchronize();
        return Span<T>(host).ToArray();
    }

    public void Dispose()
    {
        blocks.ForEach(block => block.Dispose());
        Stream.Dispose();
        Context.Dispose();
    }

    private static unsafe Span<T> Span<T>(PinnedMemory memory) where T : unmanaged => new((void*)memory.Handle, checked((int)memory.Bytes / sizeof(T)));
}
