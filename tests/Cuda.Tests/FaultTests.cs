using System.Runtime.Versioning;
using System.Text.Json;
using NativeEngine.Kernels;
using NativeEngine.Kernels.Interop;
using NativeEngine.Kernels.Interop.Native;
using NativeEngine.Testing;
using Native = NativeEngine.Kernels.Interop.Native.Cuda;

namespace NativeEngine.Cuda.Tests;

/// <summary>How a process ends when the GPU or its libraries fail: by the exit code that the README promises, with nothing partial left.</summary>
[Collection(DeviceCollection.Name)]
public sealed class FaultTests : IDisposable
{
    private const string Fail = "CUDASIM_FAIL", Cache = "NATIVEENGINE_CACHE", DoubleCache = "CUDASIM_CACHE";
    private static readonly string Model = Shared.Fixture("llama-mha");
    private readonly string folder = Directory.CreateTempSubdirectory("ne-faults-").FullName, tokens;

    public FaultTests()
    {
        Device.Open();
        Skip.IfNot(Device.IsDouble, "a GPU does not fail on demand");
        tokens = Tokens.File(In("text"), vocab: 512, rows: 8).Path;
    }

    [SkippableTheory]
    [InlineData(214)]
    [InlineData(220)]
    [InlineData(226)]
    [InlineData(700)]
    [InlineData(702)]
    [InlineData(709)]
    [InlineData(710)]
    [InlineData(714)]
    [InlineData(715)]
    [InlineData(716)]
    [InlineData(717)]
    [InlineData(718)]
    [InlineData(719)]
    [InlineData(721)]
    public void After_a_fault_no_call_is_made_and_the_process_ends_with_9(int status)
    {
        Outcome whole = Slice("whole", ("CUDASIM_TRACE", In("whole.trace")));
        Assert.True(whole.Exit == 0, whole.Error);
        Outcome outcome = Slice("out", ("CUDASIM_TRACE", In("fault.trace")), (Fail, $"cuLaunchKernel@60={status}"));
        JsonElement error = outcome.Failed(9);
        Assert.Equal(("NE9001", "cuda:0"), (error.GetProperty("code").GetString(), error.GetProperty("key").GetString()));
        Assert.Contains($"({status})", error.GetProperty("message").GetString(), StringComparison.Ordinal);
        Assert.True(error.GetProperty("retryable").GetBoolean());

        // What was done is what an undisturbed run does up to there: no launch, no copy, nothing given back.
        string[] expected = Trace("whole.trace"), done = Trace("fault.trace");
        Assert.InRange(done.Length, 60, expected.Length - 1);
        Assert.Equal(expected[..done.Length], done);
        Assert.Empty(Directory.GetFileSystemEntries(folder, "*out*"));
    }

    [SkippableTheory]
    [InlineData("cublasLtMatmul@3=13", "CUBLAS_STATUS_EXECUTION_FAILED (13)")]
    [InlineData("cublasLtMatmul@3=14", "CUBLAS_STATUS_INTERNAL_ERROR (14)")]
    [InlineData("cusolverDnXsyevd@1=6", "CUSOLVER_STATUS_EXECUTION_FAILED (6)")]
    public void A_fault_that_a_library_meets_is_named(string met, string told)
    {
        JsonElement error = Slice("out", (Fail, $"{met},cuCtxSynchronize@1=700")).Failed(9);
        string message = error.GetProperty("message").GetString()!;
        Assert.Equal("NE9001", error.GetProperty("code").GetString());
        Assert.StartsWith("cuCtxSynchronize on cuda:0 returned CUDA_ERROR_ILLEGAL_ADDRESS (700): a kernel accessed memory that it does not own; ", message, StringComparison.Ordinal);
        Assert.EndsWith($"met it and returned {told}", message, StringComparison.Ordinal);
    }

