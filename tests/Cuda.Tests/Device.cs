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
    private static CudaBackend? backend;

    /// <summary>Orders of the threads; a GPU has its own.</summary>
    public static IReadOnlyList<string> Orders { get; } = ["forward", "reverse", "7"];

    /// <summary>Whether it is the double, which fails on demand and reports what it finds.</summary>
    public static bool IsDouble => Find("cudasimConfigure") is not null;

    /// <summary>The device; skips the test with the reason where there is none.</summary>
    public static CudaBackend Open()
    {
        CudaProbe probe = CudaProbe.Run(0);
        Skip.If(probe.Problem is not null, $"no CUDA: {probe.Problem}");
        return backend ??= Guarded();
    }

    /// <summary>Gives the device back, so that a test has the only context; the next <see cref="Open"/> opens it anew.</summary>
    public static void Close()
    {
        backend?.Dispose();
        backend = null;
    }

    /// <summary>Has threads run in <paramref name="order"/> from now on, on the double.</summary>
    public static void Order(string order) => Configure("CUDASIM_ORDER", order);

    /// <summary>Sets a variable of the double; nothing on a GPU.</summary>
    public static void Configure(string variable, string value)
    {
        if (Find("cudasimConfigure") is not { } configure)
        {
            return;
        }

        fixed (byte* name = System.Text.Encoding.UTF8.GetBytes(variable + '\0'))
        fixed (byte* text = System.Text.Encoding.UTF8.GetBytes(value + '\0'))
        {
            Assert.Equal(0, ((delegate* unmanaged<byte*, byte*, int>)configure)(name, text));
        }
    }

    /// <summary>Sets a variable of the double until it is disposed.</summary>
    public static IDisposable Configured(string variable, string value, string afterwards)
    {
        Configure(variable, value);
        return new Setting(variable, afterwards);
    }

    /// <summary>Fails when the double has found something since the last call, such as an access outside or a wait that is missing.</summary>
    public static void CheckReport(string name)
    {
        string found = Report();
        Assert.True(found.Length == 0, $"{name}: {found}");
    }

    /// <summary>What the double has found since the last call; "" on a GPU.</summary>
    public static string Report() =>
        Find("cudasimReport") is { } report ? Marshal.PtrToStringUTF8((nint)((delegate* unmanaged<byte*>)report)())! : "";

    private static CudaBackend Guarded()
    {
        Environment.SetEnvironmentVariable(DevicePool.GuardVariable, "1");
        return new CudaBackend();
    }

    private static nint? Find(string symbol) =>
        NativeLibrary.TryGetExport(NativeLibs.Process.Load(Libraries.Driver).Handle, symbol, out nint address) ? address : null;

    private sealed class Setting(string variable, string afterwards) : IDisposable
    {
        public void Dispose() => Configure(variable, afterwards);
    }
}
