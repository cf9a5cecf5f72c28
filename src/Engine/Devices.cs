using System.Globalization;
using NativeEngine.Kernels;
using NativeEngine.Kernels.Cpu;
using NativeEngine.Kernels.Cuda;

namespace NativeEngine;

/// <summary>The devices that --device names.</summary>
internal static class Devices
{
    /// <summary>Opens <paramref name="device"/>: "cpu", "cuda" or "cuda:n"; null picks a GPU where there is one. The CPU has <paramref name="threads"/> threads (0 = all).</summary>
    /// <exception cref="EngineException">NE8001: the GPU is not usable; the message says why</exception>
    public static IBackend Open(string? device, int threads)
    {
        if (device == "cpu")
        {
            return new CpuBackend(threads);
        }

        int ordinal = Ordinal(device ?? "cuda");
        CudaProbe cuda = CudaProbe.Run(ordinal);
        if (device is null && cuda.Devices.Count == 0)
        {
            return new CpuBackend(threads);
        }

        // A GPU that cannot be used is not passed over in silence: nobody would know why it is slow.
        device ??= "cuda";
        return cuda.Problem is null ? new CudaBackend(ordinal) : throw new EngineException("NE8001", $"device '{device}' is not usable: {cuda.Problem}")
        {
            Key = "--device",
            Found = device,
            Expected = "cpu",
            Hint = "run with --device cpu",
        };
    }

    /// <summary>n of "cuda:n", 0 of "cuda".</summary>
    private static int Ordinal(string device) => int.Parse(device.Split(':') is [_, string n] ? n : "0", CultureInfo.InvariantCulture);
}
