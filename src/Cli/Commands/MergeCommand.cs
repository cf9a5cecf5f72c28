using System.CommandLine;
using NativeEngine.Cli.Options;
using NativeEngine.Cli.Output;
using NativeEngine.Kernels;

namespace NativeEngine.Cli.Commands;

/// <summary><c>merge MODEL ADAPTER OUT</c></summary>
internal static class MergeCommand
{
    public static Command Create(Host host)
    {
        Argument<string> model = CommonOptions.Model();
        Argument<string> adapter = new("ADAPTER") { Description = "Folder of a LoRA adapter for MODEL, written by tune or by peft" };
        Argument<string> output = CommonOptions.Out();
        Option<DType?> store = CommonOptions.Store();
        Option<bool> overwrite = CommonOptions.Overwrite();
        CommonOptions common = new();

        Verb verb = new(
            "merge",
            "Add a LoRA adapter to the weights of the model that it was trained on, and write the model to OUT: the same function, nothing more to compute.",
            "nativeengine merge pruned adapter recovered",
            "nativeengine merge llama-2-7b adapter tuned --store fp32 --json") { model, adapter, output, store, overwrite };
        common.AddTo(verb);
        verb.SetAction(parse => host.Run(parse, common, session => host.Engine.Merge(
            session,
            new MergeOptions(parse.GetRequiredValue(model), parse.GetRequiredValue(adapter), parse.GetRequiredValue(output))
            {
                Store = parse.GetValue(store),
                Overwrite = parse.GetValue(overwrite),
            }), Print));
        return verb;
    }

    private static void Print(MergeResult result, Report report)
    {
        report.Line("model", result.Model ?? "");
        report.Line("written to", result.Output);
        report.Line("parameters", Format.Count(result.Parameters));
    }
}
