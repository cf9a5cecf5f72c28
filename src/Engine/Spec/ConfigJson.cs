using System.Globalization;
using System.Text.Json;
using NativeEngine.Checkpoints;

namespace NativeEngine.Spec;

/// <summary>Typed, range-checked access to the fields of an untrusted config.json. Errors name the file and the field.</summary>
internal sealed class ConfigJson
{
    /// <summary>Largest config.json and the like, in bytes.</summary>
    public const long MaxBytes = 10_000_000;

    private const string FileName = "config.json";
    private const string Broken = "NE3050";
    private readonly JsonElement root;
    private readonly string path; // of this object in the file, with a dot behind it

    private ConfigJson(JsonElement root, string file, string path = "") => (this.root, File, this.path) = (root, file, path);

    public string File { get; }

    public JsonElement Root => root;

    /// <summary>Reads the config.json of <paramref name="folder"/>. Errors: NE3051 there is none, NE3050 it is broken, and those of <see cref="ModelFolder.Read"/>.</summary>
    public static ConfigJson Read(ModelFolder folder)
    {
        string file = folder.PathOf(FileName);
        return folder.Has(FileName)
            ? Parse(folder.Read(FileName, MaxBytes), file)
            : throw new EngineException("NE3051", "the model folder has no config.json")
            {
                File = file,
                Hint = folder.Has(Tune.AdapterConfig.FileName) ? "the folder holds a LoRA adapter: 'merge' puts it into its model" : "download it from where the weights came from",
            };
    }

    public static ConfigJson Parse(ReadOnlyMemory<byte> utf8, string file)
    {
        using JsonDocument document = StrictJson.Parse(utf8, file, Broken);
        return new ConfigJson(document.RootElement.Clone(), file);
    }

    /// <summary>A nested object, or null when the field is absent or null.</summary>
    public ConfigJson? Object(string key)
    {
        if (!TryGet(key, out JsonElement e))
        {
            return null;
        }

        return e.ValueKind == JsonValueKind.Object ? new ConfigJson(e, File, $"{path}{key}.") : throw Wrong(key, "an object", e);
    }

    /// <summary>The objects of an array field.</summary>
    public IReadOnlyList<ConfigJson> Objects(string key)
    {
        if (!TryGet(key, out JsonElement e) || e.ValueKind != JsonValueKind.Array)
        {
            throw Missing(key, "an array of objects");
        }

        return [.. e.EnumerateArray().Select((item, i) => item.ValueKind == JsonValueKind.Object ? new ConfigJson(item, File, $"{path}{key}[{i}].") : throw Wrong(key, "objects", item))];
    }

    public bool Has(string key) => TryGet(key, out _);

    public int Int(string key, int min, int max, int? otherwise = null)
    {
        if (!TryGet(key, out JsonElement e))
        {
            return otherwise ?? throw Missing(key, Range(min, max));
        }

        // Writers differ: 4096, 4096.0 and 4.096e3 are the same integer.
        return e.ValueKind == JsonValueKind.Number && e.TryGetDouble(out double v) && v == Math.Floor(v) && v >= min && v <= max
            ? (int)v
            : throw Wrong(key, Range(min, max), e);
    }

    public double Number(string key, double min, double max, double? otherwise = null)
    {
        if (!TryGet(key, out JsonElement e))
        {
            return otherwise ?? throw Missing(key, Range(min, max));
        }

        return e.ValueKind == JsonValueKind.Number && e.TryGetDouble(out double v) && double.IsFinite(v) && v >= min && v <= max
            ? v
            : throw Wrong(key, Range(min, max), e);
    }

    public bool Bool(string key, bool otherwise) => !TryGet(key, out JsonElement e) ? otherwise : e.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => throw Wrong(key, "true or false", e),
    };

    public string? Text(string key)
    {
        if (!TryGet(key, out JsonElement e))
        {
            return null;
        }

        try
        {
            return e.GetString();
        }
        catch (InvalidOperationException)
        {
            // Another type of value, or half a surrogate pair.
            throw Wrong(key, "a string", e);
        }
    }

    /// <summary>An id, a list of ids, or nothing.</summary>
    public IReadOnlyList<int> Ids(string key)
    {
        if (!TryGet(key, out JsonElement e))
        {
            return [];
        }

        return [.. (e.ValueKind == JsonValueKind.Array ? e.EnumerateArray() : Enumerable.Repeat(e, 1)).Select(i =>
            i.ValueKind == JsonValueKind.Number && i.TryGetInt32(out int id) && id >= -1 ? id : throw Wrong(key, "token ids", i)).Where(id => id >= 0)];
    }

    /// <summary>Whole numbers in a range, each larger than the one before.</summary>
    public IReadOnlyList<int> Ascending(string key, int min, int max)
    {
        if (!TryGet(key, out JsonElement e) || e.ValueKind != JsonValueKind.Array)
        {
            throw Missing(key, "an array of numbers");
        }

        List<int> values = [];
        foreach (JsonElement item in e.EnumerateArray())
        {
            bool ok = item.ValueKind == JsonValueKind.Number && item.TryGetInt32(out int value) && value <= max && value >= (values.Count == 0 ? min : values[^1] + 1);
            values.Add(ok ? item.GetInt32() : throw Wrong(key, $"numbers from {min} to {max}, ascending", item));
        }

        return values;
    }

    public EngineException Wrong(string key, string expected, JsonElement found) =>
        new("NE3052", $"field '{path}{key}' is not valid") { File = File, Key = path + key, Expected = expected, Found = Shorten(found.GetRawText()) };

    public EngineException Unsupported(string key, string? found, string supported) =>
        new("NE4050", $"'{path}{key}' = {found ?? "null"} is not supported") { File = File, Key = path + key, Found = found, Expected = supported };

    private EngineException Missing(string key, string expected) =>
        new("NE3053", $"field '{path}{key}' is missing") { File = File, Key = path + key, Expected = expected };

    private bool TryGet(string key, out JsonElement e) => root.TryGetProperty(key, out e) && e.ValueKind != JsonValueKind.Null;

    private static string Range(double min, double max) =>
        string.Create(CultureInfo.InvariantCulture, $"a number from {min} to {max}");

    private static string Shorten(string s) => s.Length <= 60 ? s : s[..60] + "...";
}
