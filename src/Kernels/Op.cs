namespace NativeEngine.Kernels;

/// <summary>Every op of <see cref="IBackend"/>: the key of <see cref="IBackend.Supports"/>, of traces and of test coverage.</summary>
public enum Op
{
#pragma warning disable CS1591 // each name is documented at the method of the same name in IBackend
    Copy, Zero, Transpose, AllFinite,
    Gemm, Gram, SymEig, Qr,
    AddBias, Add, ZeroMasked,
    RmsNorm, LayerNorm,
    Embed, Rope, Attention,
    Activate, ActivateGated,
    Softmax, TokenLogProb,
#pragma warning restore CS1591
}
