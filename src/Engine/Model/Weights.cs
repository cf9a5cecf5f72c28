using NativeEngine.Kernels;
using NativeEngine.Spec;

namespace NativeEngine.Model;

/// <summary>y = x W^T + b.</summary>
/// <param name="Weight">(out, in), as checkpoints store it</param>
/// <param name="Bias">(out)</param>
public sealed record Linear(Tensor Weight, Tensor? Bias) : IDisposable
{
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
public sealed record Norm(Tensor? Gain, Tensor? Bias) : IDisposable
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
/// a parallel layer has one that does both. Slicing visits stations and need not know which is which.
/// </summary>
public sealed class Station : IDisposable
{
    /// <summary>The norm in front.</summary>
    public required Norm Norm { get; set; }

    /// <summary>q, k and v stacked; null in an MLP station.</summary>
    public Linear? Qkv { get; set; }

    /// <summary>Attention output.</summary>
    public Linear? AttnOut { get; set; }

    /// <summary>Gate and up stacked, or up alone; null in an attention station.</summary>
    public Linear? MlpIn { get; set; }

    /// <summary>MLP output.</summary>
    public Linear? MlpDown { get; set; }

    /// <summary>(in, out) matrix on the residual; null for the identity.</summary>
    public Tensor? Shortcut { get; set; }

    /// <summary>The role under which <see cref="Shortcut"/> is stored.</summary>
    public required Role ShortcutRole { get; init; }

    /// <inheritdoc/>
    public void Dispose()
    {
        Norm.Dispose();
        Qkv?.Dispose();
        AttnOut?.Dispose();
        MlpIn?.Dispose();
        MlpDown?.Dispose();
        Shortcut?.Dispose();
    }
}

/// <summary>The weights of one decoder layer.</summary>
/// <param name="Shape">its widths</param>
/// <param name="Stations">its sub-blocks, in order</param>
public sealed record LayerWeights(LayerShape Shape, IReadOnlyList<Station> Stations) : IDisposable
{
    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (Station s in Stations)
        {
            s.Dispose();
        }
    }

    /// <summary>The tensors under their roles, as a checkpoint stores them: stacked maps come apart again. Borrows the memory.</summary>
    public IEnumerable<(Role Role, bool IsBias, Tensor Value)> Tensors()
    {
        foreach (Station s in Stations)
        {
            (Role normRole, bool mlpOnly) = s.Qkv is null ? (Role.NormMlp, true) : (Role.NormAttn, false);
            List<(Role, Linear)> maps = [];
            if (!mlpOnly)
            {
                maps.Add((Role.AttnQ, s.Qkv!.Outputs(0, Shape.QueryWidth)));
                maps.Add((Role.AttnK, s.Qkv.Outputs(Shape.QueryWidth, Shape.KeyWidth)));
                maps.Add((Role.AttnV, s.Qkv.Outputs(Shape.QueryWidth + Shape.KeyWidth, Shape.KeyWidth)));
                maps.Add((Role.AttnOut, s.AttnOut!));
            }

            if (s.MlpIn is not null)
            {
                bool gated = s.MlpIn.Weight.Rows == 2L * Shape.Ffn;
                if (gated)
                {
                    maps.Add((Role.MlpGate, s.MlpIn.Outputs(0, Shape.Ffn)));
                }

                maps.Add((Role.MlpUp, gated ? s.MlpIn.Outputs(Shape.Ffn, Shape.Ffn) : s.MlpIn));
                maps.Add((Role.MlpDown, s.MlpDown!));
            }

            foreach ((Role role, Linear map) in maps)
            {
                yield return (role, false, map.Weight);
                if (map.Bias is not null)
                {
                    yield return (role, true, map.Bias);
                }
            }

            if (s.Norm.Gain is not null)
            {
                yield return (normRole, false, s.Norm.Gain);
            }

            if (s.Norm.Bias is not null)
            {
                yield return (normRole, true, s.Norm.Bias);
            }

            if (s.Shortcut is not null)
            {
                yield return (s.ShortcutRole, false, s.Shortcut);
            }
        }
    }
}
