using System.CommandLine;
using System.Globalization;
using NativeEngine.Cli.Options;
using NativeEngine.Cli.Output;

namespace NativeEngine.Cli.Commands;

/// <summary><c>generate MODEL --prompt S | --prompt-ids 1,2,3</c></summary>
internal static class GenerateCommand
{
    private static readonly GenerateOptions Defaults = new("");

    public static Command Create(Host host)
    {
        Argument<string> model = CommonOptions.Model();
        Option<string?> prompt = Checked.Text("--prompt", "S", "Text to continue");
        Option<IntegerList?> promptIds = Checked.Integers("--prompt-ids", "Ids to continue; no tokenizer is needed", least: 0);
        Option<int> maxNewTokens = Checked.Integer("--max-new-tokens", "Tokens to produce at most", Defaults.MaxNewTokens);
        Option<bool> ignoreEos = Checked.Flag("--ignore-eos", "Go on after the end-of-text token");
        Option<double> penalty = Checked.Number(
            "--repetition-penalty", "x", "Divide the scores of tokens already present by x (multiply those below zero)", Defaults.RepetitionPenalty, "x > 0", x => x > 0 && double.IsFinite(x));
        Option<bool> stream = Checked.Flag("--stream", "Print text as it is produced");
        Refused[] sampling = Sampling();
        Option<TokenizerChoice?> tokenizer = CommonOptions.Tokenizer();
        CommonOptions common = new() { Computes = true };

        Verb verb = new(
            "generate",
            "Continue a prompt, always with the most probable token. The text goes to standard output as it is, what it took to standard error; a folder without a tokenizer gives ids.",
            "nativeengine generate samples/sample-llama --prompt 'The history of the city' --max-new-tokens 40",
            "nativeengine generate samples/sample-llama --prompt 'In the year' --stream --repetition-penalty 1.2",
            "nativeengine generate tiny-llama --prompt-ids 1,15043 --ignore-eos --json")
        {
            model, prompt, promptIds, maxNewTokens, ignoreEos, penalty, stream,
        };
        foreach (Refused refused in sampling)
        {
            verb.Add(refused.Option);
        }

        verb.Add(tokenizer);
        verb.Exclusive(prompt, promptIds);
        verb.Validators.Add(result =>
        {
            if (result.GetResult(prompt) is null == result.GetResult(promptIds) is null)
            {
                result.AddError("exactly one of --prompt and --prompt-ids is needed");
            }
        });
        common.AddTo(verb);
        verb.SetAction(parse =>
        {
            if (sampling.Select(refused => refused.Error(parse)).FirstOrDefault(error => error is not null) is { } error)
            {
                throw error;
            }

            bool streams = parse.GetValue(stream);
            return host.Run(parse, common, session => Generate(session, parse), (result, report) =>
            {
                if (!streams || result.Text is null)
                {
                    report.Text(result.Text ?? string.Join(',', result.Ids));
                }
            }, progress: !streams);
        });
        return verb;

        GenerateResult Generate(Session session, ParseResult parse)
        {
            bool streams = parse.GetValue(stream);
            GenerateResult result = host.Engine.Generate(session, new GenerateOptions(parse.GetRequiredValue(model))
            {
                Prompt = parse.GetValue(prompt),
                PromptIds = parse.GetResult(promptIds) is null ? null : parse.GetValue(promptIds)?.Values,
                MaxNewTokens = parse.GetValue(maxNewTokens),
                IgnoreEos = parse.GetValue(ignoreEos),
                RepetitionPenalty = parse.GetValue(penalty),
                OnText = streams ? Stream : null,
                Tokenizer = parse.GetValue(tokenizer),
            });
            if (streams)
            {
                host.Out.WriteLine();
            }

            session.Reporter.Notice($"{result.Ids.Count} tokens, {Format.Rate(result.TokensPerSecond)} tokens/s, prompt in {Format.Seconds(result.PromptSeconds)}");
            return result;
        }

        void Stream(string piece)
        {
            host.Out.Write(Untrusted.Escape(piece, keepLayout: true));
            host.Out.Flush();
        }
    }

    /// <summary>What the contract knows about sampling: this version takes the values that mean greedy, and refuses the others.</summary>
    private static Refused[] Sampling()
    {
        Option<double> temperature = Checked.Number("--temperature", "x", "0 is greedy, which is what this version does", 0, "x >= 0", x => x >= 0 && double.IsFinite(x));
        Option<int?> topK = Checked.OptionalInteger("--top-k", "For sampling, which this version does not do");
        Option<double> topP = Checked.Number("--top-p", "x", "For sampling, which this version does not do", 1, "0 < x <= 1", x => x is > 0 and <= 1);
        Option<int> beams = Checked.Integer("--beams", "Beams; this version has 1", 1);
        Option<bool> chat = Checked.Flag("--chat", "Apply the chat template, which this version does not do");
        return
        [
            new(temperature, parse => parse.GetValue(temperature) is > 0 and var x ? Unsupported.Value("--temperature", x.ToString(CultureInfo.InvariantCulture), "0") : null),
            new(topK, parse => parse.GetValue(topK) is null ? null : Unsupported.Option("--top-k", "generation is greedy; leave it out")),
            new(topP, parse => parse.GetValue(topP) < 1 ? Unsupported.Option("--top-p", "generation is greedy; leave it out") : null),
            new(beams, parse => parse.GetValue(beams) is > 1 and var n ? Unsupported.Value("--beams", $"{n}", "1") : null),
            new(chat, parse => parse.GetValue(chat) ? Unsupported.Option("--chat", "write the template into --prompt") : null),
        ];
    }

    /// <summary>An option, and the error of the values that this version cannot serve.</summary>
    private sealed record Refused(Option Option, Func<ParseResult, EngineException?> Error);
}
