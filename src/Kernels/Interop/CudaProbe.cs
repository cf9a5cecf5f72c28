using NativeEngine.Kernels.Interop;
using NativeEngine.Kernels.Interop.Native;

namespace NativeEngine.Kernels;

/// <summary>A library that CUDA needs.</summary>
/// <param name="Name">driver, nvrtc, cublasLt, cublas or cusolver</param>
/// <param name="Path">the file; null where there is none</param>
/// <param name="Version">what it says of itself</param>
/// <param name="Problem">why it cannot be used; null when it can</param>
public sealed record CudaLibrary(string Name, string? Path, string? Version, string? Problem);

/// <summary>A device that the driver shows.</summary>
/// <param name="Name">"cuda:0"</param>
/// <param name="Model">what the maker calls it; "unknown" where it does not answer, as the next</param>
/// <param name="ComputeCapability">such as 9.0</param>
/// <param name="MemoryBytes">its memory; 0 where it does not answer</param>
/// <param name="FreeBytes">what of it is free; null where the device cannot be opened</param>
/// <param name="Problem">why it cannot be opened; null when it can</param>
public sealed record CudaDevice(string Name, string Model, string ComputeCapability, long MemoryBytes, long? FreeBytes, string? Problem)
{
    /// <summary>True where it cannot be opened because others hold its memory, which passes.</summary>
    public bool IsFull { get; init; }
}

/// <summary>What CUDA finds on this machine, and why not; looking never throws.</summary>
public sealed record CudaProbe
{
    /// <summary>The oldest driver that runs the kernels and knows the libraries, by the CUDA version it is made for.</summary>
    private static readonly Version OldestDriver = new(12, 0);

    /// <summary>The lowest compute capability with BF16, asynchronous copies and the tensor-core instructions that the kernels use.</summary>
    private static readonly Version OldestDevice = new(8, 0);

    /// <summary>The CUDA version that the driver is made for, such as 13.0; null without a driver.</summary>
    public string? DriverVersion { get; init; }

    /// <summary>Why no device can be used; null when one can.</summary>
    public string? Problem { get; init; }

    /// <summary>True where there is no GPU, which is a normal state: no driver, or a driver that shows no device. A driver that fails is none.</summary>
    public bool IsAbsent { get; init; }

    /// <summary>Which folders of NATIVEENGINE_CUDA_DIR are of no use, and why; null where all are. The libraries may be elsewhere all the same.</summary>
    public string? FolderProblem { get; init; }

    /// <summary>How many devices the driver shows; 0 where it does not say.</summary>
    public int DeviceCount { get; init; }

    /// <summary>The libraries, the driver first; those of the toolkit are only looked for where there is a device.</summary>
    public required IReadOnlyList<CudaLibrary> Libraries { get; init; }

    /// <summary>The devices, in the driver's order.</summary>
    public required IReadOnlyList<CudaDevice> Devices { get; init; }

    /// <summary>Looks at every device. Opens each for a moment, which can take a second.</summary>
    public static CudaProbe Run() => Run(NativeLibs.Process);

    /// <summary>Looks at device <paramref name="ordinal"/> alone: what is wrong with its neighbours does not matter, and they stay closed.</summary>
    public static CudaProbe Run(int ordinal) => Run(NativeLibs.Process, ordinal);

    internal static CudaProbe Run(NativeLibs libs, int? only = null)
    {
        CudaLibrary driver = Look(libs, Interop.Native.Libraries.Driver, "driver");
        if (driver.Problem is not null)
        {
            return new() { Problem = $"no NVIDIA driver: {driver.Problem}", IsAbsent = true, FolderProblem = libs.FolderProblem, Libraries = [driver], Devices = [] };
        }

        CudaProbe found = new() { DriverVersion = driver.Version, FolderProblem = libs.FolderProblem, Libraries = [driver], Devices = [] };
        try
        {
            int count = CudaContext.Count();
            if (count == 0)
            {
                return found with { Problem = NoDevice, IsAbsent = true };
            }

            if (only >= count)
            {
                return found with { Problem = $"the driver shows {count} {(count == 1 ? "device" : "devices")}, the last is cuda:{count - 1}", DeviceCount = count };
            }

            found = found with
            {
                DeviceCount = count,
                Devices = [.. (only is { } ordinal ? [ordinal] : Enumerable.Range(0, count)).Select(Look)],
                Libraries = [driver, .. NativeLibs.Toolkit.Select(library => Look(libs, library, library))],
            };
        }
        catch (CudaException e) when (e.StatusCode == (int)CUresult.CUDA_ERROR_NO_DEVICE)
        {
            return found with { Problem = NoDevice, IsAbsent = true };
        }
        catch (EngineException e)
        {
            return found with { Problem = $"the driver does not work: {e.Message}" };
        }

        if (Version.Parse(found.DriverVersion!) < OldestDriver)
        {
            return found with { Problem = $"the driver is for CUDA {found.DriverVersion}, {OldestDriver} or later is needed" };
        }

        string[] problems = [.. found.Libraries.Select(library => library.Problem).OfType<string>().Distinct()];
        if (problems.Length == 0 && found.Devices.All(device => device.Problem is not null))
        {
            problems = [found.Devices[0].Problem!];
        }

        return problems.Length == 0 ? found : found with { Problem = string.Join("; ", problems) };
    }

    private static string NoDevice => Environment.GetEnvironmentVariable("CUDA_VISIBLE_DEVICES") is { } visible
        ? $"the driver shows no device; CUDA_VISIBLE_DEVICES is '{visible}'"
        : "the driver shows no device";

    private static CudaLibrary Look(NativeLibs libs, string library, string name)
    {
        List<string> reasons = [];
        return libs.TryLoad(library, reasons) is { } loaded
            ? new(name, loaded.Path, loaded.Version?.ToString(), null)
            : new(name, null, null, string.Join("; ", reasons));
    }

    private static CudaDevice Look(int ordinal)
    {
        CudaDevice device = new(CudaContext.NameOf(ordinal), "unknown", "unknown", 0, null, null);
        try
        {
            (string model, Version capability, long bytes) = CudaContext.Describe(ordinal);
            device = device with { Model = model, ComputeCapability = capability.ToString(), MemoryBytes = bytes };
            if (capability < OldestDevice)
            {
                return device with { Problem = $"{device.Name} has compute capability {capability}, {OldestDevice} or later is needed" };
            }

            using CudaContext context = new(ordinal);
            return device with { FreeBytes = context.Memory().Free };
        }
        catch (EngineException e)
        {
            return device with { Problem = e.Message, IsFull = e.Exit == ExitCode.OutOfMemory };
        }
    }
}
