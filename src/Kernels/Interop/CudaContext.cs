using System.Globalization;
using System.Runtime.InteropServices;
using NativeEngine.Kernels.Interop.Native;
using static NativeEngine.Kernels.Interop.Native.Cuda;
using static NativeEngine.Kernels.Interop.Native.CUdevice_attribute;

namespace NativeEngine.Kernels.Interop;

/// <summary>A device and its primary context, which is the one that other CUDA code in this process uses too.</summary>
internal sealed unsafe class CudaContext : CudaHandle
{
    private readonly int device;

    /// <summary>Opens the device <paramref name="ordinal"/>.</summary>
    /// <exception cref="EngineException">NE8002: no driver; NE8003: no such device; NE7002: other processes hold its memory</exception>
    public CudaContext(int ordinal) : base(null)
    {
        (Name, Ordinal) = (NameOf(ordinal), ordinal);
        device = Device(ordinal);
        ComputeCapability = CapabilityOf(device);
        nint context;
        Gate.Open.Check(cuDevicePrimaryCtxRetain(&context, device), $"device {ordinal}");
        Own(context);
    }

    /// <inheritdoc/>
    public override CudaContext Context => this;

    /// <summary>Returns memory to the driver that is kept for later use; false where there is none. Set by who keeps it, null where nobody does.</summary>
    public Func<bool>? MakeRoom { get; set; }

    /// <summary>"cuda:0"</summary>
    public string Name { get; }

    /// <summary>The device's number.</summary>
    public int Ordinal { get; }

    /// <summary>Such as 9.0.</summary>
    public Version ComputeCapability { get; }

    /// <summary>Streaming multiprocessors.</summary>
    public int Multiprocessors => Attribute(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);

    /// <summary>Threads that one multiprocessor holds at a time.</summary>
    public int ThreadsPerMultiprocessor => Attribute(CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR);

    /// <summary>Bytes of the second-level cache.</summary>
    public int CacheBytes => Attribute(CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE);

    /// <summary>How many times as fast F32 is as F64: 2 where a GPU is made for computing, 32 or 64 where it is made for graphics.</summary>
    public int CostOfF64 => Attribute(CU_DEVICE_ATTRIBUTE_SINGLE_TO_DOUBLE_PRECISION_PERF_RATIO);

    /// <summary>"cuda:0" of 0</summary>
    public static string NameOf(int ordinal) => string.Create(CultureInfo.InvariantCulture, $"cuda:{ordinal}");

    /// <summary>How many devices the driver shows.</summary>
    public static int Count()
    {
        int count;
        Gate.Open.Check(cuInit(0));
        Gate.Open.Check(cuDeviceGetCount(&count));
        return count;
    }

    /// <summary>The device's name, compute capability and bytes of memory, without opening it.</summary>
    public static (string Model, Version ComputeCapability, long MemoryBytes) Describe(int ordinal)
    {
        const int Length = 256;
        int device = Device(ordinal);
        byte* name = stackalloc byte[Length];
        nuint bytes;
        Gate.Open.Check(cuDeviceGetName(name, Length, device));
        Gate.Open.Check(cuDeviceTotalMem_v2(&bytes, device));
        return (Marshal.PtrToStringUTF8((nint)name)!, CapabilityOf(device), (long)bytes);
    }

    /// <summary>Bytes of device memory that are free, and all of them.</summary>
    public (long Free, long Total) Memory()
    {
        nuint free, total;
        Gate.Check(cuMemGetInfo_v2(&free, &total));
        return ((long)free, (long)total);
    }

    /// <summary>Waits for everything that was started on the device.</summary>
    public void Synchronize() => Gate.Check(cuCtxSynchronize());

    /// <summary>The same where nothing may be thrown: before what work on a stream may still use is given back, where the wait for it failed.</summary>
    public bool TrySynchronize() => !GpuFault.IsLatched && TrySetCurrent() && Gate.Quietly(cuCtxSynchronize(), this, nameof(cuCtxSynchronize));

    /// <summary>Makes it the context of this thread's calls, also for children that outlive its Dispose.</summary>
    public CUresult SetCurrent() => cuCtxSetCurrent(handle);

    /// <summary>The same where nothing may be thrown.</summary>
    public bool TrySetCurrent() => Gate.Quietly(SetCurrent(), this, nameof(cuCtxSetCurrent));

    /// <inheritdoc/>
    protected override bool Destroy() => Gate.Quietly(cuDevicePrimaryCtxRelease_v2(device), this, nameof(cuDevicePrimaryCtxRelease_v2));

    private int Attribute(CUdevice_attribute attribute)
    {
        int value;
        Gate.Check(cuDeviceGetAttribute(&value, attribute, device), $"{attribute}");
        return value;
    }

    private static int Device(int ordinal)
    {
        int device;
        Gate.Open.Check(cuInit(0));
        Gate.Open.Check(cuDeviceGet(&device, ordinal), $"device {ordinal}");
        return device;
    }

    private static Version CapabilityOf(int device)
    {
        int major, minor;
        Gate.Open.Check(cuDeviceGetAttribute(&major, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, device));
        Gate.Open.Check(cuDeviceGetAttribute(&minor, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, device));
        return new(major, minor);
    }
}
