namespace NativeEngine.Kernels.Cpu;

public sealed partial class CpuBackend
{
    /// <inheritdoc/>
    public void Attention(Tensor y, Tensor q, Tensor k, Tensor v, Tensor? mask, AttentionDims dims) => throw new InvalidOperationException("not written yet");
}
