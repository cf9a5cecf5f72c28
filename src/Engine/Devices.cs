using System.Globalization;
using NativeEngine.Kernels;
using NativeEngine.Kernels.Cpu;
using NativeEngine.Kernels.Cuda;

namespace NativeEngine;

/// <summary>The devices that --device names.</summary>
internal static class Devices
{
    /// <summary>
    /// Opens <paramref name="device"/>: "cpu", "cuda" or "cuda:n"; null picks a GPU where there is one. The CPU has <paramref name="threads"/> threads (0 = all).
    /// <paramref name="remark"/> is what the user should know about the choice: why there is no GPU, or that the libraries are not where they were said to be.
    /// </summary>
    /// <exception cref="EngineException">NE8001: the GPU is not usable; the message says why; NE7002: others hold its memory</exception>
    public static IBackend Open(string? device, int threads, out string? remark)
    {
        remark = null;
        if (device == "cpu")
        {
            return new CpuBackend(threads);
        }

        int ordinal = Ordinal(device ?? "cuda");
        CudaProbe cuda = CudaProbe.Run(ordinal);
        string[] problems = [.. new[] { cuda.Problem, cuda.FolderProblem }.OfType<string>()];
        remark = problems.Length == 0 ? null : string.Join("; ", problems);
        if (device is null && cuda.IsAbsent)
        {
            return new CpuBackend(threads);
        }

        // Where others hold its memory, the back-end meets that again and says it as any lack of memory.
        if (cuda.Problem is null || cuda.Devices is [{ IsFull: true }])
        {
            return new CudaBackend(ordinal);
        }

        // A GPU that cannot be used is not passed over in silence: nobody would know why it is slow.
        device ??= "cuda";
        bool isAbsent = ordinal >= cuda.DeviceCount && cuda.DeviceCount > 0;
        throw new EngineException("NE8001", $"device '{device}' is not usable: {remark}")
        {
            Key = "--device",
            Found = device,
            Expected = isAbsent ? string.Join(", ", Enumerable.Range(0, cuda.DeviceCount).Select(i => $"cuda:{i}").Prepend("cpu")) : "cpu",
            Hint = isAbsent ? "there is no such device; choose one that there is" : "run with --device cpu; doctor shows what is wrong",
        };
    }

    /// <summary>n of "cuda:n", 0 of "cuda".</summary>
    private static int Ordinal(string device) => int.Parse(device.Split(':') is [_, string n] ? n : "0", CultureInfo.InvariantCulture);
}
