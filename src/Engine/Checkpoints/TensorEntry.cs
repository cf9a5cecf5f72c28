using NativeEngine.Kernels;

namespace NativeEngine.Checkpoints;

/// <summary>Where a tensor lies and what it holds, as its safetensors header says and as has been checked against the file.</summary>
/// <param name="Name">name in the checkpoint; untrusted text, see <see cref="Untrusted.Quote"/></param>
/// <param name="DType">element type as stored; without meaning where <see cref="Unsupported"/> is set</param>
/// <param name="Shape">extents; a scalar is a vector of one, the outer extents of a rank above four are folded into the first</param>
/// <param name="File">path of the file</param>
/// <param name="Offset">bytes from the start of the file</param>
/// <param name="Bytes">bytes of the data</param>
internal sealed record TensorEntry(string Name, DType DType, Shape Shape, string File, long Offset, long Bytes)
{
    /// <summary>Why no tensor can hold this entry ("dtype F8_E4M3", "rank 5"); null for an entry that can be read.</summary>
    public string? Unsupported { get; init; }
}
