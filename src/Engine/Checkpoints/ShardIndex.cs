using System.Text.Json;

namespace NativeEngine.Checkpoints;

/// <summary>model.safetensors.index.json: which shard holds which tensor. Nothing in it is trusted, least of all the file names.</summary>
/// <param name="Path">of the index</param>
/// <param name="ShardOf">tensor to file name</param>
/// <param name="TotalSize">bytes of all tensors as the index claims; null where it does not say</param>
internal sealed record ShardIndex(string Path, IReadOnlyDictionary<string, string> ShardOf, double? TotalSize)
{
    /// <summary>Name of the file.</summary>
    public const string FileName = "model.safetensors.index.json";

    private const string Extension = ".safetensors";

    /// <summary>Reads an index. Errors: NE3030 not an index, NE3031 a shard name that is not plain, NE5002 I/O.</summary>
    public static ShardIndex Read(string path)
    {
        using JsonDocument document = StrictJson.ReadFile(path, "NE3030");
        if (!document.RootElement.TryGetProperty("weight_map", out JsonElement map) || map.ValueKind != JsonValueKind.Object)
        {
            throw Errors.Rule("NE3030", path, "the index lacks the object weight_map", "weight_map");
        }

        Dictionary<string, string> shardOf = [];
        foreach (JsonProperty tensor in map.EnumerateObject())
        {
            string? shard = tensor.Value.ValueKind == JsonValueKind.String ? tensor.Value.GetString() : null;
            if (shard is null || !IsPlainName(shard))
            {
                throw Errors.Rule("NE3031", path, "the shard of a tensor is not a plain file name", tensor.Name, "letters, digits, '.', '_', '-', ending in .safetensors",
                    shard is null ? tensor.Value.ValueKind.ToString() : Untrusted.Quote(shard), "the index is damaged or hostile: fetch it again from a source you trust");
            }

            shardOf.Add(tensor.Name, shard);
        }

        if (shardOf.Count == 0)
        {
            throw Errors.Rule("NE3030", path, "the index names no tensor", "weight_map");
        }

        return new ShardIndex(path, shardOf, ReadTotalSize(document.RootElement));
    }

    /// <summary>
    /// True for [A-Za-z0-9._-]+.safetensors, which is a file in the same folder under the path rules of Unix and of Windows:
    /// no separator, drive, stream, parent folder, or device name such as NUL.safetensors.
    /// </summary>
    public static bool IsPlainName(string name)
    {
        if (name.Length <= Extension.Length || name.Length > 255 || !name.EndsWith(Extension, StringComparison.Ordinal))
        {
            return false;
        }

        foreach (char c in name)
        {
            if (!char.IsAsciiLetterOrDigit(c) && c is not ('.' or '_' or '-'))
            {
                return false;
            }
        }

        string stem = name[..name.IndexOf('.')].ToUpperInvariant();
        bool device = stem is "CON" or "PRN" or "AUX" or "NUL"
            || (stem.Length == 4 && (stem.StartsWith("COM", StringComparison.Ordinal) || stem.StartsWith("LPT", StringComparison.Ordinal)) && char.IsAsciiDigit(stem[3]));
        return !device;
    }

    /// <summary>True for model-NNNNN-of-NNNNN.safetensors.</summary>
    public static bool IsShardName(string name)
    {
        const string pattern = "model-#####-of-#####" + Extension;
        return name.Length == pattern.Length && name.Zip(pattern).All(pair => pair.Second == '#' ? char.IsAsciiDigit(pair.First) : pair.First == pair.Second);
    }

    /// <summary>Some writers store the size as a float.</summary>
    private static double? ReadTotalSize(JsonElement root) =>
        root.TryGetProperty("metadata", out JsonElement metadata) && metadata.ValueKind == JsonValueKind.Object
        && metadata.TryGetProperty("total_size", out JsonElement size) && size.ValueKind == JsonValueKind.Number && size.TryGetDouble(out double bytes)
            ? bytes
            : null;
}
