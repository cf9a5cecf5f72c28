using System.Diagnostics;
using System.Runtime.InteropServices;
using NativeEngine.Kernels.Interop.Native;

namespace NativeEngine.Kernels.Interop;

/// <summary>What <see cref="NativeLibs"/> asks of the system. Tests put another one in its place.</summary>
internal interface ILibraryLoader
{
    /// <summary>Loads a file by its path, or by its name along the system's own path.</summary>
    /// <exception cref="DllNotFoundException">with the system's reason in its last line</exception>
    nint Load(string file);

    /// <summary>Gives a library back.</summary>
    void Free(nint handle);

    /// <summary>What the library itself says its version is; null for one that has none to tell.</summary>
    /// <exception cref="EntryPointNotFoundException">it is not the library that its name promises</exception>
    Version? Version(string library, nint handle);

    /// <summary>The path of the file that was loaded by the name <paramref name="file"/>.</summary>
    string Locate(string file);
}

/// <summary>The loader of the operating system.</summary>
internal sealed unsafe class LibraryLoader : ILibraryLoader
{
    public nint Load(string file) => NativeLibrary.Load(file);

    public void Free(nint handle) => NativeLibrary.Free(handle);

    // These calls need no device, and no library but this one.
    public Version? Version(string library, nint handle)
    {
        switch (library)
        {
            case Libraries.Driver:
                int cuda = 0;
                ((delegate* unmanaged<int*, int>)NativeLibrary.GetExport(handle, "cuDriverGetVersion"))(&cuda);
                return new(cuda / 1000, cuda % 1000 / 10);

            case Libraries.Nvrtc:
                (int major, int minor) = (0, 0);
                ((delegate* unmanaged<int*, int*, int>)NativeLibrary.GetExport(handle, "nvrtcVersion"))(&major, &minor);
                return new(major, minor);

            case Libraries.CuBlasLt:
                int number = (int)((delegate* unmanaged<nuint>)NativeLibrary.GetExport(handle, "cublasLtGetVersion"))();
                return new(number / 10_000, number / 100 % 100, number % 100);

            case Libraries.CuBlas or Libraries.CuSolver:
                var property = (delegate* unmanaged<int, int*, int>)NativeLibrary.GetExport(handle, $"{library}GetProperty");
                int* parts = stackalloc int[3];
                for (int part = 0; part < 3; part++)
                {
                    property(part, parts + part);
                }

                return new(parts[0], parts[1], parts[2]);

            default:
                return null;
        }
    }

    public string Locate(string file)
    {
        string stem = file.Split(".so", 2)[0] + ".so"; // on Linux the module is what a link points to: libcuda.so.1 is libcuda.so.580.65
        using Process self = Process.GetCurrentProcess();
        return self.Modules.Cast<ProcessModule>()
            .FirstOrDefault(module => module.ModuleName == file || module.ModuleName.StartsWith(stem, StringComparison.Ordinal))?.FileName ?? file;
    }
}
