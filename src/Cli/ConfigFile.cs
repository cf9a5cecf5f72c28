using System.CommandLine;
using System.CommandLine.Parsing;
using System.Text.Json;
using System.Text.Json.Nodes;
using NativeEngine.Cli.Commands;

namespace NativeEngine.Cli;

/// <summary>
/// <c>--config FILE</c>: a JSON object of option and argument names with their values, or an object that holds one under
/// "configuration", as the manifest of an output and the first line of a log file do. What the command line says itself wins, also over what
/// cannot stand beside it.
/// </summary>
internal static class ConfigFile
{
    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false, MaxDepth = 8 };

    /// <summary>The arguments with the values of the file put in; null when no file is named.</summary>
    public static string[]? Merge(ParseResult parse, string[] args)
    {
        Command command = parse.CommandResult.Command;
        if (command.Options.FirstOrDefault(option => option.Name == "--config") is not { } config || parse.GetResult(config) is not { Tokens: [{ Value: var path }] })
        {
            return null;
        }

        using JsonDocument document = Read(path);
        JsonElement root = document.RootElement.TryGetProperty("configuration", out JsonElement nested) && nested.ValueKind == JsonValueKind.Object
            ? nested
            : document.RootElement;
        Dictionary<string, JsonElement> values = root.EnumerateObject().ToDictionary(p => p.Name.Replace('_', '-'), p => p.Value);

        if (values.Remove("command", out JsonElement verbOfFile) && verbOfFile.ToString() != Verb.Typed(parse.CommandResult))
        {
            throw Error($"the configuration is that of '{verbOfFile}'", path, "command", null);
        }

        foreach (Symbol replaced in (command as Verb)?.Replaced(parse.CommandResult) ?? [])
        {
            values.Remove(Name(replaced));
        }

        List<string> options = [];
        foreach (Option option in command.Options)
        {
            if (values.Remove(Name(option), out JsonElement value) && parse.GetResult(option) is null or { Implicit: true })
            {
                options.AddRange(Option(option, value, path));
            }
        }

        List<string> arguments = [];
        foreach (Argument argument in command.Arguments)
        {
            if (values.Remove(Name(argument), out JsonElement value) && parse.GetResult(argument) is null or { Tokens.Count: 0 })
            {
                arguments.Add(Text(Name(argument), value, path));
            }
        }

        if (values.Keys.FirstOrDefault() is { } unknown)
        {
            IEnumerable<string> known = [.. command.Options.Select(Name), .. command.Arguments.Select(Name)];
            throw Error($"'{command.Name}' has no option '{unknown}'", path, unknown, UsageError.Nearest(unknown, known) is { } near ? $"did you mean '{near}'?" : null);
        }

        // Options right after the verb, so that a "--" of the command line stays behind them; arguments behind one, because they are no options.
        string[] dashes = arguments.Count == 0 || parse.Tokens.Any(token => token.Type == TokenType.DoubleDash) ? [] : ["--"];
        int verb = args.TakeWhile((arg, i) => i < parse.Tokens.Count && parse.Tokens[i].Type == TokenType.Command && parse.Tokens[i].Value == arg).Count();
        return [.. args[..verb], .. options, .. args[verb..], .. dashes, .. arguments];
    }

    /// <summary>The effective configuration of a parsed command line, in the form that <see cref="Merge"/> reads.</summary>
    public static JsonObject Describe(ParseResult parse)
    {
        JsonObject config = [];
        foreach (Argument argument in parse.CommandResult.Command.Arguments)
        {
            if (parse.GetResult(argument) is { Tokens: [{ Value: var value }] })
            {
                config[Name(argument)] = value;
            }
        }

        foreach (Option option in parse.CommandResult.Command.Options)
        {
            if (option.Name != "--config" && parse.GetResult(option) is { } result)
            {
                JsonNode? value = result switch
                {
                    { Tokens: [{ Value: var text }] } => text,
                    { Implicit: true } => option.GetDefaultValue() is bool or null ? null : Convert.ToString(option.GetDefaultValue(), System.Globalization.CultureInfo.InvariantCulture),
                    _ => true,
                };
                if (value is not null)
                {
                    config[Name(option)] = value;
                }
            }
        }

        return config;
    }

    private static JsonDocument Read(string path)
    {
        try
        {
            JsonDocument document = JsonDocument.Parse(InputFile.Read(path), Strict);
            return document.RootElement.ValueKind == JsonValueKind.Object ? document : throw Error("the file is not a JSON object", path, null, null);
        }
        catch (JsonException e)
        {
            throw Error($"not valid JSON: {e.Message}", path, null, null);
        }
    }

    private static IEnumerable<string> Option(Option option, JsonElement value, string path) => value.ValueKind switch
    {
        JsonValueKind.Null or JsonValueKind.False => [],
        JsonValueKind.True => [option.Name],
        _ => Text(Name(option), value, path) is { Length: > 0 } text ? [$"{option.Name}={text}"] : [option.Name, ""], // the parser takes "--join=" for one without a value
    };

    private static string Text(string name, JsonElement value, string path) => value.ValueKind switch
    {
        JsonValueKind.String => value.GetString()!,
        JsonValueKind.Number => value.GetRawText(),
        JsonValueKind.Array => string.Join(',', value.EnumerateArray().Select(item => Text(name, item, path))),
        _ => throw Error("a value is neither text nor a number", path, name, null),
    };

    private static string Name(Symbol symbol) => symbol is Argument ? symbol.Name.ToLowerInvariant() : symbol.Name.TrimStart('-');

    private static EngineException Error(string message, string path, string? key, string? hint) => new("NE2004", message) { File = path, Key = key, Hint = hint };
}
