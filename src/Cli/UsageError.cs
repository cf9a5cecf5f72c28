using System.CommandLine;
using System.CommandLine.Parsing;
using System.Text.Unicode;
using NativeEngine.Cli.Commands;
using NativeEngine.Cli.Options;

namespace NativeEngine.Cli;

/// <summary>Turns what the parser found wrong into one error with one hint: the word that was probably meant, or where to read on.</summary>
internal static class UsageError
{
    /// <summary>The error that explains best what is wrong with <paramref name="parse"/>; null where nothing is.</summary>
    public static EngineException? Of(ParseResult parse)
    {
        Command command = parse.CommandResult.Command;
        string help = $"see '{$"nativeengine {Verb.Typed(parse.CommandResult)}".TrimEnd()} --help'";

        // A misspelt option also leaves its value over and a required option missing: it is the cause, so it goes first.
        if ((OptionAsArgument(parse) ?? (parse.Errors.Count > 0 && parse.UnmatchedTokens is [string first, ..] ? first : null)) is { } word)
        {
            bool option = word.StartsWith('-');
            IEnumerable<string> known = option ? command.Options.Where(o => !o.Hidden).Select(o => o.Name) : command.Subcommands.Select(c => c.Name);
            string kind = option ? "option" : command.Subcommands.Count > 0 ? "verb" : "argument";
            return new EngineException("NE2001", $"unknown {kind} '{word}'") { Hint = Nearest(word, known) is { } near ? $"did you mean '{near}'?" : help };
        }

        if (parse.Errors.Count == 0)
        {
            return OfEmptyWord(parse);
        }

        ParseError error = parse.Errors[0];
        if (command.Subcommands.Count > 0)
        {
            return new EngineException("NE2003", "a verb is missing") { Expected = string.Join(", ", command.Subcommands.Select(c => c.Name)), Hint = help };
        }

        OptionResult? at = error.SymbolResult as OptionResult ?? error.SymbolResult?.Parent as OptionResult;
        return at is { Option: IChecked { Allowed: var allowed }, Tokens.Count: 1 }
            ? new EngineException("NE2002", error.Message) { Key = at.Option.Name, Found = $"'{at.Tokens[0].Value}'", Expected = allowed, Hint = help }
            : new EngineException("NE2005", error.Message) { Key = at?.Option.Name, Hint = help };
    }

    /// <summary>
    /// The error of an argument that is not UTF-8, null where all are: .NET puts U+FFFD in the place of what it cannot read, and only Linux still shows the bytes.
    /// </summary>
    public static EngineException? OfInvalidBytes(string[] args) =>
        OperatingSystem.IsLinux() && Array.Find(args, arg => arg.Contains('\uFFFD')) is { } arg && !Utf8.IsValid(File.ReadAllBytes("/proc/self/cmdline"))
            ? new EngineException("NE2007", "an argument is not UTF-8") { Found = $"'{arg}'", Expected = "UTF-8", Hint = "put the text into a file, or set the terminal to UTF-8" }
            : null;

    /// <summary>The word of <paramref name="known"/> that is few edits away from <paramref name="word"/>.</summary>
    public static string? Nearest(string word, IEnumerable<string> known) => known
        .Select(candidate => (candidate, edits: Edits(word, candidate)))
        .Where(pair => pair.edits <= Math.Max(1, word.Length / 3))
        .OrderBy(pair => pair.edits)
        .Select(pair => pair.candidate)
        .FirstOrDefault();

    /// <summary>A word that the parser took for an argument though it looks like an option, which it can only be behind <c>--</c>.</summary>
    private static string? OptionAsArgument(ParseResult parse)
    {
        HashSet<Token> typed = new(parse.Tokens.TakeWhile(token => token.Type != TokenType.DoubleDash), ReferenceEqualityComparer.Instance);
        return parse.CommandResult.Children.OfType<ArgumentResult>().SelectMany(argument => argument.Tokens)
            .FirstOrDefault(token => token.Value is ['-', _, ..] && typed.Contains(token))?.Value;
    }

    /// <summary>The error of a path that is empty, as an unset variable of the shell makes it; null where there is none. Only plain text may be empty.</summary>
    private static EngineException? OfEmptyWord(ParseResult parse) => parse.CommandResult.Children
        .Where(at => at.Tokens.Any(token => token.Value.Length == 0) && at is not OptionResult { Option.HelpName: "S" })
        .Select(at => at is OptionResult option ? option.Option.Name : ((ArgumentResult)at).Argument.Name)
        .Select(name => new EngineException("NE2006", $"{name} is empty") { Key = name, Hint = "was a variable of the shell not set?" })
        .FirstOrDefault();

    // Edits as in Levenshtein's distance, two neighbours that changed places being one.
    private static int Edits(string a, string b)
    {
        var edits = new int[a.Length + 1, b.Length + 1];
        for (int i = 0; i <= a.Length; i++)
        {
            for (int j = 0; j <= b.Length; j++)
            {
                edits[i, j] = i == 0 || j == 0 ? i + j
                    : Math.Min(edits[i - 1, j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1), 1 + Math.Min(edits[i - 1, j], edits[i, j - 1]));
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                {
                    edits[i, j] = Math.Min(edits[i, j], edits[i - 2, j - 2] + 1);
                }
            }
        }

        return edits[a.Length, b.Length];
    }
}
