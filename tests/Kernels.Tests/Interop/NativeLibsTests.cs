using NativeEngine.Kernels.Interop;
using NativeEngine.Kernels.Interop.Native;

namespace NativeEngine.Kernels.Tests.Interop;

/// <summary>Which file is taken, and what is said when there is none. The folders are real, the libraries in them are empty files.</summary>
public sealed class NativeLibsTests : IDisposable
{
    private const string Driver = "libcuda.so.1";
    private static readonly string[] Cuda13 = ["libnvrtc.so.13", "libcublasLt.so.13", "libcublas.so.13", "libcusolver.so.12"];
    private static readonly string[] Cuda12 = ["libnvrtc.so.12", "libcublasLt.so.12", "libcublas.so.12", "libcusolver.so.11"];

    private readonly DirectoryInfo root = Directory.CreateTempSubdirectory("nativeengine-");
    private readonly FakeLoader loader = new();

    public NativeLibsTests() => Skip.If(OperatingSystem.IsWindows(), "the file names are those of Linux");

    public void Dispose() => root.Delete(recursive: true);

    [SkippableFact]
    public void The_newest_complete_release_is_taken()
    {
        Put("a", [.. Cuda12, .. Cuda13, Driver]);
        NativeLibs libs = Libs("a");
        Assert.All(NativeLibs.Toolkit.Zip(Cuda13), pair => Assert.Equal(File("a", pair.Second), libs.Load(pair.First).Path));
        Assert.Equal(new Version(12, 0, 4), libs.Load(Libraries.CuSolver).Version);
    }

    [SkippableFact]
    public void A_release_that_lacks_a_library_is_not_mixed_with_another()
    {
        Put("a", [.. Cuda12, .. Cuda13.Take(3), Driver]);
        NativeLibs libs = Libs("a");
        Assert.All(NativeLibs.Toolkit.Zip(Cuda12), pair => Assert.Equal(File("a", pair.Second), libs.Load(pair.First).Path));
    }

    [SkippableFact]
    public void An_older_driver_gets_the_older_release()
    {
        Put("a", [.. Cuda12, .. Cuda13, Driver]);
        loader.Versions[Driver] = new(12, 4);
        Assert.Equal(File("a", "libcublas.so.12"), Libs("a").Load(Libraries.CuBlas).Path);
    }

    [SkippableFact]
    public void A_driver_that_is_too_old_for_what_is_there_is_said()
    {
        Put("a", [.. Cuda13, Driver]);
        loader.Versions[Driver] = new(12, 4);
        Assert.Equal(
            $"the CUDA library cublas is not usable: CUDA 13 was found in {Folder("a")}, but the driver is for CUDA 12.4",
            Missing(Libs("a"), Libraries.CuBlas));
    }

    [SkippableFact]
    public void A_set_may_be_spread_over_folders()
    {
        Put("driver", Driver);
        Put("nvrtc", "libnvrtc.so.12");
        Put("blas", "libcublas.so.12", "libcublasLt.so.12");
        Put("solver", "libcusolver.so.11");
        NativeLibs libs = Libs("driver", "nvrtc", "blas", "solver");
        Assert.Equal(File("blas", "libcublasLt.so.12"), libs.Load(Libraries.CuBlasLt).Path);
        Assert.Equal(File("solver", "libcusolver.so.11"), libs.Load(Libraries.CuSolver).Path);
    }

    [SkippableFact]
    public void Folders_with_a_driver_hold_everything_or_it_is_missing()
    {
        Put("closed", [Driver, .. Cuda13.Take(3)]);
        loader.System.UnionWith(Cuda13);
        Assert.Equal(
            $"the CUDA library cusolver is not usable: CUDA 13 was found in {Folder("closed")}, but libcusolver.so.12 is missing there",
            Missing(Libs("closed"), Libraries.CuSolver));
        Assert.DoesNotContain(loader.Loaded, file => !Path.IsPathRooted(file));
        Assert.Equal(
            $"the CUDA library nvtx is not usable: libnvtx3interop.so.1 is not in {CudaFolders.Variable}, whose folders hold a driver and so must hold every library",
            Missing(Libs("closed"), Libraries.Nvtx));
    }

    [SkippableTheory]
    [InlineData(Libraries.Nvrtc)]
    [InlineData(Libraries.CuBlas)]
    public void What_the_nearest_release_lacks_is_said_once(string library)
    {
        Put("a", [Driver, "libcublas.so.13", .. Cuda12.Skip(1)]);
        List<string> reasons = [];
        Assert.Null(Libs("a").TryLoad(library, reasons));
        Assert.Equal([$"CUDA 12 was found in {Folder("a")}, but libnvrtc.so.12 is missing there"], reasons);
    }

