using System.CommandLine;
using NativeEngine.Bench;
using NativeEngine.Cli.Options;
using NativeEngine.Cli.Output;

namespace NativeEngine.Cli.Commands;

/// <summary><c>bench decode|tokenize</c>: how fast this machine is.</summary>
internal static class BenchCommand
{
    public static Command Create(Host host) => new Verb(
        "bench",
        "Measure how fast this machine does the work: the results are figures, not models.",
        "nativeengine bench decode --shape llama-91m --json",
        "nativeengine bench tokenize samples/sample-llama --file samples/wikitext-2-test-excerpt.txt") { Decode(host), Tokenize(host) };

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

    private static Verb Tokenize(Host host)
    {
        Argument<string> model = CommonOptions.Model();
        Option<string> file = new("--file") { HelpName = "FILE", Description = "Text to encode, as one string and line by line", Required = true };
        Option<int> repetitions = Checked.Integer("--repetitions", "Runs of which the best counts, each with an empty word cache", 5);
        CommonOptions common = new();

        Verb verb = new(
            "tokenize",
            "Time each of a model's tokenizers on a text, on one thread.",
            "nativeengine bench tokenize samples/sample-llama --file samples/wikitext-2-test-excerpt.txt") { model, file, repetitions };
        common.AddReportingTo(verb);
        verb.SetAction(parse => host.Report(parse, common, reporter => TokenizeBench.Run(
            parse.GetRequiredValue(model), parse.GetRequiredValue(file), reporter, parse.GetValue(repetitions)), Print));
        return verb;
    }

    private static Option<string> Shape() => new("--shape")
    {
        HelpName = "NAME",
        Description = "Model to take the shape of, e.g. llama-7b, opt-125m, phi-2; a name that is not known prints them all",
        DefaultValueFactory = _ => "opt-125m",
    };

    private static void Print(DecodeBenchResult result, Report report)
    {
        report.Line("model", result.Model ?? "");
        report.Line("threads", $"{result.Threads}");
        report.Line("prompt", $"{result.PromptTokens} tokens, {Format.Rate(result.PromptTokensPerSecond)} tokens/s");
        report.Line("decoding", $"{result.NewTokens} tokens, {Format.Rate(result.TokensPerSecond)} tokens/s");
        report.Line("weights read", $"{Format.Rate(result.WeightGigabytesPerSecond)} GB/s, {Format.Percent(result.ShareOfBandwidth)} of {Format.Rate(result.ReadGigabytesPerSecond)} GB/s");
    }

    private static void Print(TokenizeBenchResult result, Report report)
    {
        report.Line("model", result.Model ?? "");
        report.Line("text", Format.Bytes(result.Bytes));
        report.Blank();
        report.Table(
            ["tokenizer", "mode", "MB/s", "tokens"],
            [.. result.Rows.Select(row => (string[])[row.Tokenizer, row.Mode, Format.Rate(row.MbPerSecond), Format.Count(row.Tokens)])]);
    }
}
