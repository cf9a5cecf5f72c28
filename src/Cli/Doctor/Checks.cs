using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;
using System.Security.Cryptography;
using System.Text;
using NativeEngine.Cli.Output;
using NativeEngine.Kernels;

namespace NativeEngine.Cli.Doctor;

/// <summary>One thing that doctor looked at.</summary>
/// <param name="Name">what</param>
/// <param name="Value">what it is, or what is wrong with it</param>
/// <param name="Ok">false for something the engine needs and cannot have</param>
/// <param name="Hint">how to mend it</param>
internal sealed record Check(string Name, string Value, bool Ok = true, string? Hint = null);

/// <summary>The checks of doctor.</summary>
internal static class Checks
{
    /// <summary>Runs all of them; <paramref name="folder"/> is where output would be written, <paramref name="cuda"/> what CUDA finds. Devices that are found are tried.</summary>
    public static IReadOnlyList<Check> Run(string folder, CudaProbe cuda) =>
    [
        new("system", $"{RuntimeInformation.OSDescription}, {RuntimeInformation.OSArchitecture}"),
        new(".net", RuntimeInformation.FrameworkDescription),
        new("cpu", CpuModel()),
        new("vectors", Vectors()),
        new("cores", $"{Environment.ProcessorCount}"),
        new("memory", $"{Format.Bytes(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes)} usable"),
        Unicode(),
        Sha256(),
        Disk(folder),
        Leftovers(folder),
        .. Cuda(cuda, CudaTrial.Run),
    ];

    internal static IEnumerable<Check> Cuda(CudaProbe probe, Func<int, string?> trial) =>
    [
        .. probe.FolderProblem is { } folders ? [new("cuda folders", folders, Hint: "name the folders of the CUDA libraries, or unset the variable")] : (Check[])[],
        .. probe.Libraries.Where(library => library.Problem is null)
            .Select(library => new Check($"cuda {library.Name}", $"{library.Version}, {library.Path}")),
        .. probe.Devices.Select(device => new Check(
            device.Name,
            $"{device.Model}, compute capability {device.ComputeCapability}, {Format.Bytes(device.MemoryBytes)}, "
                + (device.FreeBytes is { } free ? $"{Format.Bytes(free)} free" : $"not usable: {device.Problem}"))),
        Verdict(probe, trial),
    ];

    // No GPU is no fault: the engine runs on the CPU.
    private static Check Verdict(CudaProbe probe, Func<int, string?> trial)
    {
        if (probe.Problem is not null)
        {
            string? hint = probe.IsAbsent ? null
                : probe.Devices.Any(device => device.IsFull) ? "free the GPU's memory, which other processes hold, or use --device cpu"
                : "every verb needs --device cpu until this is mended";
            return new("cuda", probe.Problem, probe.IsAbsent, hint);
        }

        string[] failed =
        [
            .. probe.Devices.Index().Where(device => device.Item.Problem is null)
                .Select(device => trial(device.Index) is { } failure ? $"{device.Item.Name}: {failure}" : null).OfType<string>(),
        ];
        return failed.Length == 0 ? new("cuda", "usable") : new("cuda", string.Join("; ", failed), Ok: false, "use --device cpu or another device until this is mended");
    }

    // Without ICU, Normalize returns its input and says nothing: tokens would be wrong without an error.
    internal static Check Unicode(Func<string, NormalizationForm, string>? normalize = null)
    {
        normalize ??= (text, form) => text.Normalize(form);
        bool works;
        try
        {
            works = normalize("e\u0301", NormalizationForm.FormC) == "\u00E9" && normalize("\uFB01", NormalizationForm.FormKC) == "fi";
        }
        catch (PlatformNotSupportedException)
        {
            works = false;
        }

        return works
            ? new("unicode", "NFC and NFKC are right")
            : new("unicode", "text is not normalised: the ICU library is missing or switched off", false, "install libicu and unset DOTNET_SYSTEM_GLOBALIZATION_INVARIANT");
    }

    // On Linux .NET has no SHA-256 of its own; without OpenSSL no output could be sealed.
    internal static Check Sha256(Func<byte[], byte[]>? hash = null)
    {
        hash ??= SHA256.HashData;
        try
        {
            return Convert.ToHexString(hash("abc"u8.ToArray())).StartsWith("BA7816BF8F01CFEA", StringComparison.Ordinal)
                ? new("sha-256", "works")
                : new("sha-256", "gives a wrong digest", false, "reinstall OpenSSL (libssl)");
        }
        catch (Exception e) when (e is CryptographicException or TypeInitializationException or DllNotFoundException)
        {
            return new("sha-256", $"does not work: {e.Message}", false, "install OpenSSL (libssl3)");
        }
    }

    internal static Check Leftovers(string folder)
    {
        string[] partial = [.. Directory.EnumerateDirectories(folder, ".*.partial-*").Select(path => Path.GetFileName(path)!).Order(StringComparer.Ordinal)];
        return partial.Length == 0
            ? new("leftovers", "no unfinished output in this folder")
            : new("leftovers", $"unfinished output of runs that were killed: {string.Join(", ", partial)}", Hint: "delete these folders unless such a run is still going on");
    }

    private static Check Disk(string folder)
    {
        try
        {
            return new("disk", $"{Format.Bytes(new DriveInfo(Path.GetFullPath(folder)).AvailableFreeSpace)} free in this folder");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return new("disk", $"free space is unknown: {e.Message}");
        }
    }

    private static string CpuModel()
    {
        const string Info = "/proc/cpuinfo";
        string? line = File.Exists(Info) ? File.ReadLines(Info).FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal)) : null;
        return line?[(line.IndexOf(':', StringComparison.Ordinal) + 1)..].Trim() ?? RuntimeInformation.ProcessArchitecture.ToString();
    }

    private static string Vectors()
    {
        (string Name, bool Supported)[] sets =
        [
            ("AVX2", Avx2.IsSupported), ("FMA", Fma.IsSupported), ("AVX-512", Avx512F.IsSupported), ("NEON", AdvSimd.IsSupported),
        ];
        string found = string.Join(", ", sets.Where(set => set.Supported).Select(set => set.Name));
        return found.Length > 0 ? found : $"none beyond the baseline of {RuntimeInformation.ProcessArchitecture}";
    }
}
