namespace NativeEngine.Tests.Checkpoints;

/// <summary>An empty folder for one test.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    public string Location { get; } = Directory.CreateTempSubdirectory("nativeengine-").FullName;

    public string this[string name] => Path.Combine(Location, name);

    /// <summary>Every file and folder below, relative and sorted.</summary>
    public string[] Contents => [.. Directory.EnumerateFileSystemEntries(Location, "*", SearchOption.AllDirectories)
        .Select(path => Path.GetRelativePath(Location, path)).Order(StringComparer.Ordinal)];

    /// <summary>Creates a folder in it.</summary>
    public string Folder(string name) => Directory.CreateDirectory(this[name]).FullName;

    /// <summary>Writes a file in it and returns its path.</summary>
    public string Write(string name, byte[] content)
    {
        File.WriteAllBytes(this[name], content);
        return this[name];
    }

    /// <summary>Writes a file in it and returns its path.</summary>
    public string Write(string name, string content)
    {
        File.WriteAllText(this[name], content);
        return this[name];
    }

    /// <summary>What an earlier run left: old.txt with "old" in it, and the manifest that lists it.</summary>
    public void EarlierOutput(string name)
    {
        Folder(name);
        Write(name + "/old.txt", "old");
        string hash = Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData("old"u8));
        Write(name + "/nativeengine.manifest.json", "{\"schema\":1,\"files\":{\"old.txt\":{\"size\":3,\"sha256\":\"" + hash + "\"}}}");
    }

    public void Dispose() => Directory.Delete(Location, recursive: true);
}