    [SkippableFact]
    public void Where_there_is_no_release_both_are_listed()
    {
        loader.System.Add(Driver);
        Assert.Equal(
            $"the CUDA library nvrtc is not usable: the libraries of CUDA 13 ({string.Join(", ", Cuda13)}) or CUDA 12 ({string.Join(", ", Cuda12)}) were not found",
            Missing(Libs(), Libraries.Nvrtc));
    }

    [SkippableFact]
    public void Without_a_driver_in_them_the_system_is_asked_as_well()
    {
        Put("open", Cuda13);
        loader.System.Add(Driver);
        NativeLibs libs = Libs("open");
        Assert.Equal("/found/" + Driver, libs.Load(Libraries.Driver).Path);
        Assert.Equal(File("open", "libcublas.so.13"), libs.Load(Libraries.CuBlas).Path);
    }

    [SkippableFact]
    public void Of_drivers_the_one_of_the_systems_loader_comes_first()
    {
        Put("driver", Driver);
        NativeLibs libs = new(new CudaFolders(name => name == "LD_LIBRARY_PATH" ? Path.Combine(root.FullName, "driver") : null, Driver, []), loader);
        loader.System.Add(Driver);
        Assert.Equal("/found/" + Driver, libs.Load(Libraries.Driver).Path);
    }

    [SkippableFact]
    public void Nothing_is_loaded_before_it_is_called()
    {
        Put("a", [.. Cuda13, Driver]);
        NativeLibs libs = Libs("a");
        Assert.Empty(loader.Loaded);
        libs.Load(Libraries.CuBlasLt);
        Assert.DoesNotContain(loader.Loaded, file => file.Contains("cusolver", StringComparison.Ordinal) || file.Contains("nvrtc", StringComparison.Ordinal));
    }

    [SkippableFact]
    public void What_a_library_is_linked_with_is_loaded_before_it()
    {
        Put("a", [.. Cuda12, Driver]);
        Put("b", "libnvJitLink.so.12", "libcusparse.so.12", "libnvrtc-builtins.so.12.0");
        Libs("a", "b").Load(Libraries.CuSolver);
        Assert.Equal(
            [Driver, "libnvJitLink.so.12", "libcusparse.so.12", "libcublasLt.so.12", "libcublas.so.12", "libcusolver.so.11"],
            loader.Loaded.Select(Path.GetFileName));
    }

    [SkippableFact]
    public void The_built_in_functions_of_nvrtc_are_loaded_from_its_folder()
    {
        Put("a", [.. Cuda13, Driver, "libnvrtc-builtins.so.13.0"]);
        Libs("a").Load(Libraries.Nvrtc);
        Assert.Equal(File("a", "libnvrtc-builtins.so.13.0"), loader.Loaded[^1]);
    }

    [SkippableFact]
    public void A_library_of_another_version_than_its_name_says_is_refused()
    {
        Put("debian", [.. Cuda12, Driver]);
        loader.Versions["libcusolver.so.11"] = new(11, 4, 1); // of CUDA 11.8
        Assert.Equal(
            $"the CUDA library cusolver is not usable: {File("debian", "libcusolver.so.11")} is version 11.4.1, not 11.x from 11.4.2 on",
            Missing(Libs("debian"), Libraries.CuSolver));
        Assert.Contains(File("debian", "libcusolver.so.11"), loader.Freed);
    }

    [SkippableFact]
    public void A_file_that_cannot_be_loaded_gives_way_to_the_next()
    {
        Put("broken", Driver);
        Put("good", [Driver, .. Cuda13]);
        loader.Broken[File("broken", Driver)] = "wrong ELF class: ELFCLASS32";
        Assert.Equal(File("good", Driver), Libs("broken", "good").Load(Libraries.Driver).Path);
    }

    [SkippableFact]
    public void The_reason_of_the_system_is_given()
    {
        Put("a", Driver);
        loader.Broken[File("a", Driver)] = "file too short";
        Assert.Equal("the CUDA library cuda is not usable: file too short", Missing(Libs("a"), Libraries.Driver));
    }

    [SkippableFact]
    public void The_compiler_is_found_without_the_rest()
    {
        Put("debian", "libnvrtc.so.11.2");
        NativeLibs libs = Libs("debian");
        Assert.Equal(new Version(11, 8), libs.Load(Libraries.Nvrtc).Version);
        Assert.Equal("NE8002", Assert.Throws<EngineException>(() => libs.Load(Libraries.CuBlas)).Code);
    }

    [SkippableFact]
    public void The_compiler_of_cuda_11_is_the_last_choice()
    {
        Put("a", ["libnvrtc.so.11.2", Driver, .. Cuda12]);
        Assert.Equal(File("a", "libnvrtc.so.12"), Libs("a").Load(Libraries.Nvrtc).Path);
        Put("b", ["libnvrtc.so.11.2", Driver, .. Cuda12.Skip(1)]);
        NativeLibs libs = Libs("b");
        Assert.Equal(File("b", "libnvrtc.so.11.2"), libs.Load(Libraries.Nvrtc).Path);
        Assert.Equal(File("b", "libcublas.so.12"), libs.Load(Libraries.CuBlas).Path);
    }

