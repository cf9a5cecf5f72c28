using NativeEngine.Kernels;

namespace NativeEngine.Spec;

/// <summary>Normalisation in front of each sub-block.</summary>
internal enum NormKind
{
    /// <summary>x / rms(x)</summary>
    Rms,

    /// <summary>(x - mean(x)) / std(x)</summary>
    Layer,
}

/// <summary>How attention and MLP hang on the residual.</summary>
internal enum ResidualKind
{
    /// <summary>h = x + attn(n1(x)); y = h + mlp(n2(h))</summary>
    Sequential,

    /// <summary>y = x + attn(n(x)) + mlp(n(x))</summary>
    Parallel,
}

/// <summary>Which linear maps carry a bias.</summary>
/// <param name="Qkv">q, k, v</param>
/// <param name="AttnOut">attention output</param>
/// <param name="MlpIn">gate and up</param>
/// <param name="MlpOut">down</param>
/// <param name="Head">language-model head</param>
internal sealed record Biases(bool Qkv, bool AttnOut, bool MlpIn, bool MlpOut, bool Head);

/// <summary>
/// A decoder as data: <c>config.json</c> plus the row of its <c>model_type</c> in <see cref="Families"/>.
/// Forward, slicing and counting switch on these fields and on nothing else.
/// </summary>
internal sealed record ModelSpec
{
    /// <summary>model_type of config.json.</summary>
    public required string ModelType { get; init; }

    /// <summary>Checkpoint names.</summary>
    public required NameMap Names { get; init; }

    /// <summary>Rows of the embedding.</summary>
    public required int Vocab { get; init; }

    /// <summary>Residual width of the original model, the divisor of an RMS norm even after slicing.</summary>
    public required int Hidden { get; init; }

    /// <summary>Columns of the embedding.</summary>
    public required int EmbedWidth { get; init; }

    /// <summary>Columns of the head.</summary>
    public required int HeadWidth { get; init; }

    /// <summary>Longest input.</summary>
    public required int MaxPositions { get; init; }

    /// <summary>Norm in front of each sub-block and of the head.</summary>
    public required NormKind Norm { get; init; }

    /// <summary>Added to the variance.</summary>
    public required double NormEps { get; init; }

    /// <summary>The norms have weights (fusion removes them).</summary>
    public required bool NormAffine { get; init; }

    /// <summary>Sequential or parallel block.</summary>
    public required ResidualKind Residual { get; init; }

    /// <summary>Rotary positions; null when positions are learned.</summary>
    public required RopeSpec? Rope { get; init; }

    /// <summary>First row of the learned positions that is used; the table has this many rows more than <see cref="MaxPositions"/>.</summary>
    public required int PositionOffset { get; init; }

    /// <summary>Non-linearity of the MLP.</summary>
    public required Activation Activation { get; init; }

    /// <summary>The MLP is f(gate) * up.</summary>
    public required bool GatedMlp { get; init; }

    /// <summary>Which linear maps carry a bias.</summary>
    public required Biases Bias { get; init; }

    /// <summary>The head is the embedding.</summary>
    public required bool TiedHead { get; init; }

    /// <summary>The residual passes through shortcut matrices (a sliced or rotated model).</summary>
    public required bool Shortcuts { get; init; }

    /// <summary>One entry per decoder layer.</summary>
    public required IReadOnlyList<LayerShape> Layers { get; init; }

    /// <summary>Ids of config.json; the tokenizer may know others.</summary>
    public required SpecialIds Ids { get; init; }

    /// <summary>Every tensor of the checkpoint, in the order of the forward.</summary>
    public IEnumerable<Parameter> Parameters()
    {
        yield return Of(Role.Embed, -1, false, Vocab, EmbedWidth);
        if (Rope is null)
        {
            yield return Of(Role.Position, -1, false, MaxPositions + PositionOffset, EmbedWidth);
        }

        for (int l = 0; l < Layers.Count; l++)
        {
            foreach (Parameter p in LayerParameters(l))
            {
                yield return p;
            }
        }

        foreach (Parameter p in NormOf(Role.NormFinal, -1, HeadWidth))
        {
            yield return p;
        }

        if (!TiedHead)
        {
            yield return Of(Role.Head, -1, false, Vocab, HeadWidth);
        }

        if (Bias.Head)
        {
            yield return Of(Role.Head, -1, true, Vocab);
        }
    }

