namespace NativeEngine.Kernels.Cpu;

public sealed partial class CpuBackend
{
    /// <inheritdoc/>
    public void AddBias(Tensor y, Tensor b) => throw new InvalidOperationException("not written yet");

    /// <inheritdoc/>
    public void Add(Tensor y, Tensor x) => throw new InvalidOperationException("not written yet");
}
