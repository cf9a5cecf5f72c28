using NativeEngine.Spec;

namespace NativeEngine.Prune;

/// <summary>Where a decision falls short of what was asked for, in words.</summary>
internal static class Shortfall
{
    private const double Tolerated = 0.01; // of the parameters asked for

    /// <summary>One line for each thing that the user would not expect of <paramref name="plan"/>, which was made for <paramref name="target"/>.</summary>
    public static IEnumerable<string> Notices(PruneSchedule schedule, PruneTarget target, Ranking ranking, PrunePlan plan)
    {
        if (plan.Groups.Count == 0)
        {
            yield return "nothing is cut: the ratio is less than one structure of every group";
        }
        else if (ranking == Ranking.Local)
        {
            foreach (IGrouping<StructureKind, Group> kind in schedule.Spared(target).GroupBy(g => g.Kind!.Value))
            {
                yield return FormattableString.Invariant(
                    $"no {Words(kind.Key)} are cut in {kind.Count()} of {plan.Dense.Layers.Count} layers: a ratio of {target.Ratio:G4} of {kind.First().Count} rounds to none");
            }
        }

        long found = plan.Apply().ParameterCount();
        if (target.Parameters is long wanted && (double)found / wanted - 1 is var excess && Math.Abs(excess) > Tolerated)
        {
            yield return FormattableString.Invariant(
                $"the result has {found:N0} parameters, {Math.Abs(excess):0.0 %} {(excess > 0 ? "more" : "fewer")} than the {wanted:N0} asked for: {Words(plan.Groups is [var g, ..] ? g.Kind : StructureKind.Layers)} go whole");
        }
    }

    private static string Words(StructureKind kind) => kind switch
    {
        StructureKind.KvHeads => "key heads with their query heads",
        StructureKind.Hidden => "columns of the residual",
        _ => kind.Word(),
    };
}
