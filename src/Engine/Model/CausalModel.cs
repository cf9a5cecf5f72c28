using NativeEngine.Checkpoints;
using NativeEngine.Kernels;
using NativeEngine.Spec;

namespace NativeEngine.Model;

/// <summary>The weights outside the layers.</summary>
/// <param name="Embed">(V, D)</param>
/// <param name="Position">(P, D); null for rotary positions</param>
/// <param name="NormFinal">norm in front of the head</param>
/// <param name="Head">(V, D); shares the embedding's memory in a tied model</param>
public sealed record OuterWeights(Tensor Embed, Tensor? Position, Norm NormFinal, Linear Head) : IDisposable
{
    /// <inheritdoc/>
    public void Dispose()
    {
        Embed.Dispose();
        Position?.Dispose();
        NormFinal.Dispose();
        Head.Dispose();
    }
}

/// <summary>
/// A checkpoint seen through its spec. Opening compares every shape and reads no weights; layers are read when asked for,
/// and stay in memory only when the whole model fits the limit that was given.
/// </summary>
public sealed class CausalModel : IDisposable
{
    private readonly IBackend backend;
    private readonly DType dtype;
    private readonly LayerWeights?[] resident;
    private readonly bool keep;
    private OuterWeights? outer;

    private CausalModel(IBackend backend, Checkpoint checkpoint, ModelSpec spec, DType dtype, long weightMemory)
    {
        (this.backend, Checkpoint, Spec, this.dtype) = (backend, checkpoint, spec, dtype);
        resident = new LayerWeights?[spec.Layers.Count];
        keep = spec.ParameterCount() * dtype.Size() <= weightMemory;
    }

    /// <summary>The folder's tensors.</summary>
    public Checkpoint Checkpoint { get; }

    /// <summary>What they make up.</summary>
    public ModelSpec Spec { get; }

    /// <summary>True when layers stay in memory once read.</summary>
    public bool IsResident => keep;

    /// <summary>Embedding, positions, final norm and head.</summary>
    public OuterWeights Outer => outer ??= LoadOuter();

    /// <summary>Opens the model in <paramref name="folder"/>; its weights become <paramref name="dtype"/> when they are read.</summary>
    /// <param name="backend">where the weights go</param>
    /// <param name="folder">Hugging Face layout</param>
    /// <param name="dtype">F32 or F64</param>
    /// <param name="weightMemory">keep all layers in memory when they need no more bytes than this</param>
    public static CausalModel Open(IBackend backend, string folder, DType dtype = DType.F32, long weightMemory = long.MaxValue)
    {
        ModelSpec spec = SpecReader.Read(folder);
        Checkpoint checkpoint = Checkpoint.Open(folder);
        try
        {
            Verify(spec, checkpoint);
            return new CausalModel(backend, checkpoint, spec, dtype, weightMemory);
        }
        catch
        {
            checkpoint.Dispose();
            throw;
        }
    }

    /// <summary>The weights of layer <paramref name="l"/>. A caller that is done with a layer calls <see cref="Release"/>.</summary>
    public LayerWeights Layer(int l) => resident[l] ?? (keep ? resident[l] = LoadLayer(l) : LoadLayer(l));

    /// <summary>Frees a layer unless the model is kept in memory.</summary>
    public void Release(LayerWeights layer)
    {
        if (!keep)
        {
            layer.Dispose();
        }
    }

    /// <summary>Reads layer <paramref name="l"/> anew; the caller owns it and may change it.</summary>
    public LayerWeights LoadLayer(int l)
    {
        LayerShape s = Spec.Layers[l];
        Station attention = new()
        {
            Norm = LoadNorm(Role.NormAttn, l, s.AttentionInput),
            Qkv = LoadStacked(l, s.AttentionInput, Spec.Bias.Qkv, (Role.AttnQ, s.QueryWidth), (Role.AttnK, s.KeyWidth), (Role.AttnV, s.KeyWidth)),
            AttnOut = LoadStacked(l, s.QueryWidth, Spec.Bias.AttnOut, (Role.AttnOut, s.AttentionOutput)),
            Shortcut = LoadShortcut(Role.AttnShortcut, l, s.AttentionInput, s.AttentionOutput),
            ShortcutRole = Role.AttnShortcut,
        };
        bool sequential = Spec.Residual == ResidualKind.Sequential;
        Station mlp = !sequential ? attention : new()
        {
            Norm = LoadNorm(Role.NormMlp, l, s.MlpInput),
            Shortcut = LoadShortcut(Role.MlpShortcut, l, s.MlpInput, s.MlpOutput),
            ShortcutRole = Role.MlpShortcut,
        };
        (Role, int)[] inputs = Spec.GatedMlp ? [(Role.MlpGate, s.Ffn), (Role.MlpUp, s.Ffn)] : [(Role.MlpUp, s.Ffn)];
        mlp.MlpIn = LoadStacked(l, s.MlpInput, Spec.Bias.MlpIn, inputs);
        mlp.MlpDown = LoadStacked(l, s.Ffn, Spec.Bias.MlpOut, (Role.MlpDown, s.MlpOutput));
        return new LayerWeights(s, sequential ? [attention, mlp] : [attention]);
    }

