namespace NativeEngine.Kernels.Cpu;

public sealed partial class CpuBackend
{
    /// <inheritdoc/>
    public void AddColumnSums(Tensor b, Tensor x) => throw new NotImplementedException();

    /// <inheritdoc/>
    public void Dropout(Tensor y, Tensor x, double rate, ulong key) => throw new NotImplementedException();

    /// <inheritdoc/>
    public void RmsNormBackward(Tensor dx, Tensor? dgain, Tensor dy, Tensor x, Tensor? gain, double eps, long width) => throw new NotImplementedException();

    /// <inheritdoc/>
    public void LayerNormBackward(Tensor dx, Tensor? dgain, Tensor? dbias, Tensor dy, Tensor x, Tensor? gain, double eps) => throw new NotImplementedException();

    /// <inheritdoc/>
    public void EmbedBackward(Tensor dtable, Tensor dy, Tensor ids) => throw new NotImplementedException();

    /// <inheritdoc/>
    public void AttentionBackward(Tensor dq, Tensor dk, Tensor dv, Tensor dy, Tensor y, Tensor logSumExp, Tensor q, Tensor k, Tensor v, Tensor? mask, Tensor? first, AttentionDims dims) => throw new NotImplementedException();

    /// <inheritdoc/>
    public void ActivateBackward(Tensor dx, Tensor dy, Tensor x, Activation f) => throw new NotImplementedException();

    /// <inheritdoc/>
    public void ActivateGatedBackward(Tensor dgate, Tensor dup, Tensor dy, Tensor gate, Tensor up, Activation f) => throw new NotImplementedException();

    /// <inheritdoc/>
    public void CrossEntropy(Tensor loss, Tensor logits, Tensor targets, double scale) => throw new NotImplementedException();

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
