using NativeEngine.Kernels;

namespace NativeEngine.Cuda.Tests;

/// <summary>A back-end is for one thread at a time.</summary>
[CollectionDefinition(Name)]
public sealed class DeviceCollection : ICollectionFixture<DeviceCollection.Lifetime>
{
    public const string Name = "device";

    /// <summary>Behind the last test the device is given back, and nothing may be left on it.</summary>
    public sealed class Lifetime : IDisposable
    {
        public void Dispose()
        {
            if (CudaProbe.Run(0).Problem is null)
            {
                Device.Close();
                Device.CheckReport("the end");
            }
        }
    }
}
