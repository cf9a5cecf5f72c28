using NativeEngine.Kernels;
using NativeEngine.Model;
using NativeEngine.Spec;

namespace NativeEngine.Prune;

/// <summary>
/// Quirk L10, only under compat: the reference zeroes no gradient between the steps of an iterative run, so that of a tensor which was not
/// cut adds up. This holds them in between, which costs the memory that the engine otherwise does without.
/// </summary>
internal sealed class KeptGradients(IBackend backend) : IDisposable
{
    private readonly Dictionary<(int Layer, LinearSlot Slot), LinearGradient> gradients = [];

    /// <summary>Hands out what earlier steps left for a map; null when there is nothing.</summary>
    public LinearGradient? Take(int layer, LinearSlot slot) => gradients.Remove((layer, slot), out LinearGradient? left) ? left : null;

    /// <summary>Takes over the maps' gradients. A second-order run clears the gradient itself after every example and keeps the squares alone.</summary>
    public void Put(int layer, StationGradients left, bool squaresOnly)
    {
        foreach (LinearSlot slot in Enum.GetValues<LinearSlot>())
        {
            if (left[slot] is { } map)
            {
                if (squaresOnly)
                {
                    backend.Zero(map.Weight);
                }

                gradients.Add((layer, slot), map);
                left[slot] = null;
            }
        }
    }

    /// <summary>Drops the gradients of the maps of <paramref name="current"/> that <paramref name="cut"/> is cut out of: the reference makes new tensors of
    /// what is left, without a gradient.</summary>
    public void Drop(ModelSpec current, Group cut)
    {
        foreach (IGrouping<int, Member> layer in cut.Members.Where(m => m.Layer >= 0).GroupBy(m => m.Layer))
        {
            HashSet<Role> roles = [.. layer.Select(m => m.Role)];
            foreach (LinearLayout map in current.Stations(layer.Key).SelectMany(s => s.Maps).Where(map => map.Parts.Any(p => roles.Contains(p.Role))))
            {
                Take(layer.Key, map.Slot)?.Dispose();
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (LinearGradient left in gradients.Values)
        {
            left.Dispose();
        }
    }
}
