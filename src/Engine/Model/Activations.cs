using NativeEngine.Kernels;
using NativeEngine.Spec;

namespace NativeEngine.Model;

/// <summary>
/// What the forward of one station leaves for its backward, N = B T rows. The input belongs to whoever holds the residual stream;
/// everything else is owned. The backward reuses the memory, so it can run once.
/// </summary>
internal sealed class StationActivations : IDisposable
{
    private readonly Tensor?[] adapters = new Tensor?[Enum.GetValues<LinearSlot>().Length];

    /// <summary>The residual in front. (N,D)</summary>
    public required Tensor Input { get; init; }

    /// <summary>Whether a backward follows, so that what only it needs is made.</summary>
    public required bool ForBackward { get; init; }

    /// <summary>norm(input), which the stacked inputs read. (N,D)</summary>
    public Tensor? Normed { get; set; }

    /// <summary>q and k after rotary positions, and v. (N, Q + 2 K)</summary>
    public Tensor? Qkv { get; set; }

    /// <summary>Attention's mix of values, which its output projection reads. (N,Q)</summary>
    public Tensor? Attended { get; set; }

    /// <summary>(B, Heads, T)</summary>
    public Tensor? LogSumExp { get; set; }

    /// <summary>Gate and up side by side, or up alone, in front of the non-linearity. (N, 2 F) or (N,F)</summary>
    public Tensor? MlpHidden { get; set; }

    /// <summary>f(gate) * up or f(up), which the MLP's output projection reads. (N,F)</summary>
    public Tensor? MlpActivated { get; set; }

    /// <summary>dropout(x) A^T of the adapter in <paramref name="slot"/>. (N, parts * r)</summary>
    public Tensor? this[LinearSlot slot] { get => adapters[(int)slot]; set => adapters[(int)slot] = value; }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (Tensor? t in (ReadOnlySpan<Tensor?>)[Normed, Qkv, Attended, LogSumExp, MlpHidden, MlpActivated, .. adapters])
        {
            t?.Dispose();
        }
    }
}

/// <summary>What the forward of one layer leaves for its backward; the residual between its stations is owned as well.</summary>
internal sealed class LayerActivations : IDisposable
{
    private readonly List<StationActivations> stations = [];

    /// <summary>One per station, in order.</summary>
    public IReadOnlyList<StationActivations> Stations => stations;

    /// <summary>Bytes that one token of a layer of <paramref name="spec"/> leaves in elements of <paramref name="dtype"/>.</summary>
    public static long BytesPerToken(ModelSpec spec, int layer, DType dtype)
    {
        LayerShape s = spec.Layers[layer];
        bool sequential = spec.Residual == ResidualKind.Sequential;
        long elements = s.AttentionInput + 2L * s.QueryWidth + 2L * s.KeyWidth + s.Heads + (spec.GatedMlp ? 3L : 2L) * s.Ffn + (sequential ? 2L * s.MlpInput : 0);
        return elements * dtype.Size();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        for (int i = 0; i < stations.Count; i++)
        {
            stations[i].Dispose();
            if (i > 0)
            {
                stations[i].Input.Dispose();
            }
        }
    }

    internal StationActivations Add(Tensor input)
    {
        var station = new StationActivations { Input = input, ForBackward = true };
        stations.Add(station);
        return station;
    }
}
