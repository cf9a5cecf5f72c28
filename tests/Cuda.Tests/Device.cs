using System.Runtime.InteropServices;
using NativeEngine.Kernels;
using NativeEngine.Kernels.Cuda;
using NativeEngine.Kernels.Interop;
using NativeEngine.Kernels.Interop.Native;

namespace NativeEngine.Cuda.Tests;

/// <summary>
/// The device of this assembly: a GPU where there is one, else the double, which runs the threads of a kernel in an order that can be chosen.
/// Results must not depend on it.
/// </summary>
internal static unsafe class Device
{
    private static readonly Lazy<CudaBackend> Backend = new(Guarded);

    /// <summary>Orders of the threads; a GPU has its own.</summary>
    public static IReadOnlyList<string> Orders { get; } = ["forward", "reverse", "7"];

    /// <summary>The device; skips the test with the reason where there is none.</summary>
    public static CudaBackend Open()
    {
        CudaProbe probe = CudaProbe.Run();
        Skip.If(probe.Problem is not null, $"no CUDA: {probe.Problem}");
        return Backend.Value;
    }

    /// <summary>Has threads run in <paramref name="order"/> from now on, on the double.</summary>
    public static void Order(string order)
    {
        if (Find("cudasimConfigure") is not { } configure)
        {
            return;
        }

        fixed (byte* variable = "CUDASIM_ORDER\0"u8)
        fixed (byte* value = System.Text.Encoding.UTF8.GetBytes(order + '\0'))
        {
            Assert.Equal(0, ((delegate* unmanaged<byte*, byte*, int>)configure)(variable, value));
        }
    }

    /// <summary>Fails when the double has found something since the last call, such as an access outside or a wait that is missing.</summary>
    public static void CheckReport(string name)
    {
        if (Find("cudasimReport") is { } report)
        {
            string? found = Marshal.PtrToStringUTF8((nint)((delegate* unmanaged<byte*>)report)());
            Assert.True(string.IsNullOrEmpty(found), $"{name}: {found}");
        }
    }

    private static CudaBackend Guarded()
    {
        Environment.SetEnvironmentVariable(DevicePool.GuardVariable, "1");
        return new CudaBackend();
    }

    private static nint? Find(string symbol) =>
        NativeLibrary.TryGetExport(NativeLibs.Process.Load(Libraries.Driver).Handle, symbol, out nint address) ? address : null;
}
