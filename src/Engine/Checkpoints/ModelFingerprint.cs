using System.Security.Cryptography;
using System.Text;

namespace NativeEngine.Checkpoints;

/// <summary>
/// Tells models apart that have the same shapes, without reading their weights: by config.json, by the headers, and by the manifest where this
/// engine wrote the folder, which holds a hash of every file.
/// </summary>
internal static class ModelFingerprint
{
    /// <summary>What is looked at, and its SHA-256. Errors: NE5002, NE5004.</summary>
    public static IEnumerable<(string Part, string Sha256)> Parts(Checkpoint weights)
    {
        var folder = new ModelFolder(weights.Folder);
        foreach (string name in new[] { "config.json", Manifest.FileName }.Where(folder.Has))
        {
            yield return (name, Hash(folder.Read(name)));
        }

        yield return ("tensors", Hash(weights.Tensors.Values.OrderBy(t => t.Name, StringComparer.Ordinal)
            .Select(t => $"{t.Name} {t.DType} {t.Shape} {Path.GetFileName(t.File)} {t.Offset} {t.Bytes}")));
    }

    /// <summary>One hash for all parts.</summary>
    public static string Of(Checkpoint weights) => Hash(Parts(weights).Select(part => $"{part.Part} {part.Sha256}"));

    private static string Hash(IEnumerable<string> lines) => Hash(Encoding.UTF8.GetBytes(string.Join('\n', lines)));

    private static string Hash(ReadOnlySpan<byte> bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));
}
