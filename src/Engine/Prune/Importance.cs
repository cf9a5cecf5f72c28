using NativeEngine.Kernels;

namespace NativeEngine.Prune;

/// <summary>How the importance of a structure is measured.</summary>
public enum ImportanceKind
{
    /// <summary>From gradients: what the loss would lose (Ma et al. 2023, equations 3 to 5).</summary>
    Taylor,

    /// <summary>Sum of |w|.</summary>
    L1,

    /// <summary>Sum of w^2.</summary>
    L2,

    /// <summary>Drawn from the seed.</summary>
    Random,
}

/// <summary>Terms of the Taylor importance; g is the gradient and h the mean over the examples of their squared gradients.</summary>
public enum TaylorOrder
{
    /// <summary>sum |w g|</summary>
    ParamFirst,

    /// <summary>sum |w^2 h|</summary>
    ParamSecond,

    /// <summary>sum |w g - w^2 h / 2|</summary>
    ParamMix,

    /// <summary>|sum w g|</summary>
    Vectorize,
}

/// <summary>How the importances of a group's members become one.</summary>
public enum Grouping
{
    /// <summary>Their sum.</summary>
    Sum,

    /// <summary>Their mean.</summary>
    Mean,

    /// <summary>The largest.</summary>
    Max,

    /// <summary>Their product.</summary>
    Prod,

    /// <summary>That of the root.</summary>
    First,

    /// <summary>That of the second member.</summary>
    Second,
}

/// <summary>What to compute: the saliency of elements, summed per channel of a member, reduced over members, summed per structure.</summary>
/// <param name="Kind">measure</param>
/// <param name="Order">terms, for <see cref="ImportanceKind.Taylor"/></param>
/// <param name="Grouping">reduction over members; magnitudes always take the mean, as the reference does</param>
/// <param name="Seed">for <see cref="ImportanceKind.Random"/></param>
/// <param name="Compat">the reference's quirks: magnitudes of the embedding do not count (L2), query heads are folded onto kv heads modulo their number (L6), gradients of several steps add up (L10)</param>
internal sealed record Importance(ImportanceKind Kind, TaylorOrder Order, Grouping Grouping, long Seed, bool Compat)
{
    /// <summary>What one element counts for; null for random scores.</summary>
    public Saliency? Saliency => Kind switch
    {
        ImportanceKind.L1 => Kernels.Saliency.Magnitude,
        ImportanceKind.L2 => Kernels.Saliency.Square,
        ImportanceKind.Random => null,
        _ => Order switch
        {
            TaylorOrder.ParamFirst => Kernels.Saliency.FirstOrder,
            TaylorOrder.ParamSecond => Kernels.Saliency.SecondOrder,
            TaylorOrder.ParamMix => Kernels.Saliency.Mixed,
            _ => Kernels.Saliency.Signed,
        },
    };

    /// <summary>A forward and a backward are needed.</summary>
    public bool NeedsGradients => Kind == ImportanceKind.Taylor;

    /// <summary>The squared gradients of single examples are needed.</summary>
    public bool NeedsSquares => NeedsGradients && Order is TaylorOrder.ParamSecond or TaylorOrder.ParamMix;

    /// <summary>One score per row or per column of a parameter.</summary>
    /// <param name="backend">device</param>
    /// <param name="w">(O,I)</param>
    /// <param name="g">its gradient, where <see cref="NeedsGradients"/></param>
    /// <param name="h">its squared gradients, where <see cref="NeedsSquares"/></param>
    /// <param name="columns">score columns</param>
    public double[] OfMember(IBackend backend, Tensor w, Tensor? g, Tensor? h, bool columns)
    {
        using Tensor scores = backend.Alloc(DType.F64, new Shape(columns ? w.Columns : w.Rows));
        backend.Zero(scores);
        backend.AddSaliency(scores, w, NeedsGradients ? g : null, NeedsSquares ? h : null, Saliency!.Value, columns);
        return backend.Download<double>(scores);
    }

    /// <summary>The scores of <paramref name="group"/>'s root, index by index.</summary>
    /// <param name="group">what hangs together</param>
    /// <param name="members">scores of the members' own indices, in the group's order; empty for a member that does not count</param>
    public double[] Reduce(Group group, IReadOnlyList<double[]> members)
    {
        double[][] onRoot = [.. group.Members.Zip(members).Where(m => m.Second.Length > 0).Select(m => group.OntoRoot(m.First, m.Second, folded: Compat))];
        Grouping grouping = NeedsGradients ? Grouping : Grouping.Mean;
        var reduced = new double[group.Root.Size];
        for (int i = 0; i < reduced.Length; i++)
        {
            IEnumerable<double> scores = onRoot.Select(m => m[i]);
            reduced[i] = grouping switch
            {
                Grouping.Sum => scores.Sum(),
                Grouping.Mean => scores.Average(),
                Grouping.Max => scores.Max(),
                Grouping.Prod => scores.Aggregate(1.0, (a, b) => a * b),
                Grouping.First => onRoot[0][i],
                _ => onRoot[Math.Min(1, onRoot.Length - 1)][i],
            };
        }

        return reduced;
    }
}
