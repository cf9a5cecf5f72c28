using System.Buffers;
using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace NativeEngine.Checkpoints;

/// <summary>A file of an output.</summary>
/// <param name="Name">without a folder</param>
/// <param name="Size">bytes</param>
/// <param name="Sha256">lower-case hexadecimal</param>
internal sealed record FileDigest(string Name, long Size, string Sha256);

/// <summary>
/// nativeengine.manifest.json: size and SHA-256 of every file of an output, what wrote it, and the effective configuration.
/// It is written last, so a folder whose manifest is missing or does not match is not a finished output.
/// </summary>
internal static class Manifest
{
    /// <summary>Name of the file.</summary>
    public const string FileName = "nativeengine.manifest.json";

    private const string BaseKey = "base";

    /// <summary>
    /// Compares <paramref name="folder"/> with its manifest, reading every byte. Returns what is wrong, one line each; empty when
    /// all is well. Errors: NE3045 the manifest is not one, NE5001 no such folder, NE5002 I/O.
    /// </summary>
    public static IReadOnlyList<string> Verify(string folder)
    {
        var model = new ModelFolder(folder);
        if (model.Find(FileName) is not string path)
        {
            return [$"{FileName}: missing"];
        }

        List<string> problems = [];
        HashSet<string> listed = [FileName];
        foreach ((string name, long size, string sha256) in Read(path))
        {
            listed.Add(name);
            if (!IsPlainName(name))
            {
                problems.Add($"{Untrusted.Quote(name)}: not a plain file name");
            }
            else if (model.Find(name) is not string file)
            {
                problems.Add($"{name}: missing");
            }
            else if (Digest(name, file) is var found && found != new FileDigest(name, size, sha256))
            {
                problems.Add(found.Size != size ? $"{name}: {found.Size} bytes, the manifest says {size}" : $"{name}: the content differs (sha256 {found.Sha256})");
            }
        }

        return [.. problems, .. model.Names().Where(name => !listed.Contains(name)).Select(name => $"{Untrusted.Quote(name)}: not in the manifest")];
    }

    /// <summary>The manifest of <paramref name="folder"/> and the files that it lists; empty where there is none.</summary>
    internal static IEnumerable<string> ListedIn(string folder)
    {
        string path = Path.Combine(folder, FileName);
        return File.Exists(path) ? [FileName, .. Read(path).Select(file => file.Name)] : [];
    }

    /// <summary>The fingerprint of the model that the output in <paramref name="folder"/> belongs to; null where its manifest names none.</summary>
    internal static string? BaseOf(ModelFolder folder)
    {
        if (folder.Find(FileName) is not string path)
        {
            return null;
        }

        using JsonDocument document = StrictJson.ReadFile(path, "NE3045");
        return document.RootElement.TryGetProperty(BaseKey, out JsonElement value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
    }

    /// <summary>The manifest of <paramref name="files"/>, computed <paramref name="on"/>; <paramref name="baseModel"/> is the fingerprint of the model that an adapter belongs to.</summary>
    internal static byte[] Build(IEnumerable<FileDigest> files, JsonObject configuration, ComputedOn? on, string? baseModel)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer, ShardPlan.JsonOptions with { Indented = true }))
        {
            json.WriteStartObject();
            json.WriteNumber("schema", 1);
            json.WriteString("engine", "NativeEngine");
            json.WriteString("version", typeof(Manifest).Assembly.GetName().Version!.ToString(3));
            json.WriteString("created", DateTime.UtcNow.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture));
            if (on is not null)
            {
                json.WriteString("device", on.Device);
                json.WriteString("dtype", EffectiveOptions.Word(on.DType));
            }

            if (baseModel is not null)
            {
                json.WriteString(BaseKey, baseModel);
            }

            json.WritePropertyName("configuration");
            configuration.WriteTo(json);
            json.WriteStartObject("files");
            foreach (FileDigest file in files.OrderBy(file => file.Name, StringComparer.Ordinal))
            {
                json.WriteStartObject(file.Name);
                json.WriteNumber("size", file.Size);
                json.WriteString("sha256", file.Sha256);
                json.WriteEndObject();
            }

            json.WriteEndObject();
            json.WriteEndObject();
        }

        return [.. buffer.WrittenSpan, (byte)'\n'];
    }

    /// <summary>True for a name that stays in its folder under the path rules of Unix and of Windows.</summary>
    internal static bool IsPlainName(string name) =>
        name.Length is > 0 and <= 255 && name is not ("." or "..") && !name.Any(c => c is '/' or '\\' or ':' || char.IsControl(c));

    /// <summary>Size and hash of a file that is complete.</summary>
    internal static FileDigest Digest(string name, string path)
    {
        try
        {
            using FileStream stream = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: Disk.BlockBytes, FileOptions.SequentialScan);
            return new(name, stream.Length, Convert.ToHexStringLower(SHA256.HashData(stream)));
        }
        catch (Exception e) when (Errors.IsIo(e))
        {
            throw Errors.Reading(path, e);
        }
    }

    private static List<FileDigest> Read(string path)
    {
        using JsonDocument document = StrictJson.ReadFile(path, "NE3045");
        if (!document.RootElement.TryGetProperty("files", out JsonElement files) || files.ValueKind != JsonValueKind.Object)
        {
            throw Errors.Rule("NE3045", path, "the manifest lacks the object files", "files");
        }

        List<FileDigest> entries = [];
        foreach (JsonProperty file in files.EnumerateObject())
        {
            if (file.Value.ValueKind != JsonValueKind.Object
                || !file.Value.TryGetProperty("size", out JsonElement size) || size.ValueKind != JsonValueKind.Number || !size.TryGetInt64(out long bytes)
                || !file.Value.TryGetProperty("sha256", out JsonElement sha256) || sha256.ValueKind != JsonValueKind.String)
            {
                throw Errors.Rule("NE3045", path, "the manifest's entry of a file lacks its size or its sha256", file.Name);
            }

            entries.Add(new(file.Name, bytes, sha256.GetString()!));
        }

        return entries;
    }
}
