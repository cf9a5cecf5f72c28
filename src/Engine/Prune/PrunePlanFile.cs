using System.Text;
using System.Text.Json.Nodes;
using NativeEngine.Checkpoints;
using NativeEngine.Spec;

namespace NativeEngine.Prune;

/// <summary>A plan as a JSON file: the dense model's fingerprint, type and shapes, by which it is recognised, and what goes.</summary>
internal static class PrunePlanFile
{
    private const int Schema = 1;
    private const string BaseKey = "base";

    /// <summary>Throws what writing <paramref name="path"/> would throw, before the plan is known.</summary>
    public static void Check(string path, bool overwrite) => OutputFile.Check(path, overwrite);

    /// <summary>Writes <paramref name="plan"/> for the model of <paramref name="weights"/>, whole or not at all. Errors: NE11006 it exists, NE5010, NE6002.</summary>
    public static void Write(string path, PrunePlan plan, Checkpoint weights, bool overwrite = false) =>
        OutputFile.Write(path, overwrite, ToJson(plan, ModelFingerprint.Of(weights)));

    /// <summary>Reads a plan for the model of <paramref name="dense"/> and <paramref name="weights"/>; a notice says when it was made for other weights.</summary>
    /// <exception cref="EngineException">NE305x, NE3061: it is broken; NE3062: it is for another model; NE4060: the model is sliced and the plan
    /// is not for blocks; NE3039, NE5002, NE5004: it cannot be read</exception>
    public static PrunePlan Read(string path, ModelSpec dense, Checkpoint weights, IReporter reporter)
    {
        ConfigJson json = ConfigJson.Parse(InputFile.Read(path, ConfigJson.MaxBytes), path);
        PrunePlan plan = Parse(json, path, dense);
        if (json.Text(BaseKey) is string madeFor && madeFor != ModelFingerprint.Of(weights))
        {
            reporter.Notice($"{path}: the plan was made for another model of these shapes, or for another copy, than {weights.Folder}");
        }

        return plan;
    }

    /// <summary>The plan in <paramref name="utf8"/>, for any model of the shapes of <paramref name="dense"/>; <paramref name="file"/> is its name in errors.</summary>
    public static PrunePlan Parse(ReadOnlyMemory<byte> utf8, string file, ModelSpec dense) => Parse(ConfigJson.Parse(utf8, file), file, dense);

    private static PrunePlan Parse(ConfigJson json, string file, ModelSpec dense)
    {
        if (json.Int("schema", 1, int.MaxValue) is int schema && schema != Schema)
        {
            throw json.Unsupported("schema", schema.ToString(), $"{Schema}; a newer engine wrote this plan");
        }

        Require(file, "model_type", dense.ModelType, json.Text("model_type"));
        Require(file, "hidden_size", $"{dense.Hidden}", $"{json.Int("hidden_size", 1, int.MaxValue)}");
        IReadOnlyList<ConfigJson> layers = json.Objects("layers");
        Require(file, "layers", $"{dense.Layers.Count} entries", $"{layers.Count} entries");
        for (int l = 0; l < layers.Count; l++)
        {
            foreach ((string key, int value) in Shape(dense.Layers[l]))
            {
                Require(file, $"layers[{l}].{key}", $"{value}", $"{layers[l].Int(key, 1, int.MaxValue)}");
            }
        }

        DependencyGraph graph = new(dense);
        HashSet<(int, StructureKind)> seen = [];
        return new PrunePlan(dense, [.. json.Objects("groups").Select(g =>
        {
            PrunedGroup group = ReadGroup(g, dense, graph);
            return seen.Add((group.Layer, group.Kind)) ? group : throw Broken(file, "a group of a plan is listed twice", $"{group.Kind.Word()} of layer {group.Layer}");
        })]);
    }

    /// <summary>The bytes of the file: a line per layer and per group.</summary>
    public static byte[] ToJson(PrunePlan plan, string fingerprint) => Encoding.UTF8.GetBytes($$"""
        {
          "schema": {{Schema}},
          "{{BaseKey}}": "{{fingerprint}}",
          "model_type": "{{plan.Dense.ModelType}}",
          "hidden_size": {{plan.Dense.Hidden}},
          "layers": [
            {{Lines(plan.Dense.Layers.Select(s => new JsonObject(Shape(s).Select(f => KeyValuePair.Create(f.Key, (JsonNode?)f.Value)))))}}
          ],
          "groups": [
            {{Lines(plan.Groups.Select(g => new JsonObject { ["layer"] = g.Layer, ["kind"] = g.Kind.Word(), ["pruned"] = new JsonArray([.. g.Pruned.Select(i => (JsonNode)i)]) }))}}
          ]
        }

        """);

    private static string Lines(IEnumerable<JsonObject> items) => string.Join(",\n    ", items.Select(item => item.ToJsonString()));

    private static (string Key, int Value)[] Shape(LayerShape s) => [("heads", s.Heads), ("kv_heads", s.KvHeads), ("head_dim", s.HeadDim), ("ffn", s.Ffn)];

    private static PrunedGroup ReadGroup(ConfigJson g, ModelSpec dense, DependencyGraph graph)
    {
        StructureKind[] kinds = Enum.GetValues<StructureKind>();
        int at = Array.FindIndex(kinds, k => k.Word() == g.Text("kind"));
        if (at < 0)
        {
            throw Broken(g.File, "a group of a plan has no known kind", g.Text("kind"), string.Join(", ", kinds.Select(k => k.Word())));
        }

        StructureKind kind = kinds[at];
        bool spans = kind is StructureKind.Hidden or StructureKind.Layers;
        int layer = spans ? g.Int("layer", -1, -1, -1) : g.Int("layer", 0, dense.Layers.Count - 1);
        IReadOnlyList<Group> groups = graph.InScope(kind switch
        {
            StructureKind.Hidden => PruneScope.Channel,
            StructureKind.Layers => PruneScope.Layer,
            _ => PruneScope.Block,
        });
        Group group = groups.FirstOrDefault(x => x.Kind == kind && x.Layer == layer)
            ?? throw Broken(g.File, "a group of a plan is not in the model", $"{kind.Word()} of layer {layer}", string.Join(", ", groups.Where(x => x.Layer == layer).Select(x => x.Kind!.Value.Word())));
        IReadOnlyList<int> pruned = g.Ascending("pruned", 0, group.Count - 1);
        return pruned.Count < group.Count ? new PrunedGroup(layer, kind, pruned) : throw Broken(g.File, "a group of a plan would lose all it has", group.Name, $"at most {group.Count - 1}");
    }

    private static void Require(string file, string key, string expected, string? found)
    {
        if (found != expected)
        {
            throw new EngineException("NE3062", "the plan was made for another model") { File = file, Key = key, Expected = expected, Found = found, Hint = "apply it to the model that it was made from" };
        }
    }

    private static EngineException Broken(string file, string rule, string? found, string? expected = null) =>
        new("NE3061", rule) { File = file, Key = "groups", Found = found, Expected = expected };
}
