using NativeEngine.Kernels;
using NativeEngine.Spec;

namespace NativeEngine.Model;

/// <summary>y = x W^T + b.</summary>
/// <param name="Weight">(out, in), as checkpoints store it</param>
/// <param name="Bias">(out)</param>
internal sealed record Linear(Tensor Weight, Tensor? Bias) : IDisposable
{
    /// <summary>What tuning adds to the map; owned by whoever attached it.</summary>
    public Adapter? Adapter { get; init; }

    /// <summary>The map onto outputs <paramref name="from"/> .. <paramref name="from"/> + <paramref name="count"/>; borrows the memory.</summary>
    public Linear Outputs(long from, long count) =>
        new(Weight.RowRange(from, count), Bias?.ColumnRange(from, count).Reshape(new Shape(count)));

    /// <inheritdoc/>
    public void Dispose()
    {
        Weight.Dispose();
        Bias?.Dispose();
    }
}

/// <summary>Weights of a norm; both null once fusion has moved them into the next linear map.</summary>
internal sealed record Norm(Tensor? Gain, Tensor? Bias) : IDisposable
{
    /// <inheritdoc/>
    public void Dispose()
    {
        Gain?.Dispose();
        Bias?.Dispose();
    }
}

/// <summary>
/// One sub-block on the residual: y = S(x) + outputs(f(inputs(norm(x)))). A sequential layer has two (attention, then MLP),
/// a parallel layer has one that does both. Whoever visits stations need not know which is which.
/// </summary>
internal sealed class Station(StationLayout layout) : IDisposable
{
    private readonly Linear?[] maps = new Linear?[Enum.GetValues<LinearSlot>().Length];

    /// <summary>Which tensors it has, and how its maps are stacked.</summary>
    public StationLayout Layout => layout;

    /// <summary>The norm in front.</summary>
    public required Norm Norm { get; set; }

    /// <summary>q, k and v stacked; null in an MLP station.</summary>
    public Linear? Qkv { get => this[LinearSlot.Qkv]; set => this[LinearSlot.Qkv] = value; }

    /// <summary>Attention output.</summary>
    public Linear? AttnOut { get => this[LinearSlot.AttnOut]; set => this[LinearSlot.AttnOut] = value; }

    /// <summary>Gate and up stacked, or up alone; null in an attention station.</summary>
    public Linear? MlpIn { get => this[LinearSlot.MlpIn]; set => this[LinearSlot.MlpIn] = value; }

    /// <summary>MLP output.</summary>
    public Linear? MlpDown { get => this[LinearSlot.MlpDown]; set => this[LinearSlot.MlpDown] = value; }

    /// <summary>(in, out) matrix on the residual; null for the identity.</summary>
    public Tensor? Shortcut { get; set; }

    /// <summary>The map in <paramref name="slot"/>; null where the station has none.</summary>
    public Linear? this[LinearSlot slot] { get => maps[(int)slot]; set => maps[(int)slot] = value; }

    /// <inheritdoc/>
    public void Dispose()
    {
        Norm.Dispose();
        Shortcut?.Dispose();
        foreach (Linear? map in maps)
        {
            map?.Dispose();
        }
    }

    /// <summary>The same weights in <paramref name="dtype"/>, without adapters.</summary>
    public Station Copy(IBackend backend, DType dtype)
    {
        using Owned made = new();
        var copy = new Station(layout) { Norm = new Norm(Converted(Norm.Gain), Converted(Norm.Bias)), Shortcut = Converted(Shortcut) };
        foreach (LinearLayout map in layout.Maps)
        {
            Linear linear = this[map.Slot]!;
            copy[map.Slot] = new Linear(Converted(linear.Weight)!, Converted(linear.Bias));
        }

        return made.HandOver(copy);

        Tensor? Converted(Tensor? x)
        {
            if (x is null)
            {
                return null;
            }

            Tensor y = made.Add(backend.Alloc(dtype, x.Shape));
            backend.Copy(y, x);
            return y;
        }
    }

    /// <summary>The tensors under their roles, as a checkpoint stores them: stacked maps come apart again. Borrows the memory.</summary>
    public IEnumerable<(Role Role, bool IsBias, Tensor Value)> Tensors()
    {
        if (Norm.Gain is not null)
        {
            yield return (layout.NormRole, false, Norm.Gain);
        }

        if (Norm.Bias is not null)
        {
            yield return (layout.NormRole, true, Norm.Bias);
        }

        foreach (LinearLayout map in layout.Maps)
        {
            foreach (LinearPart part in map.Parts)
            {
                Linear linear = map.Parts.Count == 1 ? this[map.Slot]! : this[map.Slot]!.Outputs(part.From, part.Rows);
                yield return (part.Role, false, linear.Weight);
                if (linear.Bias is not null)
                {
                    yield return (part.Role, true, linear.Bias);
                }
            }
        }

        if (Shortcut is not null)
        {
            yield return (layout.ShortcutRole, false, Shortcut);
        }
    }
}

/// <summary>The weights of one decoder layer.</summary>
/// <param name="Shape">its widths</param>
/// <param name="Stations">its sub-blocks, in order</param>
internal sealed record LayerWeights(LayerShape Shape, IReadOnlyList<Station> Stations) : IDisposable
{
    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (Station s in Stations)
        {
            s.Dispose();
        }
    }

    /// <summary>The tensors under their roles, as a checkpoint stores them. Borrows the memory.</summary>
    public IEnumerable<(Role Role, bool IsBias, Tensor Value)> Tensors() => Stations.SelectMany(s => s.Tensors());
}

/// <summary>The weights outside the layers; matrices of <see cref="CausalModel.Outer"/> may be BF16.</summary>
/// <param name="Embed">(V, D)</param>
/// <param name="Position">(P, D); null for rotary positions</param>
/// <param name="NormFinal">norm in front of the head</param>
/// <param name="Head">(V, D); shares the embedding's memory in a tied model</param>
internal sealed record OuterWeights(Tensor Embed, Tensor? Position, Norm NormFinal, Linear Head) : IDisposable
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
