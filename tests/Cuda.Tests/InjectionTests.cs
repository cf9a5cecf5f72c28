using System.Reflection;
using System.Runtime.InteropServices;
using NativeEngine.Kernels;
using NativeEngine.Kernels.Cuda;
using NativeEngine.Kernels.Interop;
using NativeEngine.Kernels.Interop.Native;
using Native = NativeEngine.Kernels.Interop.Native.Cuda;

namespace NativeEngine.Cuda.Tests;

/// <summary>
/// Every native call fails once, at every place where it is made: the exception says which and with what sizes, nothing stays on the device, and what
/// comes next in this process works. The double plays the failures.
/// </summary>
[Collection(DeviceCollection.Name)]
public sealed class InjectionTests
{
    /// <summary>Every function that is imported, but those of NVTX: they report nothing, and the engine does without the library.</summary>
    public static TheoryData<string> Imports => [.. typeof(Nvrtc).Assembly.GetTypes()
        .Where(type => type.Namespace == typeof(Nvrtc).Namespace && type != typeof(Nvtx))
        .SelectMany(type => type.GetMethods(BindingFlags.Static | BindingFlags.Public | BindingFlags.DeclaredOnly))
        .Where(method => method.GetCustomAttribute<LibraryImportAttribute>() is not null)
        .Select(method => method.Name)];

    [SkippableTheory]
    [MemberData(nameof(Imports))]
    public void A_failure_is_told_and_leaves_nothing_behind(string call)
    {
        InjectedCall expected = InjectedCall.All[call];
        Device.Open();
        Skip.IfNot(Device.IsDouble, "a GPU does not fail on demand");
        Device.Close();
        using var unguarded = new Variable(DevicePool.GuardVariable, null);
        Workload.Run();
        Device.CheckReport("without a failure");

        int failures = 0;
        while (Failure(expected, failures + 1) is { } error)
        {
            failures++;
            Assert.Equal((expected.Code, expected.Told, expected.Status), (error.Code, error.Call, error.StatusCode));
            Assert.True(failures > 1 || (error.Facts ?? "").StartsWith(expected.Facts, StringComparison.Ordinal), error.Facts);
            Device.CheckReport($"{call}, failure {failures}");
        }

        Assert.Equal(expected.Ending != Ending.Kept, failures > 0);
        string left = Device.Report();
        Assert.True(left.Length == 0 || expected.Ending is Ending.Kept or Ending.ThrownOrKept, left);
        Workload.Run();
        Device.CheckReport("after the failures");
    }

    /// <summary>The exception of a run in which the call fails the n-th time it is made; null where none comes, because the call is made less often or quietly.</summary>
    private static CudaException? Failure(InjectedCall injected, int n)
    {
        using IDisposable fault = Device.Configured("CUDASIM_FAIL", injected.Rule(n), afterwards: "");
        CudaException? error = Record.Exception(Workload.Run) switch
        {
            null => null,
            CudaException e => e,
            Exception other => throw new InvalidOperationException($"{injected.Name}, failure {n}", other),
        };
        Assert.False(GpuFault.IsLatched);
        if (injected.Name == nameof(Native.cuDevicePrimaryCtxRelease_v2))
        {
            Assert.Equal(CUresult.CUDA_SUCCESS, Native.cuDevicePrimaryCtxRelease_v2(0)); // what is kept here would keep the context of all that follows
        }

        return error;
    }
}
