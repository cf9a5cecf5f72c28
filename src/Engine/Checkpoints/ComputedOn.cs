using NativeEngine.Kernels;

namespace NativeEngine.Checkpoints;

/// <summary>What an output was computed on. It is no option: a run that is repeated elsewhere takes what is there.</summary>
/// <param name="Device">cpu or cuda:n</param>
/// <param name="DType">type of the computation</param>
internal sealed record ComputedOn(string Device, DType DType);
