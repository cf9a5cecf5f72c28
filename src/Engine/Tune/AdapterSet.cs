using NativeEngine.Kernels;
using NativeEngine.Spec;
using NativeEngine.Text;

namespace NativeEngine.Tune;

/// <summary>
/// Adapters by layer and role. A set of the same shapes also holds what belongs to each of their elements: a gradient, a running mean.
/// </summary>
public sealed class AdapterSet : IDisposable
{
    private readonly IBackend backend;
    private readonly OrderedDictionary<(int Layer, Role Role), Lora> maps = [];

    /// <summary>Adapters for <paramref name="parameters"/>, which are matrices; not cleared.</summary>
    internal AdapterSet(IBackend backend, LoraConfig config, IEnumerable<Parameter> parameters)
    {
        (this.backend, Config) = (backend, config);
        foreach (Parameter p in parameters)
        {
            Add(p.Layer, p.Role, p.Shape[1], p.Shape[0]);
        }
    }

    private AdapterSet(AdapterSet other)
    {
        (backend, Config) = (other.backend, other.Config);
        foreach (((int layer, Role role), Lora lora) in other.maps)
        {
            Add(layer, role, lora.A.Columns, lora.B.Rows);
        }
    }

    /// <summary>Rank, strength, dropout.</summary>
    public LoraConfig Config { get; }

    /// <summary>The adapters in the order of the forward.</summary>
    public IReadOnlyDictionary<(int Layer, Role Role), Lora> Maps => maps;

    /// <summary>Numbers in all adapters.</summary>
    public long ParameterCount => Tensors().Sum(t => t.Value.Shape.Count);

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
            Draw(lora.A, Key(seed, layer, role));
            backend.Zero(lora.B);
        }

        return set;
    }

    /// <summary>The matrices of <paramref name="roles"/> in every layer.</summary>
    public static IEnumerable<Parameter> Targets(ModelSpec spec, IReadOnlyCollection<Role> roles) =>
        spec.Parameters().Where(p => p is { Layer: >= 0, IsBias: false } && roles.Contains(p.Role));

    /// <summary>Zeros of the same shapes.</summary>
    public AdapterSet ZerosAlike()
    {
        var zeros = new AdapterSet(this);
        foreach ((_, _, _, Tensor value) in zeros.Tensors())
        {
            backend.Zero(value);
        }

        return zeros;
    }

    /// <summary>Takes over the values of a set of the same shapes.</summary>
    public void CopyFrom(AdapterSet other)
    {
        foreach (((int layer, Role role), Lora lora) in maps)
        {
            Lora from = other.maps[(layer, role)];
            backend.Copy(lora.A, from.A);
            backend.Copy(lora.B, from.B);
        }
    }

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
    public void Dispose()
    {
        foreach (Lora lora in maps.Values)
        {
            lora.Dispose();
        }
    }

    private void Add(int layer, Role role, long inputs, long outputs) => maps.Add(
        (layer, role),
        new Lora(backend.Alloc(DType.F32, new Shape(Config.Rank, inputs)), backend.Alloc(DType.F32, new Shape(outputs, Config.Rank))));

    private static long Key(long seed, int layer, Role role) => (long)new SplitMix64((long)new SplitMix64(seed).Next() + layer * 256L + (int)role).Next();

    private static void Draw(Tensor a, long key)
    {
        double bound = 1 / Math.Sqrt(a.Columns);
        var random = new SplitMix64(key);
        for (long row = 0; row < a.Rows; row++)
        {
            foreach (ref float x in a.Row<float>(row))
            {
                x = (float)(bound * (2 * random.NextUnit() - 1));
            }
        }
    }
}
