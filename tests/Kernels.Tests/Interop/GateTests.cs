using NativeEngine.Kernels.Interop;
using NativeEngine.Kernels.Interop.Native;

namespace NativeEngine.Kernels.Tests.Interop;

/// <summary>What a status becomes. Statuses are given by hand: no library is needed, and none of a fault is called.</summary>
[Collection(GpuCollection.Name)]
public sealed class GateTests : IDisposable
{
    public void Dispose() => GpuFault.Forget();

    [Theory]
    [InlineData(CUresult.CUDA_ERROR_OUT_OF_MEMORY, "NE7002", ExitCode.OutOfMemory)]
    [InlineData(CUresult.CUDA_ERROR_NO_DEVICE, "NE8003", ExitCode.Environment)]
    [InlineData(CUresult.CUDA_ERROR_UNSUPPORTED_PTX_VERSION, "NE8003", ExitCode.Environment)]
    [InlineData(CUresult.CUDA_ERROR_INVALID_VALUE, "NE1001", ExitCode.InternalBug)]
    [InlineData((CUresult)711, "NE9002", ExitCode.GpuFault)]
    [InlineData((CUresult)712, "NE9002", ExitCode.GpuFault)]
    [InlineData((CUresult)713, "NE9002", ExitCode.GpuFault)]
    [InlineData(CUresult.CUDA_ERROR_UNKNOWN, "NE9002", ExitCode.GpuFault)]
    [InlineData(cublasStatus_t.CUBLAS_STATUS_ALLOC_FAILED, "NE7002", ExitCode.OutOfMemory)]
    [InlineData(cublasStatus_t.CUBLAS_STATUS_INVALID_VALUE, "NE1001", ExitCode.InternalBug)]
    [InlineData(cublasStatus_t.CUBLAS_STATUS_EXECUTION_FAILED, "NE9002", ExitCode.GpuFault)]
    [InlineData(cublasStatus_t.CUBLAS_STATUS_ARCH_MISMATCH, "NE8003", ExitCode.Environment)]
    [InlineData(cusolverStatus_t.CUSOLVER_STATUS_ALLOC_FAILED, "NE7002", ExitCode.OutOfMemory)]
    [InlineData(cusolverStatus_t.CUSOLVER_STATUS_INVALID_VALUE, "NE1001", ExitCode.InternalBug)]
    [InlineData(cusolverStatus_t.CUSOLVER_STATUS_INTERNAL_ERROR, "NE9002", ExitCode.GpuFault)]
    [InlineData(nvrtcResult.NVRTC_ERROR_COMPILATION, "NE8004", ExitCode.Environment)]
    [InlineData(nvrtcResult.NVRTC_ERROR_OUT_OF_MEMORY, "NE7002", ExitCode.OutOfMemory)]
    public void A_status_has_a_code(Enum status, string code, ExitCode exit)
    {
        CudaException error = Thrown(status);
        Assert.Equal((code, exit, status.ToString("D")), (error.Code, error.Exit, error.StatusCode.ToString()));
        Assert.False(GpuFault.IsLatched);
    }

    [Theory]
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
    public void After_a_fault_no_call_is_made(int status)
    {
        using Caller caller = new();
        CudaException fault = Assert.Throws<CudaException>(() => Gate.Of(caller).Check((CUresult)status));
        Assert.Equal(("NE9001", ExitCode.GpuFault), (fault.Code, fault.Exit));

        int calls = 0;
        CudaException again = Assert.Throws<CudaException>(() => Gate.Open.Check(Call(ref calls)));
        Assert.Equal((0, fault.Message, fault.StatusCode), (calls, again.Message, again.StatusCode));
    }

    [Fact]
    public void A_device_that_cannot_be_opened_takes_none_from_the_process()
    {
        Assert.Equal("NE9001", Thrown(CUresult.CUDA_ERROR_ECC_UNCORRECTABLE).Code);
        Assert.False(GpuFault.IsLatched);
    }

    [Fact]
    public void The_first_fault_is_the_one_that_is_told()
    {
        using Caller caller = new();
        CudaException first = Assert.Throws<CudaException>(() => Gate.Of(caller).Check(CUresult.CUDA_ERROR_ILLEGAL_ADDRESS));
        GpuFault.Latch(new CudaException(Status.Of(CUresult.CUDA_ERROR_LAUNCH_FAILED), "cuMemFree_v2", null, null));
        Assert.Same(first, Assert.Throws<CudaException>(() => Gate.Open).InnerException);
    }

    [Fact]
    public void A_message_names_the_call_and_the_facts()
    {
        (int rows, long columns) = (3, 70_000);
        CudaException error = Assert.Throws<CudaException>(() => Gate.Open.Check(Fail(cublasStatus_t.CUBLAS_STATUS_INTERNAL_ERROR), $"{rows} x {columns:N0}"));
        Assert.Equal(("Fail", "3 x 70,000", null), (error.Call, error.Facts, error.Device));
        Assert.Equal("Fail returned CUBLAS_STATUS_INTERNAL_ERROR (14); 3 x 70,000", error.Message);
    }

    [Fact]
    public void Facts_are_put_together_only_for_a_failure()
    {
        int read = 0;
        Gate.Open.Check(Fail(nvrtcResult.NVRTC_SUCCESS), $"{++read}");
        Assert.Equal(0, read);
        Assert.Throws<CudaException>(() => Gate.Open.Check(Fail(nvrtcResult.NVRTC_ERROR_INVALID_INPUT), $"{++read}"));
        Assert.Equal(1, read);
    }

    [Fact]
    public void A_call_that_succeeds_allocates_nothing()
    {
        long bytes = 7;
        CallOften(bytes);
        long before = GC.GetAllocatedBytesForCurrentThread();
        CallOften(bytes);
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    [Fact]
    public void The_log_of_a_compiler_is_kept()
    {
        CudaException error = Gate.Open.Error(nvrtcResult.NVRTC_ERROR_COMPILATION, "nvrtcCompileProgram", "k.cu(3): error: no", "line 1\nline 2");
        Assert.Equal("nvrtcCompileProgram returned NVRTC_ERROR_COMPILATION (6); k.cu(3): error: no", error.Message);
        Assert.EndsWith("line 1\nline 2", error.ToString(), StringComparison.Ordinal);
    }

    private static void CallOften(long bytes)
    {
        for (int i = 0; i < 1000; i++)
        {
            Gate.Open.Check(Fail(CUresult.CUDA_SUCCESS), $"{bytes} bytes");
        }
    }

    private static CudaException Thrown(Enum status) => Assert.Throws<CudaException>(() =>
    {
        switch (status)
        {
            case CUresult cuda: Gate.Open.Check(cuda); break;
            case cublasStatus_t blas: Gate.Open.Check(blas); break;
            case cusolverStatus_t solver: Gate.Open.Check(solver); break;
            case nvrtcResult compiler: Gate.Open.Check(compiler); break;
        }
    });

    private static T Fail<T>(T status) => status;

    private static CUresult Call(ref int calls)
    {
        calls++;
        return CUresult.CUDA_SUCCESS;
    }

    /// <summary>Stands for a native object.</summary>
    private sealed class Caller : CudaHandle
    {
        public Caller() : base(null) => Own(1);

        protected override bool Destroy() => true;
    }
}
