using NativeEngine.Spec;

namespace NativeEngine.Cli.Output;

/// <summary>Layer widths as a table in which equal neighbours share a row.</summary>
internal static class LayerTable
{
    private static readonly string[] Heads = ["layers", "heads", "kv heads", "head dim", "ffn", "attention in", "out", "mlp in", "out"];

    /// <summary>Prints <paramref name="layers"/>.</summary>
    public static void Print(Report report, IReadOnlyList<LayerShape> layers)
    {
        List<string[]> rows = [];
        for (int first = 0, last; first < layers.Count; first = last + 1)
        {
            last = first;
            while (last + 1 < layers.Count && layers[last + 1] == layers[first])
            {
                last++;
            }

            LayerShape w = layers[first];
            int[] widths = [w.Heads, w.KvHeads, w.HeadDim, w.Ffn, w.AttentionInput, w.AttentionOutput, w.MlpInput, w.MlpOutput];
            rows.Add([first == last ? $"{first}" : $"{first}..{last}", .. widths.Select(n => $"{n}")]);
        }

        report.Blank();
        report.Table(Heads, rows);
    }
}
