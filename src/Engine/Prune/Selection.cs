using NativeEngine.Spec;

namespace NativeEngine.Prune;

/// <summary>How structures of different groups compare.</summary>
internal enum Ranking
{
    /// <summary>Not at all: every group loses its share.</summary>
    Local,

    /// <summary>By score per parameter: what costs least goes, wherever it is, until as many channels are gone as the ratio says.</summary>
    Global,

    /// <summary>By score, a head against a channel, and everything up to the threshold goes (LLM-Pruner, quirk L11).</summary>
    GlobalThreshold,
}

/// <summary>A group and how much each of its structures matters.</summary>
/// <param name="Group">of the model as it is at this step</param>
/// <param name="Scores">one per structure</param>
internal sealed record ScoredGroup(Group Group, IReadOnlyList<double> Scores)
{
    /// <summary>One per index of the root, which the scores are sums of; tests compare them with recorded ones.</summary>
    internal IReadOnlyList<double> OfRoot { get; init; } = [];
}

/// <summary>
/// Picks the structures that go: the ones with the smallest scores, of equal ones the first. (The reference sorts without keeping
/// that order, so equal scores are the one case in which it may pick others.)
/// </summary>
internal sealed class Selection(PruneSchedule schedule, PruneTarget target, Ranking ranking)
{
    /// <summary>What step <paramref name="step"/> of <paramref name="steps"/> cuts, numbered in <paramref name="current"/>.</summary>
    /// <param name="current">the dense model, or what the step before left of it</param>
    /// <param name="scored">scores for <see cref="PruneSchedule.Groups"/> of it</param>
    /// <param name="step">from 1</param>
    /// <param name="steps">at least <paramref name="step"/></param>
    /// <exception cref="EngineException">NE10010: a score is not a number</exception>
    public PrunePlan Step(ModelSpec current, IReadOnlyList<ScoredGroup> scored, int step = 1, int steps = 1)
    {
        foreach (ScoredGroup g in scored.Where(g => !g.Scores.All(double.IsFinite)))
        {
            throw new EngineException("NE10010", $"the importance of {g.Group.Name} is not finite") { Key = g.Group.Name, Hint = "the calibration text drives the model out of range: look at the checkpoint" };
        }

        bool alone = scored is [{ Group.Kind: StructureKind.Layers }]; // layers are all alike, and there is nothing to compare them with
        int[] kept = (alone ? Ranking.Local : ranking) switch
        {
            Ranking.Global => Global(scored, schedule.Budget(target, current, step, steps)),
            Ranking.GlobalThreshold => UpToThreshold(scored, PruneSchedule.RatioAt(target, step, steps)),
            _ => Local(scored, schedule.Step(target, step, steps)),
        };
        return new PrunePlan(current, [.. scored.Zip(kept, Lowest).Where(g => g.Pruned.Count > 0)]);
    }

    private static int[] Local(IReadOnlyList<ScoredGroup> scored, ModelSpec shapes) =>
        [.. scored.Select(g => Math.Min(g.Group.Count, shapes.Count(g.Group.Kind!.Value, g.Group.Layer)))];

    /// <summary>
    /// Units in the order of their score per parameter, while they fit what is left to cut. A unit is a head, or as many MLP channels as
    /// widths are multiples of (the ones with the smallest scores); every group keeps one.
    /// </summary>
    private int[] Global(IReadOnlyList<ScoredGroup> scored, long budget)
    {
        int[] kept = [.. scored.Select(g => g.Group.Count)];
        foreach ((int g, int size, _) in scored.SelectMany(Units).OrderBy(unit => unit.Score))
        {
            Group group = scored[g].Group;
            long cost = size * (target.Parameters is null ? group.Width : group.ParametersPerStructure);
            if (size < kept[g] && cost <= budget)
            {
                kept[g] -= size;
                budget -= cost;
            }
        }

        return kept;
    }

    private IEnumerable<(int Group, int Size, double Score)> Units(ScoredGroup scored, int g)
    {
        double[] ascending = [.. scored.Scores.Order()];
        int multiple = schedule.Multiple(scored.Group);
        for (int from = 0, size; from < ascending.Length; from += size)
        {
            size = from == 0 && ascending.Length % multiple != 0 ? ascending.Length % multiple : multiple;
            yield return (g, size, ascending.AsSpan(from, size).ToArray().Average() / scored.Group.ParametersPerStructure);
        }
    }

    /// <summary>One list of all scores, the n-th of which is the threshold; a group that would lose all of its structures loses none.</summary>
    private int[] UpToThreshold(IReadOnlyList<ScoredGroup> scored, double ratio)
    {
        double[] ascending = [.. scored.SelectMany(g => g.Scores).Order()];
        int cut = ascending.Length - (int)(schedule.Structures * (1 - ratio));
        double threshold = cut > 0 ? ascending[cut - 1] : double.NegativeInfinity;
        return [.. scored.Select(g => g.Scores.Count(s => s > threshold) is > 0 and var above ? above : g.Group.Count)];
    }

    private static PrunedGroup Lowest(ScoredGroup scored, int kept)
    {
        int[] order = [.. Enumerable.Range(0, scored.Scores.Count)];
        Array.Sort(order, (a, b) => scored.Scores[a].CompareTo(scored.Scores[b]) is not 0 and var byScore ? byScore : a - b);
        int[] lowest = order[..(scored.Group.Count - kept)];
        Array.Sort(lowest);
        return new(scored.Group.Layer, scored.Group.Kind!.Value, lowest);
    }
}
