using System.CommandLine;
using System.CommandLine.Parsing;
using NativeEngine.Cli.Commands;
using NativeEngine.Cli.Options;

namespace NativeEngine.Cli;

/// <summary>Turns what the parser found wrong into one error with one hint: the word that was probably meant, or where to read on.</summary>
internal static class UsageError
{
    /// <summary>The error that explains <paramref name="parse"/> best; there is at least one.</summary>
    public static EngineException Of(ParseResult parse)
    {
        Command command = parse.CommandResult.Command;
        string help = $"see '{$"nativeengine {Verb.Typed(parse.CommandResult)}".TrimEnd()} --help'";

        // A misspelt option also leaves its value over and a required option missing: it is the cause, so it goes first.
        if (parse.UnmatchedTokens.Count > 0)
        {
            string word = parse.UnmatchedTokens[0];
            bool option = word.StartsWith('-');
            IEnumerable<string> known = option ? command.Options.Where(o => !o.Hidden).Select(o => o.Name) : command.Subcommands.Select(c => c.Name);
            string kind = option ? "option" : command.Subcommands.Count > 0 ? "verb" : "argument";
            return new EngineException("NE2001", $"unknown {kind} '{word}'") { Hint = Nearest(word, known) is { } near ? $"did you mean '{near}'?" : help };
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

    /// <summary>The error of a path that is empty, as an unset variable of the shell makes it; null where there is none. Only plain text may be empty.</summary>
    public static EngineException? OfEmptyWord(ParseResult parse) => parse.CommandResult.Children
        .Where(at => at.Tokens.Any(token => token.Value.Length == 0) && at is not OptionResult { Option.HelpName: "S" })
        .Select(at => at is OptionResult option ? option.Option.Name : ((ArgumentResult)at).Argument.Name)
        .Select(name => new EngineException("NE2006", $"{name} is empty") { Key = name, Hint = "was a variable of the shell not set?" })
        .FirstOrDefault();

    /// <summary>The word of <paramref name="known"/> that is few edits away from <paramref name="word"/>.</summary>
    public static string? Nearest(string word, IEnumerable<string> known) => known
        .Select(candidate => (candidate, edits: Edits(word, candidate)))
        .Where(pair => pair.edits <= Math.Max(1, word.Length / 3))
        .OrderBy(pair => pair.edits)
        .Select(pair => pair.candidate)
        .FirstOrDefault();

    // Levenshtein distance, one row at a time.
    private static int Edits(string a, string b)
    {
        int[] row = [.. Enumerable.Range(0, b.Length + 1)];
        for (int i = 1; i <= a.Length; i++)
        {
            (int diagonal, row[0]) = (row[0], i);
            for (int j = 1; j <= b.Length; j++)
            {
                int substitution = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.Min(substitution, 1 + Math.Min(row[j], row[j - 1]));
            }
        }

        return row[^1];
    }
}
