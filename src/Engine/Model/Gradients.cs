using NativeEngine.Kernels;
using NativeEngine.Spec;

namespace NativeEngine.Model;

/// <summary>Where a backward adds up the gradients of a linear map; null where not wanted.</summary>
/// <param name="Weight">(out, in)</param>
/// <param name="Squares">(out, in): mean over the examples of the square of each one's gradient</param>
/// <param name="Bias">(out)</param>
internal sealed record LinearGradient(Tensor Weight, Tensor? Squares, Tensor? Bias) : IDisposable
{
    /// <inheritdoc/>
    public void Dispose()
    {
        Weight.Dispose();
        Squares?.Dispose();
        Bias?.Dispose();
    }
}

/// <summary>Gradients of the parameters of one station; null where not wanted.</summary>
internal sealed class StationGradients : IDisposable
{
    private readonly LinearGradient?[] maps = new LinearGradient?[Enum.GetValues<LinearSlot>().Length];

    /// <summary>Of the norm's gain. (D)</summary>
    public Tensor? NormGain { get; init; }

    /// <summary>Of the norm's bias. (D)</summary>
    public Tensor? NormBias { get; init; }

    /// <summary>Of the matrix on the residual. (D,D')</summary>
    public Tensor? Shortcut { get; init; }

    /// <summary>Of the map in <paramref name="slot"/>.</summary>
    public LinearGradient? this[LinearSlot slot] { get => maps[(int)slot]; set => maps[(int)slot] = value; }

    /// <summary>Zeros for every parameter of <paramref name="station"/>; only tests want all of them.</summary>
    internal static StationGradients Zeros(IBackend backend, Station station, DType dtype)
    {
        using Owned made = new();
        var gradients = new StationGradients { NormGain = Zeros(station.Norm.Gain), NormBias = Zeros(station.Norm.Bias), Shortcut = Zeros(station.Shortcut) };
        foreach (LinearLayout map in station.Layout.Maps)
        {
            Linear linear = station[map.Slot]!;
            gradients[map.Slot] = new LinearGradient(Zeros(linear.Weight)!, null, Zeros(linear.Bias));
        }

        return made.HandOver(gradients);

        Tensor? Zeros(Tensor? parameter) => made.Add(backend.Zeros(dtype, parameter));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        NormGain?.Dispose();
        NormBias?.Dispose();
        Shortcut?.Dispose();
        foreach (LinearGradient? map in maps)
        {
            map?.Dispose();
        }
    }
}

/// <summary>Gradients of the weights outside the layers. A tied head adds to the embedding's.</summary>
internal sealed record OuterGradients(Tensor Embed, Tensor? Position, Tensor? NormGain, Tensor? NormBias, Tensor Head, Tensor? HeadBias) : IDisposable
{
    /// <summary>Zeros for all of <paramref name="weights"/>.</summary>
    public static OuterGradients Zeros(IBackend backend, OuterWeights weights, bool tied, DType dtype)
    {
        using Owned made = new();
        Tensor embed = Zeros(weights.Embed)!;
        return made.HandOver(new OuterGradients(
            embed, Zeros(weights.Position), Zeros(weights.NormFinal.Gain), Zeros(weights.NormFinal.Bias),
            tied ? embed : Zeros(weights.Head.Weight)!, Zeros(weights.Head.Bias)));

        Tensor? Zeros(Tensor? parameter) => made.Add(backend.Zeros(dtype, parameter));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (Tensor? t in (ReadOnlySpan<Tensor?>)[Embed, Position, NormGain, NormBias, Head, HeadBias])
        {
            t?.Dispose();
        }
    }
}

internal static class GradientMemory
{
    /// <summary>Zeros in the shape of <paramref name="parameter"/>; null for null.</summary>
    public static Tensor? Zeros(this IBackend backend, DType dtype, Tensor? parameter)
    {
        if (parameter is null)
        {
            return null;
        }

        using Owned made = new();
        Tensor zeros = made.Add(backend.Alloc(dtype, parameter.Shape));
        backend.Zero(zeros);
        return made.HandOver(zeros);
    }
}