    [SkippableFact]
    public void Patterns_stand_for_the_folders_that_exist()
    {
        Put("site/cublas/lib", "x");
        Put("site/cusolver/lib", "x");
        Put("site/cufft/include", "x");
        Assert.Equal(
            [Path.Combine(root.FullName, "site", "cusolver", "lib"), Path.Combine(root.FullName, "site", "cublas", "lib")],
            CudaFolders.Expand("$ROOT/site/*/lib", name => name == "ROOT" ? root.FullName : null));
        Assert.Empty(CudaFolders.Expand("$ROOT/site/*/lib", _ => null));
        Assert.Equal([root.FullName], CudaFolders.Expand(root.FullName, _ => null));
    }

    [SkippableFact]
    public void No_driver_is_a_normal_state()
    {
        CudaProbe probe = CudaProbe.Run(Libs("nowhere"));
        Assert.Equal($"no NVIDIA driver: {Driver}: cannot open shared object file", probe.Problem);
        Assert.True(probe.IsAbsent);
        Assert.Empty(probe.Devices);
        Assert.Equal(("driver", null), (Assert.Single(probe.Libraries).Name, probe.Libraries[0].Path));
    }

    [SkippableFact]
    public void Folders_of_no_use_are_named()
    {
        Put("toolkit", Cuda12);
        Put("empty", "README");
        Assert.Equal(
            $"{CudaFolders.Variable} names {Folder("nowhere")}, which is no folder and {Folder("empty")}, which holds no CUDA library",
            Libs("toolkit", "nowhere", "empty").FolderProblem);
        Assert.Null(Libs("toolkit").FolderProblem);
    }

    private static string Missing(NativeLibs libs, string library)
    {
        EngineException error = Assert.Throws<EngineException>(() => libs.Load(library));
        Assert.Equal(("NE8002", ExitCode.Environment), (error.Code, error.Exit));
        return error.Message;
    }

    private void Put(string folder, params string[] files)
    {
        DirectoryInfo created = root.CreateSubdirectory(folder);
        Assert.All(files, file => System.IO.File.WriteAllText(Path.Combine(created.FullName, file), ""));
    }

    private string Folder(string name) => Path.Combine(root.FullName, name);

    private string File(string folder, string file) => Path.Combine(root.FullName, folder, file);

    /// <summary>Libraries of a machine where only these folders are named, and the usual ones hold nothing.</summary>
    private NativeLibs Libs(params string[] folders)
    {
        string named = string.Join(Path.PathSeparator, folders.Select(folder => Path.Combine(root.FullName, folder)));
        return new NativeLibs(new CudaFolders(name => name == CudaFolders.Variable ? named : null, Driver, []), loader);
    }

    private sealed class FakeLoader : ILibraryLoader
    {
        /// <summary>What is found by name alone.</summary>
        public HashSet<string> System { get; } = [];

        public Dictionary<string, string> Broken { get; } = [];

        /// <summary>By file name, where a file does not have the version that its name promises.</summary>
        public Dictionary<string, Version> Versions { get; } = [];

        public List<string> Loaded { get; } = [];

        public List<string> Freed { get; } = [];

        public nint Load(string file)
        {
            string? reason = Broken.GetValueOrDefault(file) ?? (global::System.IO.File.Exists(file) || System.Contains(file) ? null : $"{file}: cannot open shared object file");
            if (reason is not null)
            {
                throw new DllNotFoundException($"Unable to load shared library. Consider using strace.\n{reason}\n");
            }

            if (!Loaded.Contains(file))
            {
                Loaded.Add(file);
            }

            return Loaded.IndexOf(file) + 1;
        }

        public void Free(nint handle) => Freed.Add(Loaded[(int)handle - 1]);

        public Version? Version(string library, nint handle) => Versions.GetValueOrDefault(Path.GetFileName(Loaded[(int)handle - 1])) ?? Path.GetFileName(Loaded[(int)handle - 1]) switch
        {
            Driver => new(13, 0),
            "libnvrtc.so.13" => new(13, 0),
            "libnvrtc.so.12" => new(12, 0),
            "libnvrtc.so.11.2" => new(11, 8),
            "libcusolver.so.12" => new(12, 0, 4),
            "libcusolver.so.11" => new(11, 4, 5),
            string other when other.EndsWith(".13", StringComparison.Ordinal) => new(13, 1, 1),
            string other when other.EndsWith(".12", StringComparison.Ordinal) => new(12, 1, 3),
            _ => null,
        };

        public string Locate(string file) => "/found/" + file;
    }
}
