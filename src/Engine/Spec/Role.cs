namespace NativeEngine.Spec;

/// <summary>What a parameter does in a decoder, whatever its checkpoint calls it.</summary>
internal enum Role
{
    /// <summary>Token embedding.</summary>
    Embed,

    /// <summary>Learned positions.</summary>
    Position,

    /// <summary>Norm in front of attention; in a parallel block, of attention and MLP.</summary>
    NormAttn,

    /// <summary>Query projection.</summary>
    AttnQ,

    /// <summary>Key projection.</summary>
    AttnK,

    /// <summary>Value projection.</summary>
    AttnV,

    /// <summary>Attention output projection.</summary>
    AttnOut,

    /// <summary>Norm in front of the MLP.</summary>
    NormMlp,

    /// <summary>Gate projection of a gated MLP.</summary>
    MlpGate,

    /// <summary>First projection of the MLP.</summary>
    MlpUp,

    /// <summary>Last projection of the MLP.</summary>
    MlpDown,

    /// <summary>Matrix on the residual around attention (or around a parallel block) of a sliced model.</summary>
    AttnShortcut,

    /// <summary>Matrix on the residual around the MLP of a sliced model.</summary>
    MlpShortcut,

    /// <summary>Norm in front of the head.</summary>
    NormFinal,

    /// <summary>Language-model head.</summary>
    Head,
}

/// <summary>One tensor of a checkpoint: what it does, what it is called, how large it is.</summary>
/// <param name="Role">what it does</param>
/// <param name="Layer">decoder layer, or -1 outside the layers</param>
/// <param name="IsBias">the bias of that role, not its weight</param>
/// <param name="Name">name in the checkpoint</param>
/// <param name="Shape">(out, in) for a matrix</param>
internal sealed record Parameter(Role Role, int Layer, bool IsBias, string Name, Kernels.Shape Shape);

/// <summary>Names of the parameters in a checkpoint; the only place that knows them.</summary>
/// <param name="Layers">prefix of layer l, with {0} for l</param>
/// <param name="Modules">module of each role, under <paramref name="Layers"/> for the roles inside a layer</param>
internal sealed record NameMap(string Layers, IReadOnlyDictionary<Role, string> Modules)
{
    /// <summary>Name of the module with <paramref name="role"/> in <paramref name="layer"/> (-1 outside the layers).</summary>
    public string Module(Role role, int layer) =>
        layer < 0 ? Modules[role] : Layers.Replace("{0}", layer.ToString(System.Globalization.CultureInfo.InvariantCulture), StringComparison.Ordinal) + Modules[role];

    /// <summary>Name of the tensor: shortcut matrices are bare parameters, everything else is a module's weight or bias.</summary>
    public string Tensor(Role role, int layer, bool isBias = false) =>
        Module(role, layer) + (role is Role.AttnShortcut or Role.MlpShortcut ? "" : isBias ? ".bias" : ".weight");
}
