namespace NativeEngine.Kernels.Cpu;

public sealed partial class CpuBackend
{
    /// <inheritdoc/>
    public void Gemm(Tensor c, Tensor a, Tensor b, bool transposeA = false, bool transposeB = false, double alpha = 1, double beta = 0) => throw new InvalidOperationException("not written yet");

    /// <inheritdoc/>
    public void Gram(Tensor h, Tensor x) => throw new InvalidOperationException("not written yet");
}
