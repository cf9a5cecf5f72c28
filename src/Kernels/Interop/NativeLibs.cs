using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using NativeEngine.Kernels.Interop.Native;

namespace NativeEngine.Kernels.Interop;

/// <summary>A library that was loaded.</summary>
/// <param name="Handle">of the system's loader</param>
/// <param name="Path">the file</param>
/// <param name="Version">what it says of itself</param>
internal sealed record LoadedLibrary(nint Handle, string Path, Version? Version);

/// <summary>
/// Finds the CUDA libraries when they are first called, or says why not. NVRTC, cuBLAS, cuBLASLt and cuSOLVER come from one CUDA release,
/// the newest that is complete and that the driver is new enough for. NVRTC alone, without the others, is found as well.
/// </summary>
internal sealed class NativeLibs(CudaFolders folders, ILibraryLoader loader)
{
    private const int LastCompiler = 11; // an NVRTC of this release will do where the chosen one has none: its code runs under every later driver
    private static readonly int[] Releases = [13, 12];

    private readonly Lock guard = new();
    private readonly Dictionary<string, LoadedLibrary> loaded = [];
    private int? release;

    /// <summary>The libraries that come with a CUDA release, apart from the driver.</summary>
    public static IReadOnlyList<string> Toolkit { get; } = [Libraries.Nvrtc, Libraries.CuBlasLt, Libraries.CuBlas, Libraries.CuSolver];

    /// <summary>What is wrong with the folders that the user names; null where nothing is.</summary>
    public string? FolderProblem => folders.Problem;

    /// <summary>Those of this process.</summary>
    public static NativeLibs Process { get; } = new(
        new CudaFolders(Environment.GetEnvironmentVariable, NamesOf(Libraries.Driver).Single().Name, CudaFolders.Common), new LibraryLoader());

    [ModuleInitializer]
    [SuppressMessage("Usage", "CA2255", Justification = "the imports of this assembly must never be resolved by the rules of .NET")]
    internal static void Register() => NativeLibrary.SetDllImportResolver(typeof(NativeLibs).Assembly, (library, _, _) => Process.Load(library).Handle);

    /// <summary>The library behind the imports of <paramref name="library"/>, from its first use on.</summary>
    /// <exception cref="EngineException">NE8002: it cannot be had; the message says what was tried</exception>
    public LoadedLibrary Load(string library)
    {
        List<string> reasons = [];
        return TryLoad(library, reasons) ?? throw new EngineException("NE8002", $"the CUDA library {library} is not usable: {string.Join("; ", reasons)}")
        {
            Key = CudaFolders.Variable,
            Hint = $"install the CUDA 12 or 13 libraries, name their folders in {CudaFolders.Variable}, or run with --device cpu",
        };
    }

    /// <summary>As <see cref="Load"/>, but null where it cannot be had, with what was tried added to <paramref name="reasons"/>.</summary>
    public LoadedLibrary? TryLoad(string library, List<string> reasons)
    {
        lock (guard)
        {
            if (!loaded.TryGetValue(library, out LoadedLibrary? known) && Open(library, reasons) is { } opened)
            {
                known = loaded[library] = opened;
            }

            return known;
        }
    }

    private LoadedLibrary? Open(string library, List<string> reasons)
    {
        int? chosen = Toolkit.Contains(library) ? release ??= Choose(reasons) : 0;
        foreach (LibraryFile file in NamesOf(library).Where(IsCandidate))
        {
            List<string> told = file.Release == chosen ? reasons : []; // a second choice is not what the user has to put right
            string[] paths = [.. Paths(file)];
            if (paths.Length == 0)
            {
                told.Add($"{file.Name} is not in {CudaFolders.Variable}, whose folders hold a driver and so must hold every library");
            }

            foreach (string path in paths)
            {
                if (Open(file, path, told) is { } opened)
                {
                    return opened;
                }
            }
        }

        return null;

        // Of NVRTC also the last one, behind that of the release; and every one where no release is complete, because it compiles without the others.
        bool IsCandidate(LibraryFile file) => file.Release == chosen || (library == Libraries.Nvrtc && (chosen is null || file.Release == LastCompiler));
    }

    private LoadedLibrary? Open(LibraryFile file, string path, List<string> reasons)
    {
        try
        {
            Preload(file);
            nint handle = loader.Load(path);
            Version? version = loader.Version(file.Library, handle);
            if (file.Accepts(version))
            {
                string located = Path.IsPathRooted(path) ? path : loader.Locate(path);
                PreloadBuiltins(file, located, version);
                return new(handle, located, version);
            }

            loader.Free(handle);
            reasons.Add($"{path} is version {version}, not {file.Oldest!.Major}.x from {file.Oldest} on");
        }
        catch (EntryPointNotFoundException e)
        {
            reasons.Add($"{path} is not {file.Library}: {e.Message}");
        }
        catch (Exception e) when (e is DllNotFoundException or BadImageFormatException)
        {
            reasons.Add(Reason(e));
        }

        return null;
    }

