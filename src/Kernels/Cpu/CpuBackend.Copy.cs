namespace NativeEngine.Kernels.Cpu;

public sealed partial class CpuBackend
{
    /// <inheritdoc/>
    public void Copy(Tensor y, Tensor x) => throw new InvalidOperationException("not written yet");

    /// <inheritdoc/>
    public void Zero(Tensor y) => throw new InvalidOperationException("not written yet");

    /// <inheritdoc/>
    public void Transpose(Tensor y, Tensor x) => throw new InvalidOperationException("not written yet");

    /// <inheritdoc/>
    public bool AllFinite(Tensor x) => throw new InvalidOperationException("not written yet");
}
