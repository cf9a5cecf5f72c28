using NativeEngine.Spec;

namespace NativeEngine.Prune;

/// <summary>
/// How many structures of each group stay, as the spec of the pruned model. A ratio is of the indices of a group's root, and only
/// whole structures go (LLM-Pruner, quirk L12): of C indices (C - (int)(C (1 - ratio))) / head_dim heads, rounded down.
/// </summary>
internal sealed class PruneSchedule
{
    private const int WideFfn = 2048, WideMultiple = 64; // from here on, products run faster on widths that are multiples

    private readonly ModelSpec dense;
    private readonly PruneScope scope;
    private readonly LayerRange attention, mlp;
    private readonly int? round;
    private readonly IReadOnlyList<Group> groups;

    /// <summary>Prepares to cut <paramref name="dense"/>.</summary>
    /// <param name="dense">the model as it is before the first step</param>
    /// <param name="scope">what is cut</param>
    /// <param name="attention">layers that may lose heads; null is <see cref="LayerRange.Default"/></param>
    /// <param name="mlp">layers that may lose MLP channels; null is <see cref="LayerRange.Default"/></param>
    /// <param name="round">MLP widths are kept to multiples of this; null is 64 for widths from 2048 up, else 1</param>
    /// <exception cref="EngineException">NE2030, NE2031: the ranges; NE2032: they are empty; NE2033: the multiple; NE4060: the model is sliced</exception>
    public PruneSchedule(ModelSpec dense, PruneScope scope, LayerRange? attention = null, LayerRange? mlp = null, int? round = null)
    {
        (this.dense, this.scope, this.round) = (dense, scope, round);
        if (scope == PruneScope.Block)
        {
            this.attention = attention?.Within(dense.Layers.Count, "--attention-layers") ?? LayerRange.Default(dense.Layers.Count);
            this.mlp = mlp?.Within(dense.Layers.Count, "--mlp-layers") ?? LayerRange.Default(dense.Layers.Count);
        }

        groups = Groups(dense);
        if (groups.Count == 0)
        {
            throw new EngineException("NE2032", "both layer ranges are empty: there is nothing to prune") { Key = "--attention-layers, --mlp-layers" };
        }

        if (groups.FirstOrDefault(g => Multiple(g) > g.Count) is { } narrow)
        {
            throw new EngineException("NE2033", $"{narrow.Name} are fewer than the multiple they are kept to") { Key = "--round", Found = $"{round}", Expected = $"at most {narrow.Count}" };
        }
    }

    /// <summary>The groups of <paramref name="current"/> (the dense model, or what a step left of it) that may be cut, in the order in which they take part.</summary>
    public IReadOnlyList<Group> Groups(ModelSpec current) => [.. new DependencyGraph(current).InScope(scope).Where(g => g.Kind switch
    {
        StructureKind.Heads or StructureKind.KvHeads => attention.Contains(g.Layer),
        StructureKind.Channels => mlp.Contains(g.Layer),
        _ => true,
    })];

    /// <summary>Cuts <paramref name="ratio"/> of every group.</summary>
    /// <exception cref="EngineException">NE2034: not from 0 up to but not including 1; NE2035: a group would be left empty</exception>
    public PruneTarget Ratio(double ratio)
    {
        if (ratio is not (>= 0 and < 1))
        {
            throw new EngineException("NE2034", $"a ratio of {ratio} cannot be cut off") { Key = "--ratio", Found = $"{ratio}", Expected = "0 <= x < 1" };
        }

        if (groups.FirstOrDefault(g => Kept(g, ratio) == 0) is { } empty)
        {
            double most = 1 - 1.0 / groups.Min(g => g.Count * g.Width); // one index of the narrowest root stays
            throw new EngineException("NE2035", $"a ratio of {ratio} leaves none of {empty.Name}") { Key = "--ratio", Found = $"{ratio}", Expected = $"at most {Math.Floor(most * 1e4) / 1e4}" };
        }

        return new PruneTarget(Shape(ratio), ratio);
    }

    /// <summary>Keeps <paramref name="count"/> layers (the scope is <see cref="PruneScope.Layer"/>).</summary>
    /// <exception cref="EngineException">NE2036: the model has not so many</exception>
    public PruneTarget KeepLayers(int count) => count >= 1 && count <= dense.Layers.Count
        ? new PruneTarget(dense.WithCount(StructureKind.Layers, -1, count), 1 - (double)count / dense.Layers.Count)
        : throw new EngineException("NE2036", $"{count} layers cannot be kept of {dense.Layers.Count}") { Key = "--keep-layers", Found = $"{count}", Expected = $"1 to {dense.Layers.Count}" };

