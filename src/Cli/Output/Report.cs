namespace NativeEngine.Cli.Output;

/// <summary>A result as text: aligned <c>key  value</c> lines and small tables.</summary>
internal sealed class Report(TextWriter output)
{
    private const int KeyWidth = 16;

    /// <summary>One fact.</summary>
    public void Line(string key, string value) => output.WriteLine($"{key.PadRight(KeyWidth)}  {Untrusted.Escape(value)}");

    /// <summary>Running text, such as what a model wrote.</summary>
    public void Text(string text) => output.WriteLine(Untrusted.Escape(text, keepLayout: true));

    /// <summary>An empty line.</summary>
    public void Blank() => output.WriteLine();

    /// <summary>Seconds by phase.</summary>
    public void Phases(IReadOnlyDictionary<string, double> phases) =>
        Table(["phase", "seconds"], [.. phases.Select(phase => (string[])[phase.Key, Format.Seconds(phase.Value)])]);

    /// <summary>Columns under their heads; the first is flush left, the others flush right.</summary>
    public void Table(IReadOnlyList<string> heads, IReadOnlyList<IReadOnlyList<string>> rows)
    {
        int[] widths = [.. heads.Select((head, c) => rows.Select(row => row[c].Length).Append(head.Length).Max())];
        foreach (IReadOnlyList<string> row in rows.Prepend(heads))
        {
            IEnumerable<string> cells = row.Select((cell, c) => c == 0 ? cell.PadRight(widths[c]) : cell.PadLeft(widths[c]));
            output.WriteLine(Untrusted.Escape(string.Join("  ", cells)).TrimEnd());
        }
    }
}
