using System.Globalization;
using NativeEngine.Spec;

namespace NativeEngine.Prune;

/// <summary>How small the model is to become.</summary>
/// <param name="Spec">its shapes, where every group is cut by itself</param>
/// <param name="Ratio">the fraction of every group that goes</param>
/// <param name="Parameters">the number of parameters that was asked for; null when a ratio was</param>
internal sealed record PruneTarget(ModelSpec Spec, double Ratio, long? Parameters = null);

/// <summary>A size as a number of parameters, or as a fraction of the dense model's when it is at most 1.</summary>
public readonly record struct ParameterTarget(double Value)
{
    /// <summary>Reads <c>0.8</c> or <c>5400000000</c>.</summary>
    public static bool TryParse(string text, out ParameterTarget target)
    {
        bool ok = double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double value) && value is > 0 and < long.MaxValue;
        target = new(value);
        return ok;
    }

    /// <summary>The number of parameters of a model that has <paramref name="dense"/> now.</summary>
    public long Of(long dense) => (long)Math.Round(Value <= 1 ? Value * dense : Value);
}
