namespace NativeEngine.Checkpoints;

/// <summary>
/// The folder of a checkpoint that may be hostile. Names from its files lead nowhere else: they are plain, and a link is
/// followed only inside the folder or into the blob store of the same cached repository.
/// </summary>
internal sealed class ModelFolder
{
    private readonly string real;

    /// <summary>Names an existing folder. Errors: NE5001 not there, NE3037 a file.</summary>
    public ModelFolder(string path)
    {
        Location = path;
        if (File.Exists(path))
        {
            throw Errors.Rule("NE3037", path, "is a file, not a model folder", hint: "name the folder that holds config.json and the weights");
        }

        if (!Directory.Exists(path))
        {
            throw Errors.Rule("NE5001", path, "no such folder", hint: "name the folder that holds config.json and the weights");
        }

        real = RealPath(path);
    }

    /// <summary>The folder as it was named.</summary>
    public string Location { get; }

    /// <summary>File names in the folder, sorted; links included, subfolders not. Errors: NE5002.</summary>
    public IReadOnlyList<string> Names()
    {
        try
        {
            return [.. Directory.EnumerateFiles(Location).Select(path => Path.GetFileName(path)!).Order(StringComparer.Ordinal)];
        }
        catch (Exception e) when (Errors.IsIo(e))
        {
            throw Errors.Reading(Location, e);
        }
    }

    /// <summary>The path of a file, null when it is not there. Errors: NE3036 a link that leads out of the folder.</summary>
    public string? Find(string name)
    {
        string path = PathOf(name);
        string target = RealPath(path);
        if (!Encloses(real, target) && !SharesBlobs(target))
        {
            throw Errors.Rule("NE3036", path, "is a link that leads out of the model folder", found: Untrusted.Quote(target),
                expected: "a target in the folder itself, or in the blobs of the same models--* cache folder", hint: "put a copy of the file in the model folder");
        }

        return File.Exists(path) ? path : null;
    }

    /// <summary>Whether the folder has a file of that name. Errors: as <see cref="Find"/>.</summary>
    public bool Has(string name) => Find(name) is not null;

    /// <summary>The path of a file, there or not, for errors.</summary>
    public string PathOf(string name) => Path.Combine(Location, name);

    /// <summary>The bytes of a file. Errors: as <see cref="Find"/> and <see cref="InputFile.Read"/>.</summary>
    public byte[] Read(string name, long maxBytes = InputFile.MaxBytes) => InputFile.Read(Find(name) ?? PathOf(name), maxBytes);

    /// <summary>True when <paramref name="inner"/> is <paramref name="outer"/> or lies in it; both are real paths.</summary>
    public static bool Encloses(string outer, string inner)
    {
        string relative = Path.GetRelativePath(outer, inner);
        return relative != ".." && !relative.StartsWith(".." + Path.DirectorySeparatorChar, StringComparison.Ordinal) && !Path.IsPathRooted(relative);
    }

    /// <summary>The absolute path with every link on the way resolved; parts that do not exist are kept. Errors: NE5002.</summary>
    public static string RealPath(string path)
    {
        try
        {
            return Resolve(path);
        }
        catch (Exception e) when (Errors.IsIo(e) || e is ArgumentException)
        {
            throw Errors.Reading(path, e);
        }
    }

    private static string Resolve(string path)
    {
        string full = Path.GetFullPath(path);
        string resolved = Path.GetPathRoot(full)!;
        Stack<string> pending = new(Parts(full[resolved.Length..]));
        int links = 0;
        while (pending.TryPop(out string? part))
        {
            if (part is "." or "..")
            {
                resolved = part == "." ? resolved : Path.GetDirectoryName(resolved) ?? resolved;
                continue;
            }

            string next = Path.Combine(resolved, part);
            if (new FileInfo(next).LinkTarget is not string target)
            {
                resolved = next;
                continue;
            }

            if (++links > 40)
            {
                throw Errors.Rule("NE5002", path, "too many symbolic links", hint: "the links form a circle");
            }

            if (Path.IsPathRooted(target))
            {
                resolved = Path.GetPathRoot(target)!;
                target = target[resolved.Length..];
            }

            foreach (string step in Parts(target))
            {
                pending.Push(step);
            }
        }

        return resolved;
    }

    /// <summary>The path's parts, last first.</summary>
    private static IEnumerable<string> Parts(string path) =>
        path.Split([Path.DirectorySeparatorChar, Path.AltDirectorySeparatorChar], StringSplitOptions.RemoveEmptyEntries).Reverse();

    /// <summary>Snapshots in a Hugging Face cache are links: models--ORG--NAME/snapshots/COMMIT/FILE -> ../../blobs/HASH.</summary>
    private bool SharesBlobs(string target)
    {
        for (string? folder = real; folder is not null; folder = Path.GetDirectoryName(folder))
        {
            if (Path.GetFileName(folder).StartsWith("models--", StringComparison.Ordinal))
            {
                return Path.GetDirectoryName(target) == Path.Combine(folder, "blobs");
            }
        }

        return false;
    }
}
