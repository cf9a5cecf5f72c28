using System.Globalization;
using NativeEngine.Checkpoints;
using NativeEngine.Kernels;
using NativeEngine.Spec;

namespace NativeEngine.Model;

/// <summary>
/// A checkpoint seen through its spec. Opening compares every shape and reads no weights; layers are read when asked for,
/// and stay in memory only when the whole model fits the limit that was given. A forward in F32 reads matrices that are stored as
/// BF16 in that type: it is exact and half the memory. Everything else is converted on reading.
/// </summary>
internal sealed class CausalModel : IDisposable
{
    private readonly IBackend backend;
    private readonly WeightReader reader;
    private readonly long weightMemory;
    private readonly bool borrowsCheckpoint;
    private readonly LayerWeights?[] resident;
    private Action<int, LayerWeights>? attachAdapters;
    private OuterWeights? outer;

    private CausalModel(IBackend backend, Checkpoint checkpoint, ModelSpec spec, DType dtype, long weightMemory, Func<Parameter, TensorCut>? cut = null)
    {
        (this.backend, Checkpoint, Spec, DType, this.weightMemory, borrowsCheckpoint) = (backend, checkpoint, spec, dtype, weightMemory, cut is not null);
        reader = new WeightReader(backend, checkpoint, spec, dtype, cut);
        resident = new LayerWeights?[spec.Layers.Count];
        WeightBytes = spec.Parameters().Sum(p => p.Shape.Count * reader.TypeOf(p, forForward: true).Size());
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
    public bool IsResident => WeightBytes <= weightMemory;

    /// <summary>Embedding, positions, final norm and head, for a forward: matrices are BF16 where the checkpoint stores them so.</summary>
    public OuterWeights Outer => outer ??= reader.Outer(untie: false, forForward: true);

    /// <summary>Opens the model in <paramref name="folder"/>; a forward computes in <paramref name="dtype"/>.</summary>
    /// <param name="backend">where the weights go</param>
    /// <param name="folder">Hugging Face layout</param>
    /// <param name="dtype">what <paramref name="backend"/> computes; null for the type that the checkpoint stores, F32 where that is no 16-bit one</param>
    /// <param name="weightMemory">keep all layers in memory when they need no more bytes than this</param>
    /// <exception cref="EngineException">NE4070: the heads are too wide for <paramref name="backend"/></exception>
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
            RequireHeads(backend, spec, checkpoint.Folder);
            WeightReader.Verify(spec, checkpoint);
            return new CausalModel(backend, checkpoint, spec, dtype ?? StoredType(spec, checkpoint), weightMemory);
        }
        catch
        {
            checkpoint.Dispose();
            throw;
        }
    }

    private static void RequireHeads(IBackend backend, ModelSpec spec, string folder)
    {
        int widest = spec.Layers.Select(layer => layer.HeadDim).DefaultIfEmpty().Max();
        if (widest > backend.LargestHead)
        {
            throw new EngineException("NE4070", $"{backend.Name} does not compute attention with heads of {widest}")
            {
                File = Path.Combine(folder, "config.json"),
                Key = "head_dim",
                Found = widest.ToString(CultureInfo.InvariantCulture),
                Expected = $"{backend.LargestHead} or less",
                Hint = "run with --device cpu",
            };
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

        layer = reader.Layer(l, forForward: true);
        attachAdapters?.Invoke(l, layer);
        resident[l] = IsResident ? layer : null;
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
        if (!IsResident)
        {
            layer.Dispose();
        }
    }

    /// <summary>Reads layer <paramref name="l"/> anew, all of it in F32 (F64 where a forward computes in that); the caller owns it and may change it.</summary>
    public LayerWeights LoadLayer(int l) => reader.Layer(l, forForward: false);

    /// <summary>Reads embedding, positions, final norm and head anew, as <see cref="LoadLayer"/>; the caller owns them and may change them.
    /// A tied head is a copy of its own then.</summary>
    public OuterWeights LoadOuter(bool untie = false) => reader.Outer(untie, forForward: false);

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
        if (!borrowsCheckpoint)
        {
            Checkpoint.Dispose();
        }
    }

    /// <summary>The type in which the checkpoint holds <paramref name="p"/>.</summary>
    public DType StoredType(Parameter p) => reader.Entry(p).DType;

    /// <summary>Reads the parameter <paramref name="p"/> into <paramref name="destination"/>, converting its type.</summary>
    /// <exception cref="EngineException">NE10001: it holds NaN or infinity; NE10013: it does not fit F16</exception>
    public void Read(Parameter p, Tensor destination) => reader.Read(p, destination);

    /// <summary>Tensors of the checkpoint that the spec has no use for, rotary tables that old checkpoints store aside.</summary>
    public IReadOnlyList<string> UnusedTensors() =>
        [.. Checkpoint.Tensors.Keys.Except(Spec.Parameters().Select(p => p.Name)).Where(n => !n.EndsWith("rotary_emb.inv_freq", StringComparison.Ordinal)).Select(n => Untrusted.Escape(n)).Order(StringComparer.Ordinal)];

    /// <summary>The 16-bit type that most of the weights have; F32 where that is none.</summary>
    private static DType StoredType(ModelSpec spec, Checkpoint checkpoint)
    {
        DType most = spec.Parameters().GroupBy(p => checkpoint.Tensors[p.Name].DType).MaxBy(type => type.Sum(p => p.Shape.Count))!.Key;
        return most is DType.F16 or DType.BF16 ? most : DType.F32;
    }
}
