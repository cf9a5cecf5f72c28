using NativeEngine.Spec;

namespace NativeEngine.Prune;

/// <summary>Widths on which matrix products are slow, for the notices of a run: hardware wants multiples of 8 at least.</summary>
internal static class Alignment
{
    private const int Multiple = 8;

    /// <summary>One line for each kind of width of <paramref name="spec"/> that is no multiple of 8 and that no layer of <paramref name="dense"/> has.</summary>
    public static IEnumerable<string> Notices(ModelSpec dense, ModelSpec spec)
    {
        if (spec.Hidden % Multiple != 0 && spec.Hidden != dense.Hidden)
        {
            yield return $"the residual is {spec.Hidden} wide, no multiple of {Multiple}: products are slower on such widths";
        }

        foreach ((string what, Func<LayerShape, int> width) in ((string, Func<LayerShape, int>)[])[("attention", s => s.KeyWidth), ("the MLP", s => s.Ffn)])
        {
            int[] odd = [.. Enumerable.Range(0, spec.Layers.Count)
                .Where(l => width(spec.Layers[l]) % Multiple != 0 && dense.Layers.All(before => width(before) != width(spec.Layers[l])))];
            if (odd.Length > 0)
            {
                yield return $"the width of {what} is no multiple of {Multiple} in {odd.Length} of {spec.Layers.Count} layers ({width(spec.Layers[odd[0]])} in layer {odd[0]}): products are slower on such widths";
            }
        }
    }
}
