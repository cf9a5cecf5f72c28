namespace NativeEngine.Spec;

/// <summary>The linear maps of a layer as the engine holds them: maps that read the same signal are stacked into one.</summary>
internal enum LinearSlot
{
    /// <summary>q, k and v.</summary>
    Qkv,

    /// <summary>Attention output.</summary>
    AttnOut,

    /// <summary>Gate and up, or up alone.</summary>
    MlpIn,

    /// <summary>MLP output.</summary>
    MlpDown,
}

/// <summary>One map of a checkpoint inside a stacked one.</summary>
/// <param name="Role">what it does</param>
/// <param name="From">its first row</param>
/// <param name="Rows">its outputs</param>
internal sealed record LinearPart(Role Role, int From, int Rows);

/// <summary>A stacked map: (sum of the parts' rows, inputs).</summary>
/// <param name="Slot">which one</param>
/// <param name="Inputs">columns</param>
/// <param name="HasBias">every part has a bias</param>
/// <param name="Parts">in the order of the rows</param>
internal sealed record LinearLayout(LinearSlot Slot, int Inputs, bool HasBias, IReadOnlyList<LinearPart> Parts)
{
    /// <summary>Outputs of all parts.</summary>
    public int Rows => Parts[^1].From + Parts[^1].Rows;

    /// <summary>Stacks maps of <paramref name="parts"/> outputs each.</summary>
    public static LinearLayout Stack(LinearSlot slot, int inputs, bool hasBias, params ReadOnlySpan<(Role Role, int Rows)> parts)
    {
        var stacked = new LinearPart[parts.Length];
        int from = 0;
        for (int i = 0; i < parts.Length; i++)
        {
            stacked[i] = new LinearPart(parts[i].Role, from, parts[i].Rows);
            from += parts[i].Rows;
        }

        return new LinearLayout(slot, inputs, hasBias, stacked);
    }
}

/// <summary>One sub-block on the residual, y = S(x) + outputs(f(inputs(norm(x)))): which tensors it has.</summary>
/// <param name="NormRole">the norm in front</param>
/// <param name="Input">residual width that it reads</param>
/// <param name="Output">residual width that it writes</param>
/// <param name="ShortcutRole">the matrix S of a sliced model</param>
/// <param name="Maps">linear maps, in the order of the forward</param>
internal sealed record StationLayout(Role NormRole, int Input, int Output, Role ShortcutRole, IReadOnlyList<LinearLayout> Maps);
