using System.CommandLine;
using NativeEngine.Cli.Options;
using NativeEngine.Cli.Output;
using NativeEngine.Prune;

namespace NativeEngine.Cli.Commands;

/// <summary><c>groups MODEL</c></summary>
internal static class GroupsCommand
{
    public static Command Create(Host host)
    {
        Argument<string> model = CommonOptions.Model();
        Option<PruneScope> scope = Checked.Choice(
            "--scope", "Show what pruning cuts in blocks (heads and MLP channels of each layer), or across the model (columns of the residual)", ("block", PruneScope.Block), ("channel", PruneScope.Channel));
        CommonOptions common = new();

        Verb verb = new(
            "groups",
            "Show which rows and columns of which matrices can only be cut together. A group has structures (heads, channels), and each owns an equal share of every member. Reads file headers only.",
            "nativeengine groups samples/sample-llama",
            "nativeengine groups llama-2-7b --scope channel --json | jq .groups[0].members") { model, scope };
        common.AddTo(verb);
        verb.SetAction(parse => host.Run(parse, common, session => host.Engine.Groups(
            session, new GroupsOptions(parse.GetRequiredValue(model), parse.GetValue(scope))), Print));
        return verb;
    }

    private static void Print(GroupsResult result, Report report)
    {
        report.Line("model", result.Model ?? "");
        report.Line("groups", $"{result.Groups.Count}");
        foreach (GroupResult group in result.Groups)
        {
            report.Blank();
            report.Line("root", $"{group.Root}, {group.Structures} {Words(group.Kind)}");
            report.Table(["module", "cut", "size"], [.. group.Members.Select(m => (string[])[m.Module, m.Dimension, $"{m.Size}"])]);
        }
    }

    private static string Words(StructureKind kind) => kind switch
    {
        StructureKind.Heads => "heads",
        StructureKind.KvHeads => "key heads with their query heads",
        StructureKind.Channels => "channels",
        _ => "columns of the residual",
    };
}
