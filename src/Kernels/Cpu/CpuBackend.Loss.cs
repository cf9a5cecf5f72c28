namespace NativeEngine.Kernels.Cpu;

public sealed partial class CpuBackend
{
    /// <inheritdoc/>
    public void Softmax(Tensor y, Tensor x) => throw new InvalidOperationException("not written yet");

    /// <inheritdoc/>
    public void TokenLogProb(Tensor y, Tensor logits, Tensor targets) => throw new InvalidOperationException("not written yet");
}
