using System.Security.Cryptography;
using System.Text;
using NativeEngine.Kernels.Interop;

namespace NativeEngine.Kernels.Cuda;

/// <summary>
/// Compiled kernels on disk, so that NVRTC runs once per machine. An entry is named by a hash of all it depends on, and begins with a hash of what it
/// holds: a damaged one is compiled again. Nothing is wrong when the folder cannot be read or written: it only takes longer.
/// </summary>
/// <param name="folder">where the entries are</param>
internal sealed class KernelCache(string folder)
{
    /// <summary>Environment variable with the folder.</summary>
    public const string FolderVariable = "NATIVEENGINE_CACHE";

    /// <summary>The folder that the environment names, or the user's.</summary>
    public static KernelCache Default { get; } = new(FolderIn(Environment.GetEnvironmentVariable));

    /// <summary>What <paramref name="compile"/> makes of a source, from the disk where it is there.</summary>
    /// <param name="source">the whole text</param>
    /// <param name="options">of the compiler, the architecture among them</param>
    /// <param name="compiler">the file that compiles</param>
    /// <param name="compile">makes the code</param>
    public byte[] Get(string source, IEnumerable<string> options, (string Path, Version Version) compiler, Func<byte[]> compile)
    {
        string entry = Path.Combine(folder, Key(source, options, compiler) + ".kernels");
        if (Read(entry) is { } known)
        {
            return known;
        }

        byte[] code = compile();
        Write(entry, code);
        return code;
    }

    /// <summary>NATIVEENGINE_CACHE, or nativeengine in the user's folder for caches.</summary>
    internal static string FolderIn(Func<string, string?> environment) =>
        environment(FolderVariable) is { Length: > 0 } named ? named
        : environment("XDG_CACHE_HOME") is { Length: > 0 } caches && Path.IsPathRooted(caches) ? Path.Combine(caches, "nativeengine")
        : OperatingSystem.IsWindows() ? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData), "nativeengine", "cache")
        : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache", "nativeengine");

    private static string Key(string source, IEnumerable<string> options, (string Path, Version Version) compiler)
    {
        var file = new FileInfo(compiler.Path);
        string identity = file.Exists ? FormattableString.Invariant($"{file.Length} {file.LastWriteTimeUtc.Ticks}") : "";
        string[] parts = [compiler.Path, compiler.Version.ToString(), identity, .. options, source];
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\0', parts))));
    }

    private static byte[]? Read(string entry)
    {
        try
        {
            byte[] bytes = File.ReadAllBytes(entry);
            const int size = SHA256.HashSizeInBytes;
            return bytes.Length > size && SHA256.HashData(bytes.AsSpan(size)).AsSpan().SequenceEqual(bytes.AsSpan(0, size)) ? bytes[size..] : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Under another name first: processes that start together must not read half of an entry.</summary>
    private static void Write(string entry, byte[] code)
    {
        string partial = $"{entry}.{Environment.ProcessId}";
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(entry)!);
            File.WriteAllBytes(partial, [.. SHA256.HashData(code), .. code]);
            File.Move(partial, entry, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // the next process compiles again
        }
    }
}
