namespace NativeEngine.Model;

/// <summary>What a parameter keeps of a tensor of the checkpoint.</summary>
/// <param name="Source">name of the tensor</param>
/// <param name="Outputs">kept rows of a matrix, kept elements of a vector, ascending; null for all</param>
/// <param name="Inputs">kept columns of a matrix, ascending; null for all</param>
internal sealed record TensorCut(string Source, IReadOnlyList<int>? Outputs, IReadOnlyList<int>? Inputs);
