using NativeEngine.Model;
using NativeEngine.Spec;

namespace NativeEngine.Prune;

/// <summary>The structures that one group loses.</summary>
/// <param name="Layer">decoder layer, or -1 for the kinds that span the model</param>
/// <param name="Kind">what they are</param>
/// <param name="Pruned">which, ascending</param>
public sealed record PrunedGroup(int Layer, StructureKind Kind, IReadOnlyList<int> Pruned);

/// <summary>Where a tensor of the pruned model comes from.</summary>
/// <param name="Pruned">the tensor</param>
/// <param name="Dense">the one it is cut out of</param>
/// <param name="Cut">what stays of that one</param>
internal sealed record KeptTensor(Parameter Pruned, Parameter Dense, TensorCut Cut);

/// <summary>The decision what to cut, as data: it needs no weights, can be stored, and can be applied later.</summary>
/// <param name="Dense">the model it cuts; layers and structures are numbered in it</param>
/// <param name="Groups">at most one entry per layer and kind; what is not listed stays</param>
internal sealed record PrunePlan(ModelSpec Dense, IReadOnlyList<PrunedGroup> Groups)
{
    /// <summary>The layers that stay, in the numbers of the dense model.</summary>
    public IReadOnlyList<int> KeptLayers => Kept(StructureKind.Layers, -1);

    /// <summary>The spec of the pruned model; layers that stay are renumbered.</summary>
    public ModelSpec Apply()
    {
        ModelSpec spec = Groups.Where(g => g.Kind != StructureKind.Layers).Aggregate(
            Dense, (spec, g) => spec.WithCount(g.Kind, g.Layer, spec.Count(g.Kind, g.Layer) - g.Pruned.Count));
        return spec with { Layers = [.. KeptLayers.Select(l => spec.Layers[l])] };
    }

    /// <summary>Every tensor of the pruned model and what it keeps of which dense one.</summary>
    public IEnumerable<KeptTensor> Tensors()
    {
        Dictionary<(Role, int, bool IsRows), int[]> kept = [];
        foreach (Group group in new DependencyGraph(Dense).Groups.Where(g => Pruned(g.Kind, g.Layer).Count > 0))
        {
            int[] structures = Kept(group.Kind!.Value, group.Layer);
            foreach (Member m in group.Members)
            {
                kept.Add((m.Role, m.Layer, m.IsRows), group.Indices(m, structures));
            }
        }

        IReadOnlyList<int> layers = KeptLayers;
        Dictionary<(Role, int, bool), Parameter> dense = Dense.Parameters().ToDictionary(p => (p.Role, p.Layer, p.IsBias));
        foreach (Parameter p in Apply().Parameters())
        {
            int l = p.Layer < 0 ? -1 : layers[p.Layer];
            Parameter source = dense[(p.Role, l, p.IsBias)];
            int[]? outputs = kept.GetValueOrDefault((p.Role, l, true)), inputs = p.Shape.Rank == 1 ? null : kept.GetValueOrDefault((p.Role, l, false));
            yield return new KeptTensor(p, source, new TensorCut(source.Name, outputs, inputs));
        }
    }

    /// <summary>This plan and then <paramref name="next"/>, which cuts what this one leaves, as one plan for the dense model.</summary>
    public PrunePlan Then(PrunePlan next)
    {
        IReadOnlyList<int> layers = KeptLayers;
        Dictionary<(int, StructureKind), PrunedGroup> groups = Groups.ToDictionary(g => (g.Layer, g.Kind));
        foreach (PrunedGroup g in next.Groups)
        {
            int l = g.Layer < 0 ? -1 : layers[g.Layer];
            int[] kept = Kept(g.Kind, l);
            groups[(l, g.Kind)] = new PrunedGroup(l, g.Kind, [.. Pruned(g.Kind, l).Concat(g.Pruned.Select(i => kept[i])).Order()]);
        }

        return this with { Groups = [.. groups.Values.OrderBy(g => g.Layer).ThenBy(g => g.Kind)] };
    }

    private IReadOnlyList<int> Pruned(StructureKind? kind, int layer) => Groups.FirstOrDefault(g => g.Kind == kind && g.Layer == layer)?.Pruned ?? [];

    private int[] Kept(StructureKind kind, int layer)
    {
        bool[] gone = new bool[Dense.Count(kind, layer)];
        foreach (int i in Pruned(kind, layer))
        {
            gone[i] = true;
        }

        return [.. Enumerable.Range(0, gone.Length).Where(i => !gone[i])];
    }
}