    [SkippableFact]
    public void A_kernel_that_fails_is_named_where_a_product_meets_it()
    {
        Device.Close();
        try
        {
            CudaException error = FailInFrontOfProduct();
            Assert.Equal(("NE9001", "cuCtxSynchronize", 700), (error.Code, error.Call, error.StatusCode));
            Assert.Contains("cublasGemmStridedBatchedEx_64 met it and returned CUBLAS_STATUS_EXECUTION_FAILED (13)", error.Facts, StringComparison.Ordinal);
            Assert.True(GpuFault.IsLatched);
        }
        finally
        {
            GpuFault.Forget();
            Assert.Equal(CUresult.CUDA_SUCCESS, Native.cuDevicePrimaryCtxRelease_v2(0)); // after a fault the engine gives nothing back
        }

        Assert.Contains("behind its end", Device.Report(), StringComparison.Ordinal);
    }

    [SkippableTheory]
    [InlineData(711)]
    [InlineData(712)]
    [InlineData(713)]
    public void An_error_that_does_not_stick_gives_everything_back(int status)
    {
        Outcome outcome = Slice("out", (Fail, $"cuLaunchKernel@60={status}"));
        Assert.Equal("NE9002", outcome.Failed(9).GetProperty("code").GetString());
        Assert.DoesNotContain("cudasim:", outcome.Error, StringComparison.Ordinal);
    }

    [SkippableFact]
    public void Behind_a_fault_tuning_goes_on_from_the_last_state()
    {
        string line = $"tune {Model} {In("out")} --format text --data {tokens} --steps 4 --batch 4 --micro-batch 2 --warmup 1 --rank 4";
        TuneOptions options = new(Model, In("out"), new TextSource(tokens)) { Format = TuneFormat.Text, Steps = 4, Batch = 4, MicroBatch = 2, Warmup = 1, Rank = 4 };
        using (var stop = new CancellationTokenSource())
        using (Session session = new("cuda", reporter: new Stopper(stop), cancel: stop.Token))
        {
            Assert.Throws<OperationCanceledException>(() => Verbs.Tune(session, options));
        }

        Assert.Equal(9, CommandLine.Run($"{line} --resume", (Fail, "cuLaunchKernel@300=700")).Exit);
        Assert.True(Directory.Exists(In("out.tune/checkpoint-2")));
        Outcome resumed = CommandLine.Run($"{line} --resume"), whole = CommandLine.Run(line.Replace(In("out"), In("whole"), StringComparison.Ordinal));
        Assert.True(resumed.Exit == 0 && whole.Exit == 0, resumed.Error + whole.Error);
        Assert.Equal(File.ReadAllBytes(In("whole/adapter_model.safetensors")), File.ReadAllBytes(In("out/adapter_model.safetensors")));
    }

    [SkippableFact]
    public void A_driver_that_is_too_old_is_named() =>
        Assert.Equal("device 'cuda' is not usable: the driver is for CUDA 11.8, 12.0 or later is needed", Unusable(("CUDASIM_DRIVER", "11080")));

    [SkippableFact]
    public void No_device_is_said() => Assert.Equal("device 'cuda' is not usable: the driver shows no device", Unusable(("CUDASIM_DEVICES", "0"), ("CUDA_VISIBLE_DEVICES", null)));

    [SkippableFact]
    public void Libraries_that_are_missing_are_named()
    {
        string driver = Path.Combine(Environment.GetEnvironmentVariable(CommandLine.Folders)!, "libcuda.so.1");
        File.CreateSymbolicLink(In("libcuda.so.1"), driver);
        string message = Unusable((CommandLine.Folders, folder));
        Assert.All(["libnvrtc.so.12", "libcublas.so.12", "libcublasLt.so.12", "libcusolver.so.11"], library => Assert.Equal(2, message.Split(library).Length));
    }

    [SkippableFact]
    public void No_driver_is_said()
    {
        Skip.If(System.Runtime.InteropServices.NativeLibrary.TryLoad("libcuda.so.1", out _), "this machine has a driver");
        Assert.StartsWith("device 'cuda' is not usable: no NVIDIA driver: ", Unusable((CommandLine.Folders, null)), StringComparison.Ordinal);
    }

