using System.CommandLine;
using NativeEngine.Cli.Options;
using NativeEngine.Cli.Output;

namespace NativeEngine.Cli.Commands;

/// <summary><c>eval perplexity MODEL --text TEXT</c></summary>
internal static class EvalCommand
{
    private static readonly PerplexityOptions Defaults = new("", new TextSource(""));

    public static Command Create(Host host) => new Verb(
        "eval",
        "Measure the quality of a model.",
        "nativeengine eval perplexity samples/sample-llama --text samples/wikitext-2-test-excerpt.txt") { Perplexity(host) };

    private static Verb Perplexity(Host host)
    {
        Argument<string> model = CommonOptions.Model();
        Option<string> text = new("--text") { HelpName = "TEXT", Description = $"Text to measure on: {TextOptions.Kinds}", Required = true };
        TextOptions source = new();
        Option<PerplexityProtocol> protocol = Checked.Choice(
            "--protocol",
            "Windows and formula of which reference implementation",
            ("slicegpt", PerplexityProtocol.SliceGpt), ("llm-pruner", PerplexityProtocol.LlmPruner), ("sparsegpt", PerplexityProtocol.SparseGpt));
        Option<int?> seqLen = Checked.OptionalInteger("--seqlen", "Tokens per window (default: 2048, or 128 under llm-pruner; never above the model's positions)");
        Option<int> batch = Checked.Integer("--batch", "Windows per forward pass", Defaults.Batch);
        Option<int?> maxChunks = Checked.OptionalInteger("--max-chunks", "Measure on the first n windows only (default: all)");
        Option<TokenizerChoice?> tokenizer = CommonOptions.Tokenizer("auto; slow under llm-pruner and sparsegpt");
        CommonOptions common = new() { Computes = true };

        Verb verb = new(
            "perplexity",
            "Measure the perplexity of a model on a text, by the protocol of SliceGPT, LLM-Pruner or SparseGPT. Layers are read one after the other, so the model need not fit in memory.",
            "nativeengine eval perplexity samples/sample-llama --text samples/wikitext-2-test-excerpt.txt",
            "nativeengine eval perplexity llama-2-7b --text wikitext-2-test.txt --protocol sparsegpt --max-chunks 40 --json",
            "nativeengine eval perplexity opt-125m --text tokens.safetensors:input_ids:mask") { model, text, protocol, seqLen, batch, maxChunks, tokenizer };
        source.AddTo(verb);
        common.AddTo(verb);
        verb.SetAction(parse => host.Run(parse, common, session => host.Engine.Perplexity(
            session,
            new PerplexityOptions(parse.GetRequiredValue(model), source.Source(parse, parse.GetRequiredValue(text)))
            {
                Protocol = parse.GetValue(protocol),
                SeqLen = parse.GetValue(seqLen),
                Batch = parse.GetValue(batch),
                MaxChunks = parse.GetValue(maxChunks),
                Tokenizer = parse.GetValue(tokenizer),
            }), Print));
        return verb;
    }

    private static void Print(PerplexityResult result, Report report)
    {
        report.Line("model", result.Model ?? "");
        report.Line("perplexity", Format.Perplexity(result.Perplexity));
        report.Line("mean nll", Format.Perplexity(result.MeanNll));
        report.Line("protocol", result.Protocol);
        report.Line("windows", Format.Count(result.Chunks));
        report.Line("tokens", Format.Count(result.Tokens));
        report.Line("tokens/s", Format.Rate(result.TokensPerSecond));
        report.Line("tokenizer", result.Tokenizer);
    }
}