    /// <summary>Reads embedding, positions, final norm and head anew; the caller owns them and may change them. A tied head is a copy of its own then.</summary>
    public OuterWeights LoadOuter(bool untie = false)
    {
        Tensor embed = Load(Role.Embed, -1, false, new Shape(Spec.Vocab, Spec.EmbedWidth));
        Tensor? position = Spec.Rope is null ? Load(Role.Position, -1, false, new Shape(Spec.MaxPositions + Spec.PositionOffset, Spec.EmbedWidth)) : null;
        Norm norm = LoadNorm(Role.NormFinal, -1, Spec.HeadWidth);
        Role headRole = Spec.TiedHead ? Role.Embed : Role.Head;
        Tensor head = Spec.TiedHead && !untie ? embed.RowRange(0, Spec.Vocab) : Load(headRole, -1, false, new Shape(Spec.Vocab, Spec.HeadWidth));
        Tensor? bias = Spec.Bias.Head ? Load(Role.Head, -1, true, new Shape(Spec.Vocab)) : null;
        return new OuterWeights(embed, position, norm, new Linear(head, bias));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        outer?.Dispose();
        foreach (LayerWeights? layer in resident)
        {
            layer?.Dispose();
        }

        Checkpoint.Dispose();
    }

    /// <summary>Every tensor of the spec is there with its shape, before anything is allocated from config.json.</summary>
    private static void Verify(ModelSpec spec, Checkpoint checkpoint)
    {
        foreach (Parameter p in spec.Parameters())
        {
            if (!checkpoint.Tensors.TryGetValue(p.Name, out TensorEntry? entry))
            {
                throw new EngineException("NE3054", $"tensor '{p.Name}' is missing")
                {
                    File = checkpoint.Folder,
                    Key = p.Name,
                    Expected = p.Shape.ToString(),
                    Hint = "config.json and the weights do not belong together, or a shard is missing",
                };
            }

            if (entry.Shape != p.Shape)
            {
                throw new EngineException("NE3055", $"tensor '{p.Name}' does not have the shape that config.json implies")
                {
                    File = entry.File,
                    Key = p.Name,
                    Expected = p.Shape.ToString(),
                    Found = entry.Shape.ToString(),
                };
            }
        }
    }

    private Linear LoadStacked(int l, int columns, bool bias, params ReadOnlySpan<(Role Role, int Rows)> parts)
    {
        long rows = 0;
        foreach ((_, int n) in parts)
        {
            rows += n;
        }

        Tensor weight = backend.Alloc(dtype, new Shape(rows, columns));
        Tensor? biases = bias ? backend.Alloc(dtype, new Shape(rows)) : null;
        long at = 0;
        foreach ((Role role, int n) in parts)
        {
            Read(role, l, false, weight.RowRange(at, n));
            if (biases is not null)
            {
                Read(role, l, true, biases.ColumnRange(at, n));
            }

            at += n;
        }

        return new Linear(weight, biases);
    }

    private Norm LoadNorm(Role role, int l, int width) => !Spec.NormAffine
        ? new Norm(null, null)
        : new Norm(Load(role, l, false, new Shape(width)), Spec.Norm == NormKind.Layer ? Load(role, l, true, new Shape(width)) : null);

    private Tensor? LoadShortcut(Role role, int l, int rows, int columns) => Spec.Shortcuts ? Load(role, l, false, new Shape(rows, columns)) : null;

    private Tensor Load(Role role, int l, bool isBias, Shape shape)
    {
        Tensor t = backend.Alloc(dtype, shape);
        Read(role, l, isBias, t);
        return t;
    }

    private void Read(Role role, int l, bool isBias, Tensor destination)
    {
        string name = Spec.Names.Tensor(role, l, isBias);
        Checkpoint.Read(backend, Checkpoint.Tensors[name], destination);
        if (!backend.AllFinite(destination))
        {
            throw new EngineException("NE10001", $"tensor '{name}' holds NaN or infinity")
            {
                File = Checkpoint.Tensors[name].File,
                Key = name,
                Hint = l < 0 ? "the checkpoint is damaged" : $"the checkpoint is damaged at layer {l}, {role}",
            };
        }
    }
}
