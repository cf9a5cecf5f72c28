namespace NativeEngine.Model;

/// <summary>Takes the gradients of a <see cref="GradientPass"/>, layer by layer from the last to the first.</summary>
internal interface IGradientSink
{
    /// <summary>The first layer that matters; the pass ends behind it. 0 for gradients of the embedding.</summary>
    int FirstLayer { get; }

    /// <summary>Of the weights outside the layers; null when not wanted. Owned by the sink.</summary>
    OuterGradients? Outer { get; }

    /// <summary>Zeroed gradients, one entry per station, for layer <paramref name="l"/>; null where only adapters or lower layers matter.</summary>
    IReadOnlyList<StationGradients>? Begin(int l, LayerWeights weights);

    /// <summary>The gradients of layer <paramref name="l"/> are complete; the sink frees them.</summary>
    void End(int l, LayerWeights weights, IReadOnlyList<StationGradients> gradients);
}

/// <summary>Adapters hold their own gradients, so a pass for them hands nothing out.</summary>
internal sealed class AdapterGradients : IGradientSink
{
    /// <inheritdoc/>
    public int FirstLayer => 0;

    /// <inheritdoc/>
    public OuterGradients? Outer => null;

    /// <inheritdoc/>
    public IReadOnlyList<StationGradients>? Begin(int l, LayerWeights weights) => null;

    /// <inheritdoc/>
    public void End(int l, LayerWeights weights, IReadOnlyList<StationGradients> gradients) { }
}
