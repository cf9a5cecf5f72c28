using NativeEngine.Kernels;
using NativeEngine.Model;
using NativeEngine.Spec;

namespace NativeEngine.Tune;

/// <summary>
/// Adapters by layer and role, all in one block of memory: what an optimiser does, it does to <see cref="Flat"/> at once. A set of the
/// same shapes also holds what belongs to each of their elements: a gradient, a running mean.
/// </summary>
internal sealed class AdapterSet : IDisposable
{
    private const int FlatColumns = 1024; // rows are what threads share

    private readonly IBackend backend;
    private readonly OrderedDictionary<(int Layer, Role Role), Lora> maps = [];

    /// <summary>Adapters for <paramref name="parameters"/>, which are matrices in the order of the forward; zeros.</summary>
    internal AdapterSet(IBackend backend, LoraConfig config, IEnumerable<Parameter> parameters)
        : this(backend, config, [.. parameters.Select(p => (p.Layer, p.Role, p.Shape[1], p.Shape[0]))])
    {
    }

    private AdapterSet(IBackend backend, LoraConfig config, IReadOnlyList<(int Layer, Role Role, long Inputs, long Outputs)> shapes)
    {
        (this.backend, Config) = (backend, config);
        long a = shapes.Sum(s => s.Inputs) * config.Rank, b = shapes.Sum(s => s.Outputs) * config.Rank, at = 0;
        ParameterCount = a + b;
        Flat = backend.Alloc(DType.F32, new Shape((a + b + FlatColumns - 1) / FlatColumns, FlatColumns));
        backend.Zero(Flat);

        // All A lie in front of all B: those of maps that read the same signal follow each other and are one matrix.
        Tensor[] factors = [.. shapes.Select(s => Next(config.Rank, s.Inputs)), .. shapes.Select(s => Next(s.Outputs, config.Rank))];
        for (int i = 0; i < shapes.Count; i++)
        {
            maps.Add((shapes[i].Layer, shapes[i].Role), new Lora(factors[i], factors[shapes.Count + i]));
        }

        Tensor Next(long rows, long columns)
        {
            Tensor view = Flat.Reshape(new Shape(Flat.Shape.Count)).ColumnRange(at, rows * columns);
            at += rows * columns;
            return view.Reshape(new Shape(rows, columns));
        }
    }

    /// <summary>Every number of the set, and zeros behind them. (n, 1024)</summary>
    public Tensor Flat { get; }

    /// <summary>Rank, strength, dropout.</summary>
    public LoraConfig Config { get; }

    /// <summary>The adapters in the order of the forward.</summary>
    public IReadOnlyDictionary<(int Layer, Role Role), Lora> Maps => maps;

    /// <summary>Numbers in all adapters.</summary>
    public long ParameterCount { get; }

    /// <summary>The adapter of a map; null where it has none.</summary>
    public Lora? this[int layer, Role role] => maps.GetValueOrDefault((layer, role));

    /// <summary>
    /// Adapters for <paramref name="roles"/> in every layer that change nothing yet: A is uniform within 1 / sqrt(in), which is peft's
    /// kaiming_uniform with a = sqrt(5), B is zero. What is drawn for one map depends on the seed, the layer and the role alone.
    /// </summary>
    public static AdapterSet Initial(IBackend backend, ModelSpec spec, LoraConfig config, IReadOnlyCollection<Role> roles, long seed)
    {
        var set = new AdapterSet(backend, config, Targets(spec, roles));
        foreach (((int layer, Role role), Lora lora) in set.maps)
        {
            Draw(backend, lora.A, Key(seed, layer, role));
        }

        return set;
    }

    /// <summary>The matrices of <paramref name="roles"/> in every layer.</summary>
    public static IEnumerable<Parameter> Targets(ModelSpec spec, IReadOnlyCollection<Role> roles) =>
        spec.Parameters().Where(p => p is { Layer: >= 0, IsBias: false } && roles.Contains(p.Role));

    /// <summary>Zeros of the same shapes.</summary>
    public AdapterSet ZerosAlike() => new(backend, Config, [.. maps.Select(m => (m.Key.Layer, m.Key.Role, m.Value.A.Columns, m.Value.B.Rows))]);

    /// <summary>Takes over the values of a set of the same shapes.</summary>
    public void CopyFrom(AdapterSet other) => backend.Copy(Flat, other.Flat);

    /// <summary>Puts the adapters on the maps of <paramref name="model"/>; where they are trained, their gradients add up in <paramref name="gradients"/>.</summary>
    public void AttachTo(CausalModel model, AdapterSet? gradients = null) => model.AttachAdapters((l, layer) =>
    {
        foreach (Station station in layer.Stations)
        {
            foreach (LinearLayout map in station.Layout.Maps)
            {
                station[map.Slot] = station[map.Slot]! with { Adapter = Stacked(l, map, gradients) };
            }
        }
    });

    /// <summary>All tensors, A and B of each map in the order of the forward. Borrows the memory.</summary>
    public IEnumerable<(int Layer, Role Role, char Factor, Tensor Value)> Tensors()
    {
        foreach (((int layer, Role role), Lora lora) in maps)
        {
            yield return (layer, role, 'A', lora.A);
            yield return (layer, role, 'B', lora.B);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => Flat.Dispose();

    /// <summary>The adapters of the parts of a stacked map as one; null where no part has one.</summary>
    private Adapter? Stacked(int l, LinearLayout map, AdapterSet? gradients)
    {
        LinearPart[] parts = [.. map.Parts.Where(p => maps.ContainsKey((l, p.Role)))];
        return parts.Length == 0 ? null : new Adapter(
            A(this),
            gradients is null ? null : A(gradients),
            [.. parts.Select(p => new AdapterPart(p.From, this[l, p.Role]!.B, gradients?[l, p.Role]!.B))],
            Config.Scale,
            Config.Dropout,
            Site: new SplitMix64(l * 16L + (int)map.Slot).Next());

        Tensor A(AdapterSet set) => new(set[l, parts[0].Role]!.A.Address, DType.F32, new Shape(parts.Length * Config.Rank, map.Inputs), map.Inputs);
    }

    private static long Key(long seed, int layer, Role role) => (long)new SplitMix64((long)new SplitMix64(seed).Next() + layer * 256L + (int)role).Next();

    private static void Draw(IBackend backend, Tensor a, long key)
    {
        double bound = 1 / Math.Sqrt(a.Columns);
        var random = new SplitMix64(key);
        var values = new float[a.Shape.Count];
        foreach (ref float x in values.AsSpan())
        {
            x = (float)(bound * (2 * random.NextUnit() - 1));
        }

        backend.Upload<float>(a, values);
    }
}
