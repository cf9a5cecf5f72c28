using NativeEngine.Kernels;
using NativeEngine.Kernels.Interop;

namespace NativeEngine.Cuda.Tests;

/// <summary>What is found where there are several devices, one of them sick.</summary>
[Collection(DeviceCollection.Name)]
public sealed class ProbeTests
{
    private const string Devices = "CUDASIM_DEVICES", Fail = "CUDASIM_FAIL";

    public ProbeTests()
    {
        Device.Open();
        Skip.IfNot(Device.IsDouble, "the devices of a machine are what they are");
    }

    [SkippableFact]
    public void A_sick_device_leaves_its_neighbour_usable()
    {
        using IDisposable two = Device.Configured(Devices, "2", afterwards: "1"), sick = Device.Configured(Fail, "cuDevicePrimaryCtxRetain@1=214", afterwards: "");
        CudaProbe probe = CudaProbe.Run();
        Assert.Contains("CUDA_ERROR_ECC_UNCORRECTABLE (214)", probe.Devices[0].Problem, StringComparison.Ordinal);
        Assert.Equal((null, null), (probe.Devices[1].Problem, probe.Problem));
        Assert.False(GpuFault.IsLatched);
    }

    [SkippableFact]
    public void A_device_that_does_not_answer_is_listed()
    {
        using IDisposable two = Device.Configured(Devices, "2", afterwards: "1"), sick = Device.Configured(Fail, "cuDeviceGetName@1=999", afterwards: "");
        CudaProbe probe = CudaProbe.Run();
        Assert.Equal(["unknown", "cudasim sm_90"], probe.Devices.Select(device => device.Model));
        Assert.Equal((null, null), (probe.Devices[1].Problem, probe.Problem));
    }

    [SkippableFact]
    public void Neighbours_stay_closed()
    {
        using IDisposable two = Device.Configured(Devices, "2", afterwards: "1"), second = Device.Configured(Fail, "cuDevicePrimaryCtxRetain@2=46", afterwards: "");
        CudaProbe probe = CudaProbe.Run(1);
        Assert.Equal(("cuda:1", null, null), (Assert.Single(probe.Devices).Name, probe.Devices[0].Problem, probe.Problem));
    }

    [SkippableFact]
    public void A_device_that_is_too_old_is_refused()
    {
        using IDisposable turing = Device.Configured("CUDASIM_CC", "75", afterwards: "90");
        Assert.Equal("cuda:0 has compute capability 7.5, 8.0 or later is needed", CudaProbe.Run(0).Problem);
    }

    [SkippableFact]
    public void A_device_that_is_not_there_is_said() => Assert.Equal("the driver shows 1 device, the last is cuda:0", CudaProbe.Run(1).Problem);
}
