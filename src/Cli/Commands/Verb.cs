using System.CommandLine;
using System.CommandLine.Parsing;

namespace NativeEngine.Cli.Commands;

/// <summary>A verb, with the examples that its help ends with.</summary>
internal sealed class Verb(string name, string description, params string[] examples) : Command(name, description)
{
    /// <summary>Command lines that work as they stand.</summary>
    public IReadOnlyList<string> Examples { get; } = examples;

    /// <summary>The verb as it is typed, e.g. <c>eval perplexity</c>; empty where none was.</summary>
    public static string Typed(CommandResult command) =>
        command.Parent is CommandResult parent ? $"{Typed(parent)} {command.Command.Name}".TrimStart() : "";
}
