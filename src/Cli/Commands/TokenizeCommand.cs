using System.CommandLine;
using NativeEngine.Cli.Options;
using NativeEngine.Cli.Output;

namespace NativeEngine.Cli.Commands;

/// <summary><c>tokenize MODEL --text S | --file F</c></summary>
internal static class TokenizeCommand
{
    public static Command Create(Host host)
    {
        Argument<string> model = CommonOptions.Model();
        Option<string?> text = Checked.Text("--text", "S", "Text to encode; prints its ids");
        Option<string?> file = Checked.Text("--file", "FILE", "File to encode as one string; prints the number of ids and their SHA-256 (as little-endian int32)");
        Option<bool> decode = Checked.Flag("--decode", "Decode the ids again and print the text");
        Option<bool> noSpecial = Checked.Flag("--no-special", "Leave special tokens out, of the ids and of decoded text");
        Option<TokenizerChoice?> tokenizer = CommonOptions.Tokenizer();
        CommonOptions common = new();

        Verb verb = new(
            "tokenize",
            "Turn text into the ids a model reads, with the model's own tokenizer. The result says which tokenizer files and rules were used.",
            "nativeengine tokenize samples/sample-llama --text 'Hello world'",
            "nativeengine tokenize samples/sample-llama --text 'Hello world' --no-special --decode --json",
            "nativeengine tokenize samples/sample-llama --file book.txt --tokenizer slow") { model, text, file, decode, noSpecial, tokenizer };
        verb.Exclusive(text, file);
        verb.Validators.Add(result =>
        {
            if (result.GetResult(text) is null == result.GetResult(file) is null)
            {
                result.AddError("exactly one of --text and --file is needed");
            }
        });
        common.AddTo(verb);
        verb.SetAction(parse => host.Run(parse, common, session => host.Engine.Tokenize(session, new TokenizeOptions(parse.GetRequiredValue(model))
        {
            Text = parse.GetValue(text),
            File = parse.GetValue(file),
            Decode = parse.GetValue(decode),
            NoSpecial = parse.GetValue(noSpecial),
            Tokenizer = parse.GetValue(tokenizer),
        }), Print));
        return verb;
    }

    private static void Print(TokenizeResult result, Report report)
    {
        if (result.Ids is { } ids)
        {
            report.Line("ids", string.Join(' ', ids));
        }

        if (result.Count is { } count)
        {
            report.Line("count", Format.Count(count));
            report.Line("sha256", result.Sha256 ?? "");
        }

        report.Line("tokenizer", result.Tokenizer);
        if (result.Text is { } text)
        {
            report.Blank();
            report.Text(text);
        }
    }
}