    [SkippableTheory]
    [InlineData(803)]
    [InlineData(804)]
    [InlineData(999)]
    public void A_driver_that_fails_is_not_passed_over(int status)
    {
        JsonElement error = CommandLine.RunAnywhere($"slice {Model} {In("out")} --sparsity 0.25 --calibration {tokens}", (Fail, $"cuInit@1+={status}")).Failed(8);
        Assert.Equal("NE8001", error.GetProperty("code").GetString());
        Assert.Contains($"({status})", error.GetProperty("message").GetString(), StringComparison.Ordinal);
        Assert.Equal(8, CommandLine.RunAnywhere("doctor", (Fail, $"cuInit@1+={status}")).Exit);
    }

    [SkippableFact]
    public void Where_there_is_no_device_the_cpu_is_taken_and_why_is_said()
    {
        Outcome outcome = CommandLine.RunAnywhere(
            $"slice {Model} {In("out")} --sparsity 0.25 --calibration {tokens}", ("CUDASIM_DEVICES", "0"), ("CUDA_VISIBLE_DEVICES", null));
        Assert.True(outcome.Exit == 0, outcome.Error);
        Assert.Contains("note: device: cpu (the driver shows no device)\n", outcome.Error, StringComparison.Ordinal);
        Assert.Equal(0, CommandLine.RunAnywhere("doctor", ("CUDASIM_DEVICES", "0")).Exit);
    }

    [SkippableFact]
    public void Folders_that_are_not_there_are_said()
    {
        Skip.If(System.Runtime.InteropServices.NativeLibrary.TryLoad("libcuda.so.1", out _), "this machine has a driver");
        Assert.EndsWith($"; NATIVEENGINE_CUDA_DIR names {In("nowhere")}, which is no folder", Unusable((CommandLine.Folders, In("nowhere"))), StringComparison.Ordinal);
        Assert.Contains($"names {In("nowhere")}", CommandLine.RunAnywhere("doctor", (CommandLine.Folders, In("nowhere"))).Out, StringComparison.Ordinal);
    }

    [SkippableFact]
    public void A_device_that_others_have_filled_is_out_of_memory()
    {
        JsonElement error = Slice("out", (Fail, "cuDevicePrimaryCtxRetain@1+=2")).Failed(7);
        Assert.Equal(("NE7002", true), (error.GetProperty("code").GetString(), error.GetProperty("retryable").GetBoolean()));
        Assert.StartsWith("free the GPU's memory", error.GetProperty("hint").GetString(), StringComparison.Ordinal);
    }

    [SkippableFact]
    public void A_device_that_is_not_there_is_said_with_those_that_are()
    {
        JsonElement error = CommandLine.RunAnywhere($"eval perplexity {Model} --text {tokens} --device cuda:5", ("CUDASIM_DEVICES", "2")).Failed(8);
        Assert.Equal("cpu, cuda:0, cuda:1", error.GetProperty("expected").GetString());
        Assert.StartsWith("there is no such device", error.GetProperty("hint").GetString(), StringComparison.Ordinal);
    }

    [SkippableTheory]
    [InlineData("cublasCreate_v2@1=1")]
    [InlineData("cublasLtCreate@1=1")]
    [InlineData("cublasLtMatmul@1=14")]
    [InlineData("cublasLtMatmul@2=14")]
    [InlineData("cusolverDnCreate@1=1")]
    [InlineData("cusolverDnXsyevd@1=7")]
    [InlineData("cuModuleLoadData@1=222")]
    [InlineData("cuLaunchKernel@1=700")]
    [InlineData("nvrtcCompileProgram@1=6")]
    public void Doctor_has_every_library_do_something(string fault)
    {
        Outcome outcome = CommandLine.RunAnywhere("doctor", (Fail, fault), (Cache, In("kernels")));
        Assert.Equal(8, outcome.Exit);
        Assert.Contains(fault.Split('@')[0], outcome.Json.GetProperty("checks").EnumerateArray().Last().GetProperty("value").GetString(), StringComparison.Ordinal);
    }

