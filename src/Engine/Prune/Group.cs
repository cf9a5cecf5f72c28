using NativeEngine.Spec;

namespace NativeEngine.Prune;

/// <summary>The side of a module that loses structures.</summary>
public enum Dimension
{
    /// <summary>What it writes.</summary>
    Out,

    /// <summary>What it reads.</summary>
    In,
}

/// <summary>One side of one module. A bias belongs to the output of its module.</summary>
/// <param name="Role">what the module does</param>
/// <param name="Layer">decoder layer, or -1 outside the layers</param>
/// <param name="Module">its name in the checkpoint</param>
/// <param name="Dimension">which side</param>
/// <param name="Size">indices along that side</param>
/// <param name="IsRows">these indices are rows of the stored weight (or the elements of a norm's), not columns</param>
/// <param name="ParametersPerIndex">parameters that go with one index, the bias included; 0 for a tied head, which has no tensor of its own</param>
internal sealed record Member(Role Role, int Layer, string Module, Dimension Dimension, int Size, bool IsRows, long ParametersPerIndex);

/// <summary>
/// Module sides that can only be cut together (Fang et al. 2023, "DepGraph"). The group has <paramref name="Count"/> structures, and
/// structure i owns the i-th of Count equal ranges of every member: a head its rows of q, k and v and its columns of the output.
/// </summary>
/// <param name="Kind">what the structures are; null where nothing cuts them (the vocabulary)</param>
/// <param name="Layer">the layer of the root, or -1 for a group that spans the model</param>
/// <param name="Count">structures</param>
/// <param name="Members">the root first, the others as LLM-Pruner meets them: its reductions "first" and "second" depend on the order</param>
internal sealed record Group(StructureKind? Kind, int Layer, int Count, IReadOnlyList<Member> Members)
{
    /// <summary>The narrowest member, by which structures are numbered.</summary>
    public Member Root => Members[0];

    /// <summary>Indices of the root in one structure: the width of a head, or 1.</summary>
    public int Width => Members.Count == 0 ? 1 : Root.Size / Count;

    /// <summary>Parameters that one structure takes along.</summary>
    public long ParametersPerStructure => Members.Sum(m => m.ParametersPerIndex * (m.Size / Count));

    /// <summary>Name for messages, e.g. "the heads of layer 3".</summary>
    internal string Name => Layer < 0 ? $"the {Kind?.Word()} of the model" : $"the {Kind?.Word()} of layer {Layer}";

    /// <summary>The indices of <paramref name="member"/> that <paramref name="structures"/> own, in their order.</summary>
    public int[] Indices(Member member, IEnumerable<int> structures)
    {
        int width = member.Size / Count;
        return [.. structures.SelectMany(s => Enumerable.Range(s * width, width))];
    }

    /// <summary>
    /// The scores of a member's indices as scores of the root's. A wider member (queries under grouped-query attention) adds up what
    /// belongs to one index of the root: the query heads that read this key head. With <paramref name="folded"/> it adds up every
    /// Root.Size-th index instead, as LLM-Pruner does, whatever heads these belong to (quirk L6).
    /// </summary>
    public double[] OntoRoot(Member member, ReadOnlySpan<double> scores, bool folded = false)
    {
        var sums = new double[Root.Size];
        int width = member.Size / Count;
        for (int i = 0; i < member.Size; i++)
        {
            sums[folded ? i % Root.Size : i / width * Width + i % width % Width] += scores[i];
        }

        return sums;
    }

    /// <summary>The scores of the structures: sums over their indices of the root.</summary>
    public double[] PerStructure(ReadOnlySpan<double> rootScores)
    {
        var sums = new double[Count];
        for (int i = 0; i < rootScores.Length; i++)
        {
            sums[i / Width] += rootScores[i];
        }

        return sums;
    }
}
