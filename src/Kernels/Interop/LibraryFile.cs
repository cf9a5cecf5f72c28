using NativeEngine.Kernels.Interop.Native;

namespace NativeEngine.Kernels.Interop;

/// <summary>What a library is called in one CUDA release.</summary>
/// <param name="Library">its name in the imports</param>
/// <param name="Release">major version of CUDA; 0 where the name is the same in all</param>
/// <param name="Linux">soname</param>
/// <param name="Windows">file name</param>
/// <param name="Oldest">the oldest version of the release; null where versions do not matter</param>
internal sealed record LibraryFile(string Library, int Release, string Linux, string Windows, Version? Oldest = null)
{
    /// <summary>What cuSOLVER is linked with, without being imported itself.</summary>
    public const string NvJitLink = "nvJitLink", CuSparse = "cusparse";

    /// <summary>All of them, the newest release first.</summary>
    public static IReadOnlyList<LibraryFile> All { get; } =
    [
        new(Libraries.Driver, 0, "libcuda.so.1", "nvcuda.dll"),
        new(Libraries.Nvtx, 0, "libnvtx3interop.so.1", "nvtx3interop.dll"),
        new(Libraries.Nvrtc, 13, "libnvrtc.so.13", "nvrtc64_130_0.dll", new(13, 0)),
        new(Libraries.Nvrtc, 12, "libnvrtc.so.12", "nvrtc64_120_0.dll", new(12, 0)),
        new(Libraries.Nvrtc, 11, "libnvrtc.so.11.2", "nvrtc64_112_0.dll", new(11, 2)),
        new(Libraries.CuBlasLt, 13, "libcublasLt.so.13", "cublasLt64_13.dll", new(13, 0)),
        new(Libraries.CuBlasLt, 12, "libcublasLt.so.12", "cublasLt64_12.dll", new(12, 0)),
        new(Libraries.CuBlas, 13, "libcublas.so.13", "cublas64_13.dll", new(13, 0)),
        new(Libraries.CuBlas, 12, "libcublas.so.12", "cublas64_12.dll", new(12, 0)),
        new(NvJitLink, 13, "libnvJitLink.so.13", "nvJitLink_130_0.dll"),
        new(NvJitLink, 12, "libnvJitLink.so.12", "nvJitLink_120_0.dll"),
        new(CuSparse, 13, "libcusparse.so.12", "cusparse64_12.dll"),
        new(CuSparse, 12, "libcusparse.so.12", "cusparse64_12.dll"),
        new(Libraries.CuSolver, 13, "libcusolver.so.12", "cusolver64_12.dll", new(12, 0)),
        new(Libraries.CuSolver, 12, "libcusolver.so.11", "cusolver64_11.dll", new(11, 4, 2)), // CUDA 11 has the same soname, up to 11.4.1
    ];

    /// <summary>The file's name on this system.</summary>
    public string Name => OperatingSystem.IsWindows() ? Windows : Linux;

    /// <summary>Whether a library of this version belongs to the release.</summary>
    public bool Accepts(Version? version) => Oldest is null || (version is not null && version.Major == Oldest.Major && version >= Oldest);
}
