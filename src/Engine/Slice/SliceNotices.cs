using NativeEngine.Checkpoints;
using NativeEngine.Spec;

namespace NativeEngine.Slice;

/// <summary>What a user would not expect of a slice, for the notices of a run.</summary>
internal static class SliceNotices
{
    /// <summary>One line for each such thing about slicing <paramref name="dense"/> to <paramref name="target"/> on <paramref name="calibration"/>.</summary>
    public static IEnumerable<string> Of(ModelSpec dense, ModelSpec target, SliceOptions options, TokenWindows calibration)
    {
        if (target.ParameterCount() > dense.ParameterCount())
        {
            yield return $"the result will be larger: {target.ParameterCount():N0} parameters instead of {dense.ParameterCount():N0}, because the head gets a matrix of its own and every layer its shortcuts";
        }

        int asked = Math.Min(SliceSchedule.Unrounded(dense, options.Sparsity), dense.EmbedWidth);
        if (options is { Schedule: null, RotateOnly: false } && target.EmbedWidth < asked)
        {
            yield return FormattableString.Invariant(
                $"{target.EmbedWidth} of {dense.Hidden} columns are kept, not {asked}: --round {options.Round} rounds down; the sparsity is {SliceSchedule.Sparsity(target):0.####}");
        }

        int tokens = calibration.Mask?.Count(shown => shown != 0) ?? calibration.Ids.Length;
        if (tokens < dense.EmbedWidth)
        {
            yield return $"the calibration has {tokens} tokens, fewer than the residual has columns ({dense.EmbedWidth}): it tells no more directions apart than that, and the order of the others is arbitrary";
        }
    }
}