    /// <summary>The newest release of which every library is there, and that the driver, where there is one, can run. Where there is none, the reason is
    /// what the release lacks that comes nearest: a list of everything that was tried would hide it.</summary>
    private int? Choose(List<string> reasons)
    {
        Version? driver = TryLoad(Libraries.Driver, [])?.Version;
        (int Missing, string Text)? nearest = null;
        foreach (int candidate in Releases)
        {
            (LibraryFile File, string? Folder)[] found = [.. FilesOf(candidate).Select(file => (file, FolderOf(file)))];
            string[] missing = [.. found.Where(pair => pair.Folder is null && !HasLastCompiler(pair.File)).Select(pair => pair.File.Name)];
            if (missing.Length == 0 && !(driver?.Major < candidate))
            {
                return candidate;
            }

            string[] places = [.. found.Select(pair => pair.Folder).OfType<string>().Distinct()];
            if (places.Length > 0 && !(nearest?.Missing <= missing.Length))
            {
                string lack = missing.Length == 0 ? $"the driver is for CUDA {driver}"
                    : $"{string.Join(", ", missing)} {(missing.Length == 1 ? "is" : "are")} {(folders.IsClosed ? "missing there" : "not found")}";
                nearest = (missing.Length, $"CUDA {candidate} was found in {string.Join(", ", places)}, but {lack}");
            }
        }

        reasons.Add(nearest?.Text ?? NoRelease());
        return null;

        bool HasLastCompiler(LibraryFile file) => file.Library == Libraries.Nvrtc && NamesOf(file.Library).Any(other => other.Release == LastCompiler && FolderOf(other) is not null);
    }

    private string NoRelease()
    {
        string releases = string.Join(" or ", Releases.Select(candidate => $"CUDA {candidate} ({string.Join(", ", FilesOf(candidate).Select(file => file.Name))})"));
        return folders.IsClosed
            ? $"{CudaFolders.Variable} ({string.Join(Path.PathSeparator, folders.All)}) holds a driver and so must hold the libraries of {releases}"
            : $"the libraries of {releases} were not found";
    }

    /// <summary>The files to try: those that exist and, unless the set is closed, what the system finds under the name. Of drivers the system's choice is the
    /// first: beside the driver of the kernel there may be a newer one that runs with it, and only the system's loader knows which is meant.</summary>
    private IEnumerable<string> Paths(LibraryFile file)
    {
        IEnumerable<string> found = folders.All.Select(folder => Path.Combine(folder, file.Name)).Where(File.Exists);
        return folders.IsClosed ? found : file.Library == Libraries.Driver ? found.Prepend(file.Name) : found.Append(file.Name);
    }

    /// <summary>Where the file is; null where it is not.</summary>
    private string? FolderOf(LibraryFile file) => Paths(file).FirstOrDefault(path => Path.IsPathRooted(path) || TryPreload(path)) is { } path
        ? Path.GetDirectoryName(Path.IsPathRooted(path) ? path : loader.Locate(path))
        : null;

    /// <summary>Loads what <paramref name="file"/> is linked with, because wheels spread it over folders in which the system does not look.</summary>
    private void Preload(LibraryFile file)
    {
        string[] needs = file.Library switch
        {
            Libraries.CuBlas => [Libraries.CuBlasLt],
            Libraries.CuSolver => [LibraryFile.NvJitLink, LibraryFile.CuSparse, Libraries.CuBlasLt, Libraries.CuBlas],
            _ => [],
        };
        foreach (string need in needs)
        {
            _ = Paths(NamesOf(need).First(other => other.Release == file.Release)).FirstOrDefault(TryPreload);
        }
    }

    /// <summary>NVRTC opens its built-in functions by name at the first compile, and finds them where the system looks or when they are loaded.</summary>
    private void PreloadBuiltins(LibraryFile file, string path, Version? version)
    {
        if (file.Library == Libraries.Nvrtc && version is not null)
        {
            string name = OperatingSystem.IsWindows()
                ? $"nvrtc-builtins64_{version.Major}{version.Minor}.dll"
                : $"libnvrtc-builtins.so.{version.Major}.{version.Minor}";
            TryPreload(Path.Combine(Path.GetDirectoryName(path) ?? "", name));
        }
    }

    private bool TryPreload(string path)
    {
        try
        {
            return loader.Load(path) != 0;
        }
        catch (Exception e) when (e is DllNotFoundException or BadImageFormatException)
        {
            return false; // what is needed and missing shows when the library itself is loaded
        }
    }

    private static IEnumerable<LibraryFile> FilesOf(int release) => Toolkit.Select(library => NamesOf(library).First(file => file.Release == release));

    private static IEnumerable<LibraryFile> NamesOf(string library) => LibraryFile.All.Where(file => file.Library == library);

    // .NET explains at length how to debug and puts what the system said last.
    private static string Reason(Exception e) => e.Message.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)[^1];
}
