using System.CommandLine;
using System.Globalization;

namespace NativeEngine.Cli.Options;

/// <summary>An option that can say which values it takes.</summary>
internal interface IChecked
{
    /// <summary>The allowed values, e.g. "a whole number from 1 to 1024".</summary>
    string Allowed { get; }
}

/// <summary>An option whose value is read, independent of the locale, and checked while parsing.</summary>
internal sealed class CheckedOption<T> : Option<T>, IChecked
{
    /// <summary>True, with the value, for a text that is allowed.</summary>
    public delegate bool Reader(string text, out T value);

    public CheckedOption(string name, string helpName, string description, string allowed, Reader read) : base(name)
    {
        HelpName = helpName;
        Description = description;
        Allowed = allowed;
        CustomParser = argument =>
        {
            if (argument.Tokens.Count != 1 || !read(argument.Tokens[0].Value, out T value))
            {
                argument.AddError($"value of '{name}' is not allowed");
                return default;
            }

            return value;
        };
    }

    /// <inheritdoc/>
    public string Allowed { get; }
}

/// <summary>Whole numbers, as one word of the command line. The parser would turn a missing option of a bare array into an empty one.</summary>
internal sealed record IntegerList(IReadOnlyList<int> Values);

/// <summary>Makes the kinds of option that the verbs use.</summary>
internal static class Checked
{
    /// <summary>A switch.</summary>
    public static Option<bool> Flag(string name, string description) => new(name) { Description = description };

    /// <summary>Any text: a path, a prompt.</summary>
    public static Option<string?> Text(string name, string helpName, string description) => new(name) { HelpName = helpName, Description = description };

    /// <summary>A whole number from <paramref name="least"/> to <paramref name="most"/>, with a default.</summary>
    public static Option<int> Integer(string name, string description, int byDefault, int least = 1, int most = int.MaxValue) =>
        new CheckedOption<int>(name, "n", description, Range(least, most), (string text, out int value) =>
            int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value) && value >= least && value <= most)
        {
            DefaultValueFactory = _ => byDefault,
        };

    /// <summary>A whole number whose default depends on the model or on another option; the description says how.</summary>
    public static Option<int?> OptionalInteger(string name, string description, int most = int.MaxValue) =>
        new CheckedOption<int?>(name, "n", description, Range(1, most), (string text, out int? value) =>
        {
            bool ok = TryPositive(text, out int n) && n <= most;
            value = n;
            return ok;
        });

    /// <summary>Whole numbers, <paramref name="least"/> or more, with commas between them; null without the option.</summary>
    public static Option<IntegerList?> Integers(string name, string description, int least) =>
        new CheckedOption<IntegerList?>(name, "n,m", description, $"whole numbers, {least} or more, with commas between them", (string text, out IntegerList? list) =>
        {
            list = null;
            string[] words = text.Split(',');
            int[] values = new int[words.Length];
            for (int i = 0; i < words.Length; i++)
            {
                if (!int.TryParse(words[i].Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out values[i]) || values[i] < least)
                {
                    return false;
                }
            }

            list = new IntegerList(values);
            return true;
        });

    /// <summary>A real number for which <paramref name="accepts"/> holds.</summary>
    public static Option<double> Number(string name, string helpName, string description, double byDefault, string allowed, Func<double, bool> accepts) =>
        new CheckedOption<double>(name, helpName, description, allowed, (string text, out double value) =>
            double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out value) && accepts(value))
        {
            DefaultValueFactory = _ => byDefault,
        };

    /// <summary>
    /// One of a few words. Without the option the value is <c>default(T)</c>; a word for that is shown as the default,
    /// and a nullable <typeparamref name="T"/> has a default that the description explains.
    /// </summary>
    public static Option<T> Choice<T>(string name, string description, params (string Word, T Value)[] choices)
    {
        string[] words = Array.ConvertAll(choices, c => c.Word);
        int byDefault = Array.FindIndex(choices, c => Equals(c.Value, default(T)));
        CheckedOption<T> option = new(
            name,
            string.Join('|', words),
            byDefault < 0 ? description : $"{description} [default: {words[byDefault]}]",
            string.Join(", ", words),
            (string text, out T value) =>
            {
                int i = Array.IndexOf(words, text);
                value = i < 0 ? default! : choices[i].Value;
                return i >= 0;
            });
        option.CompletionSources.Add(words);
        return option;
    }

    private static string Range(int least, int most) => $"a whole number from {least} to {most}";

    private static bool TryPositive(string text, out int value) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value) && value >= 1;
}
