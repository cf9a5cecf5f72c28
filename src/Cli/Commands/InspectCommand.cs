using System.CommandLine;
using NativeEngine.Cli.Options;
using NativeEngine.Cli.Output;

namespace NativeEngine.Cli.Commands;

/// <summary><c>inspect MODEL</c></summary>
internal static class InspectCommand
{
    public static Command Create(Host host)
    {
        Argument<string> model = CommonOptions.Model();
        CommonOptions common = new();

        Verb verb = new(
            "inspect",
            "Show what a model is: family, parameters, the widths of every layer, multiply-accumulates, bytes. Reads file headers only, so it takes the same time for any size.",
            "nativeengine inspect llama-2-7b",
            "nativeengine inspect llama-2-7b-sliced --json | jq .parameters") { model };
        common.AddTo(verb);
        verb.SetAction(parse => host.Run(parse, common, session => host.Engine.Inspect(session, parse.GetRequiredValue(model)), Print));
        return verb;
    }

    private static void Print(InspectResult result, Report report)
    {
        report.Line("model", result.Model ?? "");
        report.Line("family", result.ModelType);
        report.Line("sliced", result.Sliced ? "yes" : "no");
        report.Line("hidden size", Format.Count(result.HiddenSize));
        report.Line("vocabulary", Format.Count(result.VocabSize));
        report.Line("positions", Format.Count(result.MaxPositions));
        report.Line("parameters", Format.Count(result.Parameters));
        report.Line("weights", Format.Bytes(result.WeightBytes));
        report.Line("macs, 64 tokens", Format.Count(result.Macs64));
        LayerTable.Print(report, result.Layers);
    }
}
