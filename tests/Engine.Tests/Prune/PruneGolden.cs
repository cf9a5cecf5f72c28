using System.Text.Json;
using NativeEngine.Prune;

namespace NativeEngine.Tests;

/// <summary>The records of golden/llmpruner, and the comparisons of a run with them, on any device.</summary>
internal static class PruneGolden
{
    /// <summary>Prunes by a variant of the records: the scores of every structure and, where they are far enough apart, the choice.</summary>
    public static PrunePlan AssertScoresAndChoice(PruneRun run, string name, string variant)
    {
        GoldenTensors scores = Golden.Tensors("llmpruner", name, "importance.safetensors"), picked = Golden.Tensors("llmpruner", name, "pruned.safetensors");
        JsonElement json = Golden.Json("llmpruner", name, "pruned.json"), result = json.GetProperty("variants").GetProperty(variant);
        PrunePlan plan = run.Prune(PruneRun.Variant(variant), json.GetProperty("pruning_ratio").GetDouble());
        (double rtol, double atolTimesMax) = Tolerance(variant);
        foreach ((ScoredGroup g, string kind, string index, string margin) in run.Steps[0].Scores.Select(g =>
            g.Group.Kind == StructureKind.Channels ? (g, "mlp", "channels", "margin_channels") : (g, "attn", "heads", "margin_heads")))
        {
            int row = g.Group.Layer - 1;
            double[] expected = Row(scores, $"{kind}.{variant}", row);
            AssertScores(expected, g.Scores, rtol, atolTimesMax, $"{kind} of layer {g.Group.Layer}");
            if (kind == "attn" && scores.Has($"attn_rows.{variant}"))
            {
                AssertScores(Row(scores, $"attn_rows.{variant}", row), g.OfRoot, Math.Max(rtol, Tolerances.SingleRow), atolTimesMax, $"rows of layer {g.Group.Layer}");
            }

            // where the last structure that goes and the first that stays score alike, the reference may sort them either way
            double gap = result.GetProperty(margin)[row] is { ValueKind: JsonValueKind.Number } m ? m.GetDouble() : double.PositiveInfinity;
            if (gap > rtol)
            {
                Assert.Equal(picked.Ints($"{index}.{variant}.{g.Group.Layer}"), Pruned(plan, g.Group));
            }
        }

        return plan;
    }

    /// <summary>golden/llmpruner/README.md, "Tolerances".</summary>
    public static (double Rtol, double AtolTimesMax) Tolerance(string variant) => variant.Split('.') switch
    {
        ["taylor", "vectorize", "sum" or "mean" or "max"] => (1e-3, 1e-5),
        ["taylor", "vectorize", _] => (5e-3, 2e-5),
        ["taylor", _, "prod"] => (1e-4, 0),
        ["taylor", ..] => (Tolerances.Importance, 0),
        _ => (2e-6, 0),
    };

    public static double[] Row(GoldenTensors golden, string name, int row)
    {
        int width = (int)golden.Extents(name)[1];
        return golden.Doubles(name)[(row * width)..((row + 1) * width)];
    }

    public static IEnumerable<int> Pruned(PrunePlan plan, Group group) =>
        plan.Groups.FirstOrDefault(g => g.Layer == group.Layer && g.Kind == group.Kind)?.Pruned ?? [];

    public static void AssertScores(double[] expected, IReadOnlyList<double> found, double rtol, double atolTimesMax, string what)
    {
        Assert.Equal(expected.Length, found.Count);
        double atol = atolTimesMax * expected.Max();
        for (int i = 0; i < expected.Length; i++)
        {
            Golden.Close(expected[i], found[i], expected[i] == 0 || Math.Abs(found[i] - expected[i]) > atol ? rtol : 0, atol, $"{what}[{i}]");
        }
    }
}
