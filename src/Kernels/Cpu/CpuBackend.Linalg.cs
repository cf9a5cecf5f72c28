namespace NativeEngine.Kernels.Cpu;

public sealed partial class CpuBackend
{
    /// <inheritdoc/>
    public void SymEig(Tensor values, Tensor vectors, Tensor a) => throw new InvalidOperationException("not written yet");

    /// <inheritdoc/>
    public void Qr(Tensor q, Tensor a) => throw new InvalidOperationException("not written yet");
}
