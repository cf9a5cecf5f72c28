using NativeEngine.Checkpoints;
using NativeEngine.Kernels;
using NativeEngine.Spec;

namespace NativeEngine.Model;

/// <summary>The weights outside the layers; matrices of <see cref="CausalModel.Outer"/> may be BF16.</summary>
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
/// and stay in memory only when the whole model fits the limit that was given. A forward in F32 reads matrices that are stored as
/// BF16 in that type: it is exact and half the memory. Everything else is converted on reading.
/// </summary>
public sealed class CausalModel : IDisposable
{
    private readonly IBackend backend;
    private readonly long weightMemory;
    private readonly LayerWeights?[] resident;
    private readonly bool keep;
    private readonly Func<Parameter, TensorCut>? cut;
    private Action<int, LayerWeights>? attachAdapters;
    private OuterWeights? outer;
    private int lastRead = -1;

    private CausalModel(IBackend backend, Checkpoint checkpoint, ModelSpec spec, DType dtype, long weightMemory, Func<Parameter, TensorCut>? cut = null)
    {
        (this.backend, Checkpoint, Spec, DType, this.weightMemory, this.cut) = (backend, checkpoint, spec, dtype, weightMemory, cut);
        resident = new LayerWeights?[spec.Layers.Count];
        WeightBytes = spec.Parameters().Sum(p => p.Shape.Count * TypeOf(p, forForward: true).Size());
        keep = WeightBytes <= weightMemory;
    }

    /// <summary>The folder's tensors.</summary>
    public Checkpoint Checkpoint { get; }

    /// <summary>What they make up.</summary>
    public ModelSpec Spec { get; }

    /// <summary>What a forward computes in.</summary>
    public DType DType { get; }

    /// <summary>Memory that all weights take as a forward reads them.</summary>
    public long WeightBytes { get; }

    /// <summary>True when layers stay in memory once read.</summary>
    public bool IsResident => keep;

    /// <summary>Embedding, positions, final norm and head, for a forward: matrices are BF16 where the checkpoint stores them so.</summary>
    public OuterWeights Outer => outer ??= ReadOuter(untie: false, forForward: true);

    /// <summary>Opens the model in <paramref name="folder"/>; a forward computes in <paramref name="dtype"/>.</summary>
    /// <param name="backend">where the weights go</param>
    /// <param name="folder">Hugging Face layout</param>
    /// <param name="dtype">what <paramref name="backend"/> computes; null for the type that the checkpoint stores, F32 where that is no 16-bit one</param>
    /// <param name="weightMemory">keep all layers in memory when they need no more bytes than this</param>
    public static CausalModel Open(IBackend backend, string folder, DType? dtype = DType.F32, long weightMemory = long.MaxValue)
    {
        ModelSpec spec = SpecReader.Read(folder);
        return Of(backend, spec, Checkpoint.Open(folder), dtype, weightMemory);
    }

    /// <summary>The same for a checkpoint that is open, which the model takes over.</summary>
    internal static CausalModel Of(IBackend backend, ModelSpec spec, Checkpoint checkpoint, DType? dtype, long weightMemory)
    {
        try
        {
            Verify(spec, checkpoint);
            return new CausalModel(backend, checkpoint, spec, dtype ?? StoredType(spec, checkpoint), weightMemory);
        }
        catch
        {
            checkpoint.Dispose();
            throw;
        }
    }

    /// <summary>
    /// The same checkpoint with rows and columns left out: <paramref name="spec"/> describes what is left, and <paramref name="cut"/> says for each of its
    /// parameters what it keeps of which tensor. Borrows the checkpoint, so this model must outlive it.
    /// </summary>
    public CausalModel Cut(ModelSpec spec, Func<Parameter, TensorCut> cut) => new(backend, Checkpoint, spec, DType, weightMemory, cut);

    /// <summary>The weights of layer <paramref name="l"/> for a forward: matrices are BF16 where the checkpoint stores them so.
    /// A caller that is done with a layer calls <see cref="Release"/>.</summary>
    public LayerWeights Layer(int l)
    {
        if (resident[l] is { } layer)
        {
            return layer;
        }

        layer = ReadLayer(l, forForward: true);
        attachAdapters?.Invoke(l, layer);
        resident[l] = keep ? layer : null;
        return layer;
    }

    /// <summary>Lets <paramref name="attach"/> put adapters on the maps of every layer that <see cref="Layer"/> returns, resident ones included.</summary>
    public void AttachAdapters(Action<int, LayerWeights> attach)
    {
        attachAdapters = attach;
        for (int l = 0; l < resident.Length; l++)
        {
            if (resident[l] is { } layer)
            {
                attach(l, layer);
            }
        }
    }

