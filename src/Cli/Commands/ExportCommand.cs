using System.CommandLine;
using NativeEngine.Cli.Options;
using NativeEngine.Cli.Output;
using NativeEngine.Kernels;

namespace NativeEngine.Cli.Commands;

/// <summary><c>export MODEL OUT --to hf</c></summary>
internal static class ExportCommand
{
    public static Command Create(Host host)
    {
        Argument<string> model = CommonOptions.Model();
        Argument<string> output = CommonOptions.Out();
        Option<string> to = Checked.Choice("--to", "Layout to write; this version writes hf", ("hf", "hf"), ("hf-padded", "hf-padded"), ("gguf", "gguf"));
        to.Required = true;
        Option<DType?> store = CommonOptions.Store();
        Option<bool> overwrite = CommonOptions.Overwrite();
        CommonOptions common = new();

        Verb verb = new(
            "export",
            "Write a model in another layout: hf is a Hugging Face folder that stock transformers loads. A sliced model has matrices on its residual, which no stock architecture has: its folder is read by this engine only.",
            "nativeengine export samples/sample-llama wide --to hf --store fp32",
            "nativeengine export llama-2-7b half --to hf --store fp16") { model, output, to, store, overwrite };
        common.AddTo(verb);
        verb.SetAction(parse =>
        {
            if (parse.GetRequiredValue(to) is not "hf" and var layout)
            {
                throw Unsupported.Value("--to", layout, "hf");
            }

            return host.Run(parse, common, session => host.Engine.Export(
                session,
                new ExportOptions(parse.GetRequiredValue(model), parse.GetRequiredValue(output)) { Store = parse.GetValue(store), Overwrite = parse.GetValue(overwrite) }), Print);
        });
        return verb;
    }

    private static void Print(ExportResult result, Report report)
    {
        report.Line("model", result.Model ?? "");
        report.Line("written to", result.Output);
        report.Line("files", string.Join(", ", result.Files));
    }
}
