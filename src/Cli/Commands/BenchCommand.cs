using System.CommandLine;
using NativeEngine.Bench;
using NativeEngine.Cli.Options;
using NativeEngine.Cli.Output;

namespace NativeEngine.Cli.Commands;

/// <summary><c>bench slice|decode</c>: how fast this machine is, on random weights in the shape of a real model.</summary>
internal static class BenchCommand
{
    public static Command Create(Host host) => new Verb(
        "bench",
        "Measure how fast this machine does the work, on random weights in the shape of a real model. Results are figures, not models.",
        "nativeengine bench slice --shape opt-125m --samples 32",
        "nativeengine bench decode --shape llama-91m --json") { Slice(host), Decode(host) };

    private static Verb Slice(Host host)
    {
        Option<string> shape = Shape();
        Option<int> samples = Checked.Integer("--samples", "Calibration windows of the largest run", 32);
        Option<int> seqLen = Checked.Integer("--seqlen", "Tokens per window, never above the shape's positions", 2048);
        Option<double> sparsity = SliceCommand.Sparsity();
        CommonOptions common = new() { Computes = true };

        Verb verb = new(
            "slice",
            "Time slicing, in runs of growing depth and length: seconds per layer and million tokens are constant where time is linear in both.",
            "nativeengine bench slice --shape opt-125m --samples 32") { shape, samples, seqLen, sparsity };
        common.AddTo(verb);
        verb.SetAction(parse => host.Report(parse, common, reporter => SliceBench.Run(
            () => common.Open(parse, reporter, host.Interruption.Token),
            parse.GetRequiredValue(shape), parse.GetValue(samples), parse.GetValue(seqLen), parse.GetValue(sparsity)), Print));
        return verb;
    }

    private static Verb Decode(Host host)
    {
        Option<string> shape = Shape();
        Option<string?> model = Checked.Text("--model", "MODEL", "Folder of a model to use instead of a shape");
        Option<int> prompt = Checked.Integer("--prompt-tokens", "Tokens of the prompt", 128);
        Option<int> newTokens = Checked.Integer("--new-tokens", "Tokens to decode one by one", 64);
        CommonOptions common = new() { Computes = true };

        Verb verb = new(
            "decode",
            "Time greedy decoding, one sequence at a time, against the memory bandwidth that bounds it.",
            "nativeengine bench decode --shape llama-91m",
            "nativeengine bench decode --model samples/sample-llama --new-tokens 100") { shape, model, prompt, newTokens };
        common.AddTo(verb);
        verb.SetAction(parse => host.Run(parse, common, session => DecodeBench.Run(
            session, parse.GetValue(model), parse.GetRequiredValue(shape), parse.GetValue(prompt), parse.GetValue(newTokens)), Print));
        return verb;
    }

    private static Option<string> Shape() => new("--shape")
    {
        HelpName = "NAME",
        Description = "Model to take the shape of, e.g. llama-7b, opt-125m, phi-2; a name that is not known prints them all",
        DefaultValueFactory = _ => "opt-125m",
    };

    private static void Print(SliceBenchResult result, Report report)
    {
        report.Line("shape", result.Shape);
        report.Line("parameters", Format.Count(result.Parameters));
        report.Line("threads", $"{result.Threads}");
        report.Line("gflop/s", $"{Format.Rate(result.Gflops)}, {Format.Percent(result.ShareOfPeak)} of the peak of these cores");
        report.Blank();
        report.Table(
            ["layers", "tokens", "seconds", "s / layer / Mtoken"],
            [.. result.Rows.Select(row => (string[])[$"{row.Layers}", Format.Count(row.Tokens), Format.Seconds(row.Seconds), Format.Seconds(row.SecondsPerLayerMegatoken)])]);
        report.Blank();
        report.Phases(result.Phases);
    }

    private static void Print(DecodeBenchResult result, Report report)
    {
        report.Line("model", result.Model ?? "");
        report.Line("threads", $"{result.Threads}");
        report.Line("prompt", $"{result.PromptTokens} tokens, {Format.Rate(result.PromptTokensPerSecond)} tokens/s");
        report.Line("decoding", $"{result.NewTokens} tokens, {Format.Rate(result.TokensPerSecond)} tokens/s");
        report.Line("weights read", $"{Format.Rate(result.WeightGigabytesPerSecond)} GB/s, {Format.Percent(result.ShareOfBandwidth)} of {Format.Rate(result.ReadGigabytesPerSecond)} GB/s");
    }
}
