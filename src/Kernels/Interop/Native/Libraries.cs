using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

// Every declaration in this folder is blittable, so a call is a plain native call: nothing is converted, nothing is allocated.
[assembly: DisableRuntimeMarshalling]
[assembly: DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]

namespace NativeEngine.Kernels.Interop.Native;

/// <summary>What the imports of this folder call their libraries; <see cref="NativeLibs"/> finds the files.</summary>
internal static class Libraries
{
    public const string Driver = "cuda";
    public const string Nvrtc = "nvrtc";
    public const string CuBlas = "cublas";
    public const string CuBlasLt = "cublasLt";
    public const string CuSolver = "cusolver";
    public const string Nvtx = "nvtx";
}
