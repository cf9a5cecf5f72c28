using NativeEngine.Kernels;

namespace NativeEngine.Checkpoints;

/// <summary>A tensor that a checkpoint will hold.</summary>
/// <param name="Name">name in the checkpoint</param>
/// <param name="DType">type as stored</param>
/// <param name="Shape">extents</param>
internal sealed record TensorPlan(string Name, DType DType, Shape Shape)
{
    /// <summary>Bytes as stored.</summary>
    public long Bytes => checked(Shape.Count * DType.Size());
}
