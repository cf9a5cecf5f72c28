namespace NativeEngine.Kernels.Tests;

/// <summary>
/// One row of the gradient table, in F64. Forward(backend, results, inputs): results[0] is what is differentiated, the others are
/// what the backward op needs besides. Backward(backend, gradients, dy, results, inputs): dy is the gradient of results[0];
/// gradients, one tensor of zeros per input, are assigned or added to.
/// </summary>
internal sealed record GradientCase(
    Op Op, string Shapes, Operand[] Results, Operand[] Inputs, Action<IBackend, Tensor[], Tensor[]> Forward, Action<IBackend, Tensor[], Tensor, Tensor[], Tensor[]> Backward)
{
    /// <summary>Inputs that are differentiated: the first ones.</summary>
    public int Variables { get; init; } = Inputs.Length;

    public string Name => $"{Op} {Shapes}";
}
