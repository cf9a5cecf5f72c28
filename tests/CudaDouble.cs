using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace NativeEngine.Testing;

/// <summary>
/// Names the double of the CUDA libraries (tests/cudasim) to the assembly that this file is compiled into, where it was built and the machine has no
/// driver of its own. NATIVEENGINE_CUDA_DIR names another set.
/// </summary>
internal static class CudaDouble
{
    private const string Folders = "NATIVEENGINE_CUDA_DIR", Driver = "libcuda.so.1";

    [ModuleInitializer]
    internal static void Use()
    {
        string folder = Path.Combine(Shared.Root, "artifacts", "cudasim", "cuda12");
        if (Environment.GetEnvironmentVariable(Folders) is null && File.Exists(Path.Combine(folder, Driver)) && !NativeLibrary.TryLoad(Driver, out _))
        {
            Environment.SetEnvironmentVariable(Folders, folder);
        }
    }
}
