namespace NativeEngine.Cuda.Tests;

/// <summary>A back-end is for one thread at a time.</summary>
[CollectionDefinition(Name)]
public sealed class DeviceCollection
{
    public const string Name = "device";
}
