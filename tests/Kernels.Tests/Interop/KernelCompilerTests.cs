using System.Text;
using NativeEngine.Kernels.Interop;
using NativeEngine.Kernels.Interop.Native;

namespace NativeEngine.Kernels.Tests.Interop;

/// <summary>NVRTC, which needs neither a driver nor a device.</summary>
[Collection(GpuCollection.Name)]
public sealed class KernelCompilerTests
{
    private const string Scale = "extern \"C\" __global__ void scale(float* x, float factor) { x[threadIdx.x] *= factor; }\n";

    public KernelCompilerTests()
    {
        List<string> reasons = [];
        Skip.If(NativeLibs.Process.TryLoad(Libraries.Nvrtc, reasons) is null, string.Join("; ", reasons));
    }

    [SkippableFact]
    public void Source_becomes_machine_code_and_assembly()
    {
        using KernelCompiler compiler = new(Scale, "scale.cu");
        compiler.Compile("--gpu-architecture=sm_80", "--std=c++17");
        Assert.NotEmpty(compiler.Cubin());
        Assert.Equal(0, compiler.Ptx()[^1]);
    }

    [SkippableFact]
    public void An_error_names_file_and_line()
    {
        using KernelCompiler compiler = new(Scale + "extern \"C\" __global__ void broken() { undeclared = 1; }\n", "broken.cu");
        CudaException error = Assert.Throws<CudaException>(() => compiler.Compile("--gpu-architecture=sm_80"));
        Assert.Equal(("NE8004", ExitCode.Environment, "nvrtcCompileProgram"), (error.Code, error.Exit, error.Call));
        Assert.Matches(@"broken\.cu[(:]2\b.*error", error.Facts);
        Assert.Contains("undeclared", error.Log, StringComparison.Ordinal);
    }

    [SkippableFact]
    public void An_unknown_option_is_refused()
    {
        using KernelCompiler compiler = new(Scale, "scale.cu");
        CudaException error = Assert.Throws<CudaException>(() => compiler.Compile("--no-such-option"));
        Assert.Equal(("NE8004", "NVRTC_ERROR_INVALID_OPTION"), (error.Code, error.StatusName));
    }

    [SkippableFact]
    public void The_compiler_says_which_it_is_and_what_it_knows()
    {
        (string path, Version version) = KernelCompiler.Identity;
        Assert.True(File.Exists(path), path);
        Assert.InRange(version.Major, 11, 13);
        int[] architectures = KernelCompiler.Architectures();
        Assert.Contains(80, architectures);
        Assert.Equal(architectures.Order(), architectures);
    }

    [SkippableFact]
    public void Text_is_passed_on_as_utf8()
    {
        using KernelCompiler compiler = new("// größer 東京\n" + Scale, "größe.cu");
        compiler.Compile("--gpu-architecture=sm_80");
        Assert.Contains("scale", Encoding.UTF8.GetString(compiler.Ptx()), StringComparison.Ordinal);
    }
}
