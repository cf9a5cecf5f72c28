namespace NativeEngine.Kernels.Interop;

/// <summary>Where the CUDA libraries are looked for: in what the user names, beside the engine, on the loader's path, where installers put them.</summary>
internal sealed class CudaFolders
{
    /// <summary>The environment variable with the user's folders, separated as in PATH.</summary>
    public const string Variable = "NATIVEENGINE_CUDA_DIR";

    /// <summary>Where installers put them: $NAME is an environment variable, * any folder. pip has nvidia/PART/lib for CUDA 12, nvidia/cu13/lib for 13.</summary>
    public static IReadOnlyList<string> Common { get; } = OperatingSystem.IsWindows()
        ? [
            "$CUDA_PATH/bin/x64", "$CUDA_PATH/bin",
            "$CONDA_PREFIX/Library/bin", "$CONDA_PREFIX/Lib/site-packages/nvidia/*/bin", "$CONDA_PREFIX/Lib/site-packages/nvidia/*/bin/x86_64",
            "$VIRTUAL_ENV/Lib/site-packages/nvidia/*/bin", "$VIRTUAL_ENV/Lib/site-packages/nvidia/*/bin/x86_64",
        ]
        : [
            "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib/wsl/lib", "/run/opengl-driver/lib", "/usr/local/nvidia/lib64",
            "$CUDA_PATH/lib64", "$CUDA_HOME/lib64", "/usr/local/cuda/lib64", "/usr/local/cuda-*/lib64", "/opt/cuda/lib64", "$CONDA_PREFIX/lib",
            "$VIRTUAL_ENV/lib/python3*/site-packages/nvidia/*/lib", "$CONDA_PREFIX/lib/python3*/site-packages/nvidia/*/lib",
            "$HOME/.local/lib/python3*/site-packages/nvidia/*/lib",
            "/usr/local/lib/python3*/*-packages/nvidia/*/lib", "/usr/lib/python3*/*-packages/nvidia/*/lib",
        ];

    /// <summary>Reads the environment; <paramref name="driver"/> is the file name of the driver, <paramref name="common"/> the patterns to end with.</summary>
    public CudaFolders(Func<string, string?> environment, string driver, IReadOnlyList<string> common)
    {
        string[] named = [.. Split(environment(Variable)).Select(Path.GetFullPath)];
        IsClosed = named.Any(folder => File.Exists(Path.Combine(folder, driver)));
        IEnumerable<string> others = Split(environment("LD_LIBRARY_PATH")).Prepend(AppContext.BaseDirectory).Concat(common.SelectMany(pattern => Expand(pattern, environment)));
        All = IsClosed ? named : [.. named.Concat(others).Distinct()];
        string[] wrong = [.. named.Where(folder => !LibraryFile.All.Any(file => File.Exists(Path.Combine(folder, file.Name)))).Select(Described)];
        Problem = wrong.Length == 0 ? null : $"{Variable} names {string.Join(" and ", wrong)}";
    }

    /// <summary>The folders; those with a pattern exist.</summary>
    public IReadOnlyList<string> All { get; }

    /// <summary>True when the user's folders hold a driver: then they hold the whole set, and nothing is taken from elsewhere.</summary>
    public bool IsClosed { get; }

    /// <summary>Which of the user's folders are of no use, and why; null where all are. Libraries are looked for elsewhere then, which nobody would expect.</summary>
    public string? Problem { get; }

    /// <summary>The folders that <paramref name="pattern"/> stands for; none where its variable is not set.</summary>
    internal static IEnumerable<string> Expand(string pattern, Func<string, string?> environment)
    {
        string[] segments = pattern.Split('/');
        string? root = segments[0].StartsWith('$') ? environment(segments[0][1..]) : segments[0] + Path.DirectorySeparatorChar;
        IEnumerable<string> folders = string.IsNullOrEmpty(root) ? [] : [root];
        foreach (string segment in segments.Skip(1))
        {
            folders = segment.Contains('*', StringComparison.Ordinal)
                ? folders.Where(Directory.Exists).SelectMany(folder => Subfolders(folder, segment))
                : folders.Select(folder => Path.Combine(folder, segment));
        }

        return folders.Where(Directory.Exists);
    }

    private static string Described(string folder) => Directory.Exists(folder) ? $"{folder}, which holds no CUDA library" : $"{folder}, which is no folder";

    // Of several releases the newest first.
    private static IEnumerable<string> Subfolders(string folder, string pattern) =>
        Directory.EnumerateDirectories(folder, pattern, new EnumerationOptions()).OrderDescending(StringComparer.Ordinal);

    private static string[] Split(string? path) => path?.Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) ?? [];
}
