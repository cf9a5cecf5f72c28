namespace NativeEngine.Kernels.Cpu;

public sealed partial class CpuBackend
{
    /// <inheritdoc/>
    public void Embed(Tensor y, Tensor table, Tensor ids) => throw new InvalidOperationException("not written yet");
}
