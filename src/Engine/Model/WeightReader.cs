using NativeEngine.Checkpoints;
using NativeEngine.Kernels;
using NativeEngine.Spec;

namespace NativeEngine.Model;

/// <summary>
/// Reads the parameters of a spec out of a checkpoint, whole or cut, into the tensors that a forward or a change of weights works on.
/// </summary>
/// <param name="backend">where the weights go</param>
/// <param name="checkpoint">where they come from</param>
/// <param name="spec">what they make up</param>
/// <param name="dtype">what a forward computes in</param>
/// <param name="cut">what each parameter keeps of which tensor; null for all of its own</param>
internal sealed class WeightReader(IBackend backend, Checkpoint checkpoint, ModelSpec spec, DType dtype, Func<Parameter, TensorCut>? cut)
{
    private int lastRead = -1;

    /// <summary>Every tensor of the spec is there with its shape, before anything is allocated from config.json.</summary>
    public static void Verify(ModelSpec spec, Checkpoint checkpoint)
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

    /// <summary>The tensor that <paramref name="p"/> is read from.</summary>
    public TensorEntry Entry(Parameter p) => checkpoint.Tensors[cut?.Invoke(p).Source ?? p.Name];

    /// <summary>The type that a parameter is read in. A forward in F32 leaves matrices in BF16.</summary>
    public DType TypeOf(Parameter p, bool forForward) =>
        !forForward ? dtype.Accumulator() : dtype == DType.F32 && IsMatrix(p) && Entry(p).DType == DType.BF16 ? DType.BF16 : dtype;

    /// <summary>Reads the parameter <paramref name="p"/> into <paramref name="destination"/>, converting its type.</summary>
    /// <exception cref="EngineException">NE10001: it holds NaN or infinity; NE10013: it does not fit F16</exception>
    public void Read(Parameter p, Tensor destination)
    {
        TensorEntry entry = Entry(p);
        TensorCut? kept = cut?.Invoke(p);
        bool finite;
        if (kept is null or { Outputs: null, Inputs: null })
        {
            finite = checkpoint.Read(backend, entry, destination);
        }
        else
        {
            using Tensor whole = backend.Alloc(destination.DType, entry.Shape);
            finite = checkpoint.Read(backend, entry, whole);
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

    /// <summary>The weights of layer <paramref name="l"/>; the caller owns them.</summary>
    public LayerWeights Layer(int l, bool forForward)
    {
        AnnounceNeighbour(l);
        using Owned made = new();
        Station[] stations = [.. spec.Stations(l).Select(layout => made.Add(ReadStation(l, layout, forForward)))];
        return made.HandOver(new LayerWeights(spec.Layers[l], stations));
    }

    /// <summary>The weights outside the layers; the caller owns them. A tied head is the embedding's memory unless <paramref name="untie"/>.</summary>
    public OuterWeights Outer(bool untie, bool forForward)
    {
        using Owned made = new();
        Tensor embed = made.Add(Load(Role.Embed, -1, false, new Shape(spec.Vocab, spec.EmbedWidth), forForward));
        Tensor? position = spec.Rope is null
            ? made.Add(Load(Role.Position, -1, false, new Shape(spec.MaxPositions + spec.PositionOffset, spec.EmbedWidth), forForward)) : null;
        Norm norm = made.Add(LoadNorm(Role.NormFinal, -1, spec.HeadWidth, forForward));
        Role headRole = spec.TiedHead ? Role.Embed : Role.Head;
        Tensor head = made.Add(
            spec.TiedHead && !untie ? embed.RowRange(0, spec.Vocab) : Load(headRole, -1, false, new Shape(spec.Vocab, spec.HeadWidth), forForward));
        Tensor? bias = spec.Bias.Head ? made.Add(Load(Role.Head, -1, true, new Shape(spec.Vocab), forForward: false)) : null; // beside logits
        return made.HandOver(new OuterWeights(embed, position, norm, new Linear(head, bias)));
    }

    private static bool IsMatrix(Parameter p) => p.Shape.Rank == 2;

    /// <summary>While this layer is at work, the disk can fetch the next one of a pass, forward or backward.</summary>
    private void AnnounceNeighbour(int l)
    {
        int next = l >= lastRead ? l + 1 : l - 1;
        lastRead = l;
        foreach (Parameter p in spec.Parameters().Where(p => p.Layer == next))
        {
            checkpoint.Announce(Entry(p));
        }
    }

    private Station ReadStation(int l, StationLayout layout, bool forForward)
    {
        using Owned made = new();
        var station = new Station(layout)
        {
            Norm = made.Add(LoadNorm(layout.NormRole, l, layout.Input, forForward)),
            Shortcut = spec.Shortcuts ? made.Add(Load(layout.ShortcutRole, l, false, new Shape(layout.Input, layout.Output), forForward)) : null,
        };
        foreach (LinearLayout map in layout.Maps)
        {
            station[map.Slot] = made.Add(LoadStacked(l, forForward, map));
        }

        return made.HandOver(station);
    }

    private Linear LoadStacked(int l, bool forForward, LinearLayout map)
    {
        // parts of different types meet in the wider one
        DType first = Stored(map.Parts[0]);
        using Owned made = new();
        Tensor weight = made.Add(backend.Alloc(map.Parts.All(p => Stored(p) == first) ? first : dtype, new Shape(map.Rows, map.Inputs)));
        Tensor? bias = map.HasBias ? made.Add(backend.Alloc(forForward ? dtype : dtype.Accumulator(), new Shape(map.Rows))) : null;
        foreach (LinearPart part in map.Parts)
        {
            Read(Parameter(part.Role, l, false, new Shape(part.Rows, map.Inputs)), weight.RowRange(part.From, part.Rows));
            if (bias is not null)
            {
                Read(Parameter(part.Role, l, true, new Shape(part.Rows)), bias.ColumnRange(part.From, part.Rows));
            }
        }

        return made.HandOver(new Linear(weight, bias));

        DType Stored(LinearPart part) => TypeOf(Parameter(part.Role, l, false, new Shape(part.Rows, map.Inputs)), forForward);
    }

    private Norm LoadNorm(Role role, int l, int width, bool forForward)
    {
        if (!spec.NormAffine)
        {
            return new Norm(null, null);
        }

        using Owned made = new();
        Tensor gain = made.Add(Load(role, l, false, new Shape(width), forForward));
        Tensor? bias = spec.Norm == NormKind.Layer ? made.Add(Load(role, l, true, new Shape(width), forForward)) : null;
        return made.HandOver(new Norm(gain, bias));
    }

    private Tensor Load(Role role, int l, bool isBias, Shape shape, bool forForward)
    {
        Parameter p = Parameter(role, l, isBias, shape);
        using Owned made = new();
        Tensor t = made.Add(backend.Alloc(TypeOf(p, forForward), shape));
        Read(p, t);
        return made.HandOver(t);
    }

    private Parameter Parameter(Role role, int l, bool isBias, Shape shape) => new(role, l, isBias, spec.Names.Tensor(role, l, isBias), shape);

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
