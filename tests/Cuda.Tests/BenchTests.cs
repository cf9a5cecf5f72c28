using NativeEngine.Bench;
using NativeEngine.Kernels;
using NativeEngine.Kernels.Cuda;

namespace NativeEngine.Cuda.Tests;

/// <summary>What is timed on a device: every op that it has, in every type that models compute in.</summary>
[Collection(DeviceCollection.Name)]
public sealed class BenchTests
{
    [SkippableTheory]
    [InlineData(DType.F32)]
    [InlineData(DType.BF16)]
    [InlineData(DType.F16)]
    public void Every_op_of_the_device_is_timed(DType dtype)
    {
        CudaBackend device = Device.Open();
        using var cases = new KernelCases(device, dtype, 32, 32);
        KernelCase[] all = [.. cases.All];
        foreach (KernelCase test in all)
        {
            test.Run();
        }

        device.Synchronize();
        Op[] has = [.. Enum.GetValues<Op>().Where(op => device.Supports(op, op is Op.SymEig or Op.Qr or Op.CholeskySolve ? DType.F64 : dtype))];
        Assert.Equal(has, all.Select(test => test.Op).Distinct().Order());
        Device.CheckReport($"{dtype}");
    }

    [SkippableFact]
    public void Eigenvectors_are_timed_in_three_ways()
    {
        Device.Open();
        using var session = new Session("cuda");
        EigenBenchResult result = EigenBench.Run(session, [33], []);
        Assert.Equal(["exact", "batched", "projector"], result.Rows.Select(row => row.Method));
        Assert.All(result.Rows, row => Assert.Equal(row.Problem is null, row.Seconds > 0 && row.EnergyGap < 1e-6));
        Assert.Null(result.Rows[0].Problem);
        Assert.Null(result.Rows[2].Problem);
        Assert.Equal(CudaBackend.SymEigBatchedProblem, result.Rows[1].Problem);
        Device.CheckReport("eigen");
    }
}
