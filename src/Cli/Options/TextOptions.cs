using System.CommandLine;
using System.Text;

namespace NativeEngine.Cli.Options;

/// <summary>How the rows of a text file become one stream of tokens.</summary>
internal sealed class TextOptions
{
    /// <summary>What a TEXT can be, for the descriptions of the options that take one.</summary>
    public const string Kinds = "a .txt, .jsonl or .safetensors[:NAME[:MASK]] file";

    private static readonly TextSource Defaults = new("");

    private readonly Option<string> join = new("--join")
    {
        HelpName = "S",
        Description = @"Put S between rows; \n, \t and \\ are a newline, a tab and a backslash",
        DefaultValueFactory = _ => EffectiveOptions.Escape(Defaults.Join),
    };

    private readonly Option<string?> rows = Checked.Choice<string?>(
        "--rows", "Take rows as they are, or stripped of blanks at both ends as PTB wants it (default: keep)", ("keep", "keep"), ("strip", "strip"));

    private readonly Option<string> field = new("--field")
    {
        HelpName = "NAME",
        Description = "Field of a .jsonl object that is the row",
        DefaultValueFactory = _ => Defaults.Field,
    };

    /// <summary>Adds the options to a verb.</summary>
    public void AddTo(Command command)
    {
        command.Add(join);
        command.Add(rows);
        command.Add(field);
    }

    /// <summary>The source at <paramref name="path"/>, read as the options say.</summary>
    public TextSource Source(ParseResult parse, string path) =>
        new(path, Unescape(parse.GetRequiredValue(join)), parse.GetValue(rows) == "strip", parse.GetRequiredValue(field));

    private static string Unescape(string text)
    {
        StringBuilder plain = new();
        for (int i = 0; i < text.Length; i++)
        {
            char? meant = text[i] != '\\' || i + 1 == text.Length ? null : text[i + 1] switch { 'n' => '\n', 't' => '\t', '\\' => '\\', _ => null };
            plain.Append(meant ?? text[i]);
            i += meant is null ? 0 : 1;
        }

        return plain.ToString();
    }
}
