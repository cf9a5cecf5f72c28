namespace NativeEngine.Kernels.Tests.Interop;

/// <summary>Tests that share the state of CUDA in this process, above all whether a fault was seen: they run one after the other.</summary>
[CollectionDefinition(Name)]
public sealed class GpuCollection
{
    public const string Name = "gpu";
}
