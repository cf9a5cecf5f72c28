using System.CommandLine;
using System.CommandLine.Parsing;

namespace NativeEngine.Cli.Commands;

/// <summary>A verb, with the examples that its help ends with.</summary>
internal sealed class Verb(string name, string description, params string[] examples) : Command(name, description)
{
    private readonly List<Symbol[]> exclusive = [];

    /// <summary>Command lines that work as they stand.</summary>
    public IReadOnlyList<string> Examples { get; } = examples;

    /// <summary>The verb as it is typed, e.g. <c>eval perplexity</c>; empty where none was.</summary>
    public static string Typed(CommandResult command) =>
        command.Parent is CommandResult parent ? $"{Typed(parent)} {command.Command.Name}".TrimStart() : "";

    /// <summary>The option was typed, and does not have its default.</summary>
    public static bool Given(CommandResult result, Option option) => result.GetResult(option) is { Implicit: false };

    /// <summary>Of <paramref name="symbols"/> one alone decides.</summary>
    public void Exclusive(params Symbol[] symbols) => exclusive.Add(symbols);

    /// <summary>The options and arguments in whose place <paramref name="result"/> has another one.</summary>
    public IEnumerable<Symbol> Replaced(CommandResult result)
    {
        return exclusive.Where(symbols => symbols.Any(IsTyped)).SelectMany(symbols => symbols.Where(symbol => !IsTyped(symbol)));

        bool IsTyped(Symbol symbol) => symbol is Option option ? Given(result, option) : result.GetResult((Argument)symbol) is { Tokens.Count: > 0 };
    }

    /// <summary>Puts what the engine refuses into the words of the command line, before anything is opened; <paramref name="check"/> sees the options of the line.</summary>
    public void Check(Action<CommandResult> check) => Validators.Add(result =>
    {
        try
        {
            check(result);
        }
        catch (EngineException e)
        {
            result.AddError(e.Message);
        }
        catch (InvalidOperationException)
        {
            // A value cannot be read, which is an error of its own.
        }
    });
}
