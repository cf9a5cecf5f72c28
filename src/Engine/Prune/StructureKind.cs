using System.Text.Json;
using System.Text.Json.Serialization;
using NativeEngine.Spec;

namespace NativeEngine.Prune;

/// <summary>What is cut out of a model as one piece.</summary>
[JsonConverter(typeof(StructureKindConverter))]
public enum StructureKind
{
    /// <summary>Attention heads, each with keys and values of its own.</summary>
    Heads,

    /// <summary>Key and value heads; each takes its query heads along (grouped-query attention).</summary>
    KvHeads,

    /// <summary>Intermediate channels of the MLP.</summary>
    Channels,

    /// <summary>Columns of the residual stream, in the whole model.</summary>
    Hidden,

    /// <summary>Decoder layers.</summary>
    Layers,
}

/// <summary>A kind in JSON: snake case.</summary>
internal sealed class StructureKindConverter() : JsonStringEnumConverter<StructureKind>(JsonNamingPolicy.SnakeCaseLower);

/// <summary>How many structures of a kind a model has, and the same model with another number of them.</summary>
internal static class StructureKinds
{
    /// <summary>The kind as JSON has it.</summary>
    public static string Word(this StructureKind kind) => JsonNamingPolicy.SnakeCaseLower.ConvertName(kind.ToString());

    /// <summary>Structures of <paramref name="kind"/> in <paramref name="layer"/>, which is -1 for the kinds that span the model.</summary>
    public static int Count(this ModelSpec spec, StructureKind kind, int layer) => kind switch
    {
        StructureKind.Heads => spec.Layers[layer].Heads,
        StructureKind.KvHeads => spec.Layers[layer].KvHeads,
        StructureKind.Channels => spec.Layers[layer].Ffn,
        StructureKind.Hidden => spec.Hidden,
        _ => spec.Layers.Count,
    };

    /// <summary><paramref name="spec"/> with <paramref name="count"/> structures of a kind; of layers, the first ones stay.</summary>
    public static ModelSpec WithCount(this ModelSpec spec, StructureKind kind, int layer, int count)
    {
        if (kind == StructureKind.Layers)
        {
            return spec with { Layers = [.. spec.Layers.Take(count)] };
        }

        if (kind == StructureKind.Hidden)
        {
            return spec with
            {
                Hidden = count,
                EmbedWidth = count,
                HeadWidth = count,
                Layers = [.. spec.Layers.Select(s => LayerShape.Dense(s.Heads, s.KvHeads, s.HeadDim, s.Ffn, count))],
            };
        }

        LayerShape dense = spec.Layers[layer], cut = kind switch
        {
            StructureKind.Heads => dense with { Heads = count, KvHeads = count },
            StructureKind.KvHeads => dense with { Heads = dense.Heads / dense.KvHeads * count, KvHeads = count },
            _ => dense with { Ffn = count },
        };
        return spec with { Layers = [.. spec.Layers.Select((s, l) => l == layer ? cut : s)] };
    }
}