    /// <summary>
    /// The shapes whose parameters are nearest to those asked for, to within half a structure (or one multiple of MLP channels): the ratio that comes
    /// nearest, after which single groups give up the one structure more that is missing.
    /// </summary>
    /// <exception cref="EngineException">NE2037: no ratio reaches it</exception>
    public PruneTarget Parameters(ParameterTarget target)
    {
        long most = dense.ParameterCount(), least = Shape(1).ParameterCount(), wanted = target.Of(most);
        if (wanted < least || wanted > most)
        {
            throw new EngineException(PruneOptions.OutOfReach, $"{wanted:N0} parameters cannot be reached")
            {
                Key = "--target-parameters",
                Found = $"{wanted:N0}",
                Expected = $"{least:N0} to {most:N0}" + (scope == PruneScope.Block ? $", attention in layers {attention} and MLP in layers {mlp}" : ""),
            };
        }

        (double below, double above) = (0, 1); // of the ratio: the model is at least as large as wanted below, and smaller above
        for (int i = 0; i < 60; i++)
        {
            double middle = (below + above) / 2;
            (below, above) = Shape(middle).ParameterCount() >= wanted ? (middle, above) : (below, middle);
        }

        ModelSpec nearest = Between(Shape(below), Shape(above), wanted);
        return scope == PruneScope.Layer ? KeepLayers(nearest.Layers.Count) with { Parameters = wanted } : new PruneTarget(nearest, below, wanted);
    }

    /// <summary>The shapes behind step <paramref name="step"/> of <paramref name="steps"/>.</summary>
    public ModelSpec Step(PruneTarget target, int step, int steps) => step == steps ? target.Spec : Shape(RatioAt(target, step, steps));

    /// <summary>The ratio behind a step; it grows linearly.</summary>
    internal static double RatioAt(PruneTarget target, int step, int steps) => (double)step / steps * target.Ratio;

    /// <summary>
    /// What a ranking across groups has to cut of <paramref name="current"/> in a step: parameters where a number of them was asked for,
    /// else indices of the roots, of which a head has head_dim.
    /// </summary>
    internal long Budget(PruneTarget target, ModelSpec current, int step, int steps)
    {
        if (target.Parameters is not { } wanted)
        {
            return Indices(Groups(current)) - (long)(Indices(groups) * (1 - RatioAt(target, step, steps)));
        }

        long before = dense.ParameterCount();
        return current.ParameterCount() - (before - (before - wanted) * step / steps);
    }

    /// <summary>Structures of the dense model that may be cut.</summary>
    internal int Structures => groups.Sum(g => g.Count);

    /// <summary>Structures that go where every group is cut by itself.</summary>
    internal int StructuresToCut(PruneTarget target) => groups.Sum(g => g.Count - target.Spec.Count(g.Kind!.Value, g.Layer));

    /// <summary>Groups that may be cut and lose nothing where every group is cut by itself.</summary>
    internal IEnumerable<Group> Spared(PruneTarget target) => groups.Where(g => g.Count == target.Spec.Count(g.Kind!.Value, g.Layer));

    /// <summary>What the number of structures in a group is kept a multiple of.</summary>
    internal int Multiple(Group group) => group.Kind != StructureKind.Channels ? 1 : round ?? (dense.Layers[group.Layer].Ffn >= WideFfn ? WideMultiple : 1);

    private ModelSpec Shape(double ratio) => groups.Aggregate(dense, (spec, g) => spec.WithCount(g.Kind!.Value, g.Layer, Rounded(g, Kept(g, ratio))));

    /// <summary><paramref name="count"/> structures of a group as the nearest number that is a multiple, at least one multiple and at most all.</summary>
    private int Rounded(Group group, int count)
    {
        int multiple = Multiple(group);
        return count == group.Count ? count : Math.Min(group.Count, Math.Max(1, (count + multiple / 2) / multiple) * multiple);
    }

    private static long Indices(IEnumerable<Group> groups) => groups.Sum(g => (long)g.Count * g.Width);

    /// <summary>The structures that a ratio leaves of a group, before rounding.</summary>
    private static int Kept(Group group, double ratio)
    {
        int indices = (int)(group.Count * group.Width * (1 - ratio));
        return (indices + group.Width - 1) / group.Width; // what goes is rounded down
    }

    /// <summary>Of two shapes that differ by at most a structure per group: the larger, with those groups taken from the smaller that lead to the size wanted.</summary>
    private ModelSpec Between(ModelSpec larger, ModelSpec smaller, long wanted)
    {
        ModelSpec best = larger;
        foreach (Group g in groups.OrderByDescending(g => g.ParametersPerStructure))
        {
            StructureKind kind = g.Kind!.Value;
            ModelSpec cut = best.WithCount(kind, g.Layer, smaller.Count(kind, g.Layer));
            best = cut.ParameterCount() >= wanted ? cut : best;
        }

        // The last step may go below, where that is nearer.
        return groups.Select(g => best.WithCount(g.Kind!.Value, g.Layer, smaller.Count(g.Kind!.Value, g.Layer))).Append(best).MinBy(s => Math.Abs(s.ParameterCount() - wanted))!;
    }
}