    /// <summary>Frees a layer unless the model is kept in memory.</summary>
    public void Release(LayerWeights layer)
    {
        if (!keep)
        {
            layer.Dispose();
        }
    }

    /// <summary>Reads layer <paramref name="l"/> anew, all of it in F32 (F64 where a forward computes in that); the caller owns it and may change it.</summary>
    public LayerWeights LoadLayer(int l) => ReadLayer(l, forForward: false);

    /// <summary>Reads embedding, positions, final norm and head anew, as <see cref="LoadLayer"/>; the caller owns them and may change them.
    /// A tied head is a copy of its own then.</summary>
    public OuterWeights LoadOuter(bool untie = false) => ReadOuter(untie, forForward: false);

    /// <summary>Frees all weights, which are read anew when they are asked for: another model may need the memory.</summary>
    public void Evict()
    {
        outer?.Dispose();
        outer = null;
        Array.ForEach(resident, layer => layer?.Dispose());
        Array.Clear(resident);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Evict();
        if (cut is null)
        {
            Checkpoint.Dispose();
        }
    }

    /// <summary>The type in which the checkpoint holds <paramref name="p"/>.</summary>
    public DType StoredType(Parameter p) => Entry(p).DType;

    /// <summary>Reads the parameter <paramref name="p"/> into <paramref name="destination"/>, converting its type.</summary>
    /// <exception cref="EngineException">NE10001: it holds NaN or infinity; NE10013: it does not fit F16</exception>
    public void Read(Parameter p, Tensor destination)
    {
        TensorEntry entry = Entry(p);
        TensorCut? kept = cut?.Invoke(p);
        bool finite;
        if (kept is null or { Outputs: null, Inputs: null })
        {
            finite = Checkpoint.Read(backend, entry, destination);
        }
        else
        {
            using Tensor whole = backend.Alloc(destination.DType, entry.Shape);
            finite = Checkpoint.Read(backend, entry, whole);
            backend.Copy(destination, Keep(whole, kept));
        }

        if (!finite)
        {
            throw new EngineException("NE10001", $"tensor '{entry.Name}' holds NaN or infinity")
            {
                File = entry.File,
                Key = entry.Name,
                Hint = p.Layer < 0 ? "the checkpoint is damaged" : $"the checkpoint is damaged at layer {p.Layer}, {p.Role}",
            };
        }

        if (destination.DType == DType.F16 && entry.DType != DType.F16 && !backend.AllFinite(destination))
        {
            throw new EngineException("NE10013", $"tensor '{entry.Name}' holds numbers beyond those of fp16")
            {
                File = entry.File,
                Key = entry.Name,
                Hint = "compute with --dtype bf16 or fp32",
            };
        }
    }

    /// <summary>Tensors of the checkpoint that the spec has no use for, rotary tables that old checkpoints store aside.</summary>
    public IReadOnlyList<string> UnusedTensors() =>
        [.. Checkpoint.Tensors.Keys.Except(Spec.Parameters().Select(p => p.Name)).Where(n => !n.EndsWith("rotary_emb.inv_freq", StringComparison.Ordinal)).Select(n => Untrusted.Escape(n)).Order(StringComparer.Ordinal)];

    private static bool IsMatrix(Parameter p) => p.Shape.Rank == 2;

    private LayerWeights ReadLayer(int l, bool forForward)
    {
        AnnounceNeighbour(l);
        return new(Spec.Layers[l], [.. Spec.Stations(l).Select(layout => ReadStation(l, layout, forForward))]);
    }

    /// <summary>While this layer is at work, the disk can fetch the next one of a pass, forward or backward.</summary>
    private void AnnounceNeighbour(int l)
    {
        int next = l >= lastRead ? l + 1 : l - 1;
        lastRead = l;
        foreach (Parameter p in Spec.Parameters().Where(p => p.Layer == next))
        {
            Checkpoint.Announce(Entry(p));
        }
    }

    private Station ReadStation(int l, StationLayout layout, bool forForward)
    {
        var station = new Station(layout)
        {
            Norm = LoadNorm(layout.NormRole, l, layout.Input, forForward),
            Shortcut = Spec.Shortcuts ? Load(layout.ShortcutRole, l, false, new Shape(layout.Input, layout.Output), forForward) : null,
        };
        foreach (LinearLayout map in layout.Maps)
        {
            station[map.Slot] = LoadStacked(l, forForward, map);
        }

        return station;
    }

