namespace NativeEngine.Spec;

/// <summary>The widths of one decoder layer. Compression makes layers differ, so every layer has its own.</summary>
/// <param name="Heads">query heads</param>
/// <param name="KvHeads">key and value heads; divides <paramref name="Heads"/></param>
/// <param name="HeadDim">width of one head</param>
/// <param name="Ffn">intermediate width of the MLP</param>
/// <param name="AttentionInput">residual width that q, k, v read</param>
/// <param name="AttentionOutput">residual width that the attention output writes</param>
/// <param name="MlpInput">residual width that the MLP reads</param>
/// <param name="MlpOutput">residual width that the MLP writes</param>
public sealed record LayerShape(
    int Heads, int KvHeads, int HeadDim, int Ffn, int AttentionInput, int AttentionOutput, int MlpInput, int MlpOutput)
{
    /// <summary>A layer of a dense model: every residual width is <paramref name="hidden"/>.</summary>
    public static LayerShape Dense(int heads, int kvHeads, int headDim, int ffn, int hidden) =>
        new(heads, kvHeads, headDim, ffn, hidden, hidden, hidden, hidden);

    /// <summary>Width of all query heads.</summary>
    [System.Text.Json.Serialization.JsonIgnore]
    public int QueryWidth => Heads * HeadDim;

    /// <summary>Width of all key heads, and of all value heads.</summary>
    [System.Text.Json.Serialization.JsonIgnore]
    public int KeyWidth => KvHeads * HeadDim;

    /// <summary>Sizes of an attention call over <paramref name="keys"/> keys.</summary>
    public Kernels.AttentionDims Attention(int keys) => new(Heads, KvHeads, HeadDim, keys, 1 / Math.Sqrt(HeadDim));
}
