namespace NativeEngine.Kernels;

/// <summary>Every op of <see cref="IBackend"/>: the key of <see cref="IBackend.Supports"/>, of traces and of test coverage.</summary>
public enum Op
{
#pragma warning disable CS1591 // each name is documented at the method of the same name in IBackend
    Upload, Download, Fill, Drain, Copy, Zero, Uniform, Transpose, AllFinite,
    Gemm, Gram, SymEig, Qr, CholeskySolve,
    AddBias, AddColumnSums, Add, ZeroMasked, Dropout,
    RmsNorm, LayerNorm, RmsNormBackward, LayerNormBackward,
    Embed, EmbedBackward, Rope, Attention, AttentionBackward,
    Activate, ActivateGated, ActivateBackward, ActivateGatedBackward,
    Softmax, TokenLogProb, CrossEntropy,
    AddSaliency, AddSquares, KeepRows, KeepColumns,
    SumOfSquares, AdamW,
#pragma warning restore CS1591
}