    private OuterWeights ReadOuter(bool untie, bool forForward)
    {
        Tensor embed = Load(Role.Embed, -1, false, new Shape(Spec.Vocab, Spec.EmbedWidth), forForward);
        Tensor? position = Spec.Rope is null
            ? Load(Role.Position, -1, false, new Shape(Spec.MaxPositions + Spec.PositionOffset, Spec.EmbedWidth), forForward) : null;
        Norm norm = LoadNorm(Role.NormFinal, -1, Spec.HeadWidth, forForward);
        Role headRole = Spec.TiedHead ? Role.Embed : Role.Head;
        Tensor head = Spec.TiedHead && !untie ? embed.RowRange(0, Spec.Vocab) : Load(headRole, -1, false, new Shape(Spec.Vocab, Spec.HeadWidth), forForward);
        Tensor? bias = Spec.Bias.Head ? Load(Role.Head, -1, true, new Shape(Spec.Vocab), forForward: false) : null; // beside logits;
        return new OuterWeights(embed, position, norm, new Linear(head, bias));
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

    private Linear LoadStacked(int l, bool forForward, LinearLayout map)
    {
        // parts of different types meet in the wider one
        DType first = Stored(map.Parts[0]);
        Tensor weight = backend.Alloc(map.Parts.All(p => Stored(p) == first) ? first : DType, new Shape(map.Rows, map.Inputs));
        Tensor? bias = map.HasBias ? backend.Alloc(forForward ? DType : DType.Accumulator(), new Shape(map.Rows)) : null;
        foreach (LinearPart part in map.Parts)
        {
            Read(Parameter(part.Role, l, false, new Shape(part.Rows, map.Inputs)), weight.RowRange(part.From, part.Rows));
            if (bias is not null)
            {
                Read(Parameter(part.Role, l, true, new Shape(part.Rows)), bias.ColumnRange(part.From, part.Rows));
            }
        }

        return new Linear(weight, bias);

        DType Stored(LinearPart part) => TypeOf(Parameter(part.Role, l, false, new Shape(part.Rows, map.Inputs)), forForward);
    }

    private Norm LoadNorm(Role role, int l, int width, bool forForward) => !Spec.NormAffine
        ? new Norm(null, null)
        : new Norm(
            Load(role, l, false, new Shape(width), forForward), Spec.Norm == NormKind.Layer ? Load(role, l, true, new Shape(width), forForward) : null);

    private Tensor Load(Role role, int l, bool isBias, Shape shape, bool forForward)
    {
        Parameter p = Parameter(role, l, isBias, shape);
        Tensor t = backend.Alloc(TypeOf(p, forForward), shape);
        Read(p, t);
        return t;
    }

    /// <summary>The type that a parameter is read in. A forward in F32 leaves matrices in BF16.</summary>
    private DType TypeOf(Parameter p, bool forForward) =>
        !forForward ? DType.Accumulator() : DType == DType.F32 && IsMatrix(p) && Entry(p).DType == DType.BF16 ? DType.BF16 : DType;

    /// <summary>The 16-bit type that most of the weights have; F32 where that is none.</summary>
    private static DType StoredType(ModelSpec spec, Checkpoint checkpoint)
    {
        DType most = spec.Parameters().GroupBy(p => checkpoint.Tensors[p.Name].DType).MaxBy(type => type.Sum(p => p.Shape.Count))!.Key;
        return most is DType.F16 or DType.BF16 ? most : DType.F32;
    }

    private TensorEntry Entry(Parameter p) => Checkpoint.Tensors[cut?.Invoke(p).Source ?? p.Name];

    private Parameter Parameter(Role role, int l, bool isBias, Shape shape) => new(role, l, isBias, Spec.Names.Tensor(role, l, isBias), shape);

    /// <summary>Deletes in place what is not kept.</summary>
    private Tensor Keep(Tensor t, TensorCut kept)
    {
        bool vector = t.Shape.Rank == 1;
        if ((vector ? null : kept.Outputs) is { } rows)
        {
            using Tensor index = Indices(rows);
            backend.KeepRows(t, index);
            t = t.RowRange(0, rows.Count);
        }

        if ((vector ? kept.Outputs : kept.Inputs) is { } columns)
        {
            using Tensor index = Indices(columns);
            backend.KeepColumns(t, index);
            t = t.ColumnRange(0, columns.Count);
        }

        return t;
    }

    private Tensor Indices(IReadOnlyList<int> values) => backend.Upload<int>(new Shape(values.Count), [.. values]);
}
