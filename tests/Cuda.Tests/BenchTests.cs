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
}
