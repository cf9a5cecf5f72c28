namespace NativeEngine.Kernels.Cpu;

public sealed partial class CpuBackend
{
    /// <inheritdoc/>
    public void Activate(Tensor y, Tensor x, Activation f) => throw new InvalidOperationException("not written yet");

    /// <inheritdoc/>
    public void ActivateGated(Tensor y, Tensor gate, Tensor up, Activation f) => throw new InvalidOperationException("not written yet");
}