    /// <summary>The sub-blocks of decoder layer <paramref name="l"/>: attention and MLP one after the other, or one that does both.</summary>
    public IReadOnlyList<StationLayout> Stations(int l)
    {
        LayerShape s = Layers[l];
        LinearLayout[] attention =
        [
            LinearLayout.Stack(LinearSlot.Qkv, s.AttentionInput, Bias.Qkv, (Role.AttnQ, s.QueryWidth), (Role.AttnK, s.KeyWidth), (Role.AttnV, s.KeyWidth)),
            LinearLayout.Stack(LinearSlot.AttnOut, s.QueryWidth, Bias.AttnOut, (Role.AttnOut, s.AttentionOutput)),
        ];
        LinearLayout[] mlp =
        [
            GatedMlp
                ? LinearLayout.Stack(LinearSlot.MlpIn, s.MlpInput, Bias.MlpIn, (Role.MlpGate, s.Ffn), (Role.MlpUp, s.Ffn))
                : LinearLayout.Stack(LinearSlot.MlpIn, s.MlpInput, Bias.MlpIn, (Role.MlpUp, s.Ffn)),
            LinearLayout.Stack(LinearSlot.MlpDown, s.Ffn, Bias.MlpOut, (Role.MlpDown, s.MlpOutput)),
        ];
        return Residual == ResidualKind.Parallel
            ? [new StationLayout(Role.NormAttn, s.AttentionInput, s.AttentionOutput, Role.AttnShortcut, [.. attention, .. mlp])]
            :
            [
                new StationLayout(Role.NormAttn, s.AttentionInput, s.AttentionOutput, Role.AttnShortcut, attention),
                new StationLayout(Role.NormMlp, s.MlpInput, s.MlpOutput, Role.MlpShortcut, mlp),
            ];
    }

    /// <summary>The tensors of decoder layer <paramref name="l"/>.</summary>
    public IEnumerable<Parameter> LayerParameters(int l)
    {
        foreach (StationLayout station in Stations(l))
        {
            foreach (Parameter norm in NormOf(station.NormRole, l, station.Input))
            {
                yield return norm;
            }

            foreach (LinearLayout map in station.Maps)
            {
                foreach (LinearPart part in map.Parts)
                {
                    yield return Of(part.Role, l, false, part.Rows, map.Inputs);
                    if (map.HasBias)
                    {
                        yield return Of(part.Role, l, true, part.Rows);
                    }
                }
            }

            if (Shortcuts)
            {
                yield return Of(station.ShortcutRole, l, false, station.Input, station.Output);
            }
        }
    }

    /// <summary>Number of parameters; a tied head is not counted twice.</summary>
    public long ParameterCount() => Parameters().Sum(p => p.Shape.Count);

    private IEnumerable<Parameter> NormOf(Role role, int layer, int width) =>
        !NormAffine ? [] : Norm == NormKind.Layer ? [Of(role, layer, false, width), Of(role, layer, true, width)] : [Of(role, layer, false, width)];

    private Parameter Of(Role role, int layer, bool isBias, params ReadOnlySpan<long> extents) =>
        new(role, layer, isBias, Names.Tensor(role, layer, isBias), extents.Length == 1 ? new Shape(extents[0]) : new Shape(extents[0], extents[1]));
}

/// <summary>Special ids of config.json and generation_config.json.</summary>
/// <param name="Bos">begin of text</param>
/// <param name="Eos">ids that end a text; may be empty</param>
/// <param name="Pad">padding</param>
internal sealed record SpecialIds(int? Bos, IReadOnlyList<int> Eos, int? Pad);
