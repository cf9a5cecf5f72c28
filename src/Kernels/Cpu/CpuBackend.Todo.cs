namespace NativeEngine.Kernels.Cpu;

public sealed partial class CpuBackend
{
    /// <inheritdoc/>
    public void Dropout(Tensor y, Tensor x, double rate, ulong key) => throw new NotImplementedException();

    /// <inheritdoc/>
    public void AddSaliency(Tensor scores, Tensor w, Tensor? g, Tensor? h, Saliency saliency, bool columns) => throw new NotImplementedException();

    /// <inheritdoc/>
    public void AddSquares(Tensor y, Tensor x, double scale) => throw new NotImplementedException();

    /// <inheritdoc/>
    public void KeepRows(Tensor x, Tensor kept) => throw new NotImplementedException();

    /// <inheritdoc/>
    public void KeepColumns(Tensor x, Tensor kept) => throw new NotImplementedException();

    /// <inheritdoc/>
    public double SumOfSquares(Tensor x) => throw new NotImplementedException();

    /// <inheritdoc/>
    public void AdamW(Tensor w, Tensor g, Tensor m, Tensor v, AdamWStep step) => throw new NotImplementedException();
}
