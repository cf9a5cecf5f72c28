namespace NativeEngine.Kernels.Cpu;

public sealed partial class CpuBackend
{
    /// <inheritdoc/>
    public void Dropout(Tensor y, Tensor x, double rate, ulong key) => throw new NotImplementedException();

    /// <inheritdoc/>
    public void AdamW(Tensor w, Tensor g, Tensor m, Tensor v, AdamWStep step) => throw new NotImplementedException();
}