    [SkippableFact]
    public void Kernels_that_are_not_for_this_device_are_refused()
    {
        JsonElement error = Slice("out", (Fail, "cuModuleLoadData@1=209")).Failed(8);
        Assert.Equal("NE8003", error.GetProperty("code").GetString());
        Assert.Contains("CUDA_ERROR_NO_BINARY_FOR_GPU (209)", error.GetProperty("message").GetString(), StringComparison.Ordinal);
    }

    [SkippableFact]
    [UnsupportedOSPlatform("windows")] // as the double
    public void What_NVRTC_says_is_shown_with_its_line()
    {
        string compiler = In("g++");
        File.WriteAllText(compiler, "#!/bin/sh\necho \"kernels.cu:12:5: error: no such intrinsic\" >&2\nexit 1\n");
        File.SetUnixFileMode(compiler, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        Outcome outcome = CommandLine.Run(
            $"eval perplexity {Model} --text {tokens} --verbose", ("CUDASIM_CXX", compiler), (DoubleCache, In("double")), (Cache, In("kernels")));
        JsonElement error = outcome.Failed(8);
        Assert.Equal("NE8004", error.GetProperty("code").GetString());
        Assert.Contains("kernels.cu(12): error: no such intrinsic", error.GetProperty("message").GetString(), StringComparison.Ordinal);
        Assert.Contains("kernels.cu(12): error: no such intrinsic", outcome.Error, StringComparison.Ordinal);
    }

    public void Dispose() => Directory.Delete(folder, recursive: true);

    /// <summary>What a product says behind a kernel that writes outside its memory.</summary>
    private static unsafe CudaException FailInFrontOfProduct()
    {
        using CudaContext context = new(0);
        using CudaStream stream = new(context);
        using DeviceMemory workspace = new(context, 1 << 20), numbers = new(context, 128);
        using CuBlasHandle blas = new(stream, workspace);
        using KernelCompiler compiler = new("extern \"C\" __global__ void clear(float* x) { x[threadIdx.x] = 0; }\n", "clear.cu");
        compiler.Compile("--gpu-architecture=sm_90");
        using CudaModule module = new(context, compiler.Cubin(), "clear");
        nint outside = numbers.Handle + 64;
        void** arguments = stackalloc void*[] { &outside };
        module.Kernel("clear").Launch(stream, new(1), new(32), 0, arguments);
        using IDisposable fault = Device.Configured(Fail, "cublasGemmStridedBatchedEx_64@1=13", afterwards: "");
        DeviceMatrix a = new(workspace.Handle, DType.F64, 2);
        return Assert.Throws<CudaException>(() => blas.Gemm(a with { Address = a.Address + 1024 }, a, a, false, false, 2, 2, 2, 1, 0));
    }

    /// <summary>What a run did; whether it had to compile depends on those before it.</summary>
    private string[] Trace(string name) => [.. File.ReadLines(In(name)).Where(line => !line.StartsWith("compile ", StringComparison.Ordinal))];

    private Outcome Slice(string output, params ReadOnlySpan<(string, string?)> environment) =>
        CommandLine.Run($"slice {Model} {In(output)} --sparsity 0.25 --calibration {tokens}", environment);

    private string Unusable(params ReadOnlySpan<(string, string?)> environment)
    {
        JsonElement error = Slice("out", environment).Failed(8);
        Assert.Equal("NE8001", error.GetProperty("code").GetString());
        return error.GetProperty("message").GetString()!;
    }

    private string In(string name) => Path.Combine(folder, name);

    /// <summary>Stops a run behind its second step.</summary>
    private sealed class Stopper(CancellationTokenSource source) : IReporter
    {
        public void Phase(string name, long total, long done = 0) { }

        public void Step(long done, string? detail = null)
        {
            if (done == 2)
            {
                source.Cancel();
            }
        }

        public void Notice(string message) { }
    }
}
