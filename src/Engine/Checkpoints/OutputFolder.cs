namespace NativeEngine.Checkpoints;

/// <summary>
/// A folder that appears whole or not at all. It is built beside its final place as <c>.NAME.partial-ID</c>; <see cref="Commit"/>
/// makes it durable and renames it; without a commit, <see cref="Dispose"/> leaves nothing behind.
/// </summary>
internal sealed class OutputFolder : IDisposable
{
    private readonly Disk disk;
    private readonly string target, parent, partial;
    private readonly bool overwrite;
    private readonly List<string> createdParents = [];
    private bool committed;

    /// <summary>
    /// Checks that <paramref name="output"/> may be written, and begins to build it. Errors: NE11001 it exists, NE11002 it is a
    /// file, NE11003 replacing it would remove more than a checkpoint, NE11004 it is or touches <paramref name="input"/>,
    /// NE6001 less than <paramref name="bytes"/> free, NE5010 and NE6002 I/O.
    /// </summary>
    public OutputFolder(string output, bool overwrite, string? input, long bytes, Disk disk)
    {
        (this.disk, this.overwrite) = (disk, overwrite);
        target = ModelFolder.RealPath(output);
        parent = Path.GetDirectoryName(target) ?? throw Errors.Rule("NE11003", output, "is the root of a file system", hint: "name a new folder");
        partial = Sibling("partial");
        CheckInput(input);
        CheckTarget();
        CheckSpace(bytes);
        try
        {
            createdParents = CreateParents(disk, parent);
            disk.CreateFolder(partial);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Where the files are: the partial folder, the output once committed.</summary>
    public string Location => committed ? target : partial;

    /// <summary>Creates the folders down to <paramref name="parent"/> that do not exist, and returns them, outermost first; those of a failure are removed.</summary>
    public static List<string> CreateParents(Disk disk, string parent)
    {
        Stack<string> missing = [];
        for (string? folder = parent; folder is not null && !Directory.Exists(folder); folder = Path.GetDirectoryName(folder))
        {
            missing.Push(folder);
        }

        List<string> created = [];
        try
        {
            foreach (string folder in missing)
            {
                created.Add(folder);
                disk.CreateFolder(folder);
            }

            return created;
        }
        catch
        {
            foreach (string folder in Enumerable.Reverse(created))
            {
                Disk.Discard(folder, recursive: false);
            }

            throw;
        }
    }

    /// <summary>Throws NE11004 when the output is <paramref name="input"/>, lies in it, or holds it.</summary>
    public void CheckInput(string? input)
    {
        if (input is null)
        {
            return;
        }

        string real = ModelFolder.RealPath(input);
        if (ModelFolder.Encloses(real, target) || ModelFolder.Encloses(target, real))
        {
            throw Errors.Rule("NE11004", target, "the output is, holds or lies in the input folder, which is never touched", found: real, hint: "name a folder beside it");
        }
    }

    /// <summary>Makes the folder durable and gives it its name; an old folder of that name is removed only after that.</summary>
    public void Commit()
    {
        disk.FlushFolder(partial);
        CheckTarget();
        bool replace = Directory.Exists(target);
        Install(replace);
        try
        {
            disk.FlushFolder(parent);
        }
        catch
        {
            Uninstall(replace);
            throw;
        }

        committed = true;
        if (replace)
        {
            Disk.Discard(partial, recursive: true);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (committed)
        {
            return;
        }

        Disk.Discard(partial, recursive: true);
        foreach (string folder in Enumerable.Reverse(createdParents))
        {
            Disk.Discard(folder, recursive: false);
        }
    }

    private void Install(bool replace)
    {
        if (replace)
        {
            Exchange();
        }
        else
        {
            disk.Rename(partial, target);
        }
    }

    private void Uninstall(bool replaced)
    {
        if (replaced)
        {
            Exchange();
        }
        else
        {
            disk.Rename(target, partial);
        }
    }

    /// <summary>Target and partial trade places. Where that takes three steps, a failed step undoes those before it.</summary>
    private void Exchange()
    {
        if (disk.TryExchange(partial, target))
        {
            return;
        }

        string aside = Sibling("replaced");
        disk.Rename(target, aside);
        try
        {
            disk.Rename(partial, target);
        }
        catch
        {
            disk.Rename(aside, target);
            throw;
        }

        try
        {
            disk.Rename(aside, partial);
        }
        catch
        {
            disk.Rename(target, partial);
            disk.Rename(aside, target);
            throw;
        }
    }

    private void CheckTarget()
    {
        if (File.Exists(target))
        {
            throw Errors.Rule("NE11002", target, "the output exists and is a file", hint: "name a new folder");
        }

        if (!Directory.Exists(target))
        {
            return;
        }

        if (!overwrite)
        {
            throw Errors.Rule("NE11001", target, "the output exists", hint: "name a new folder, or pass --overwrite to replace it");
        }

        if (Stranger() is string stranger)
        {
            throw Errors.Rule("NE11003", target, "the output to replace holds something that no earlier run wrote", found: Untrusted.Quote(stranger),
                hint: "name a new folder, or remove this one yourself");
        }
    }

    /// <summary>The first thing in the target that its manifest does not list; null when replacing it loses nothing else.</summary>
    private string? Stranger()
    {
        try
        {
            HashSet<string> ours = [.. Manifest.ListedIn(target)];
            return Directory.EnumerateFileSystemEntries(target).Select(entry => Path.GetFileName(entry)).Order(StringComparer.Ordinal)
                .FirstOrDefault(name => !ours.Contains(name) || Directory.Exists(Path.Combine(target, name)));
        }
        catch (Exception e) when (Errors.IsIo(e))
        {
            throw Errors.Reading(target, e);
        }
    }

    private void CheckSpace(long bytes)
    {
        string existing = parent;
        while (!Directory.Exists(existing) && Path.GetDirectoryName(existing) is string above)
        {
            existing = above;
        }

        long free = disk.FreeBytes(existing);
        if (free < bytes)
        {
            throw Errors.Rule("NE6001", target, "not enough free space for the output", expected: $"{bytes} bytes", found: $"{free} bytes free",
                hint: "free space or write to another disk");
        }
    }

    private string Sibling(string kind) => Path.Combine(parent, $".{Path.GetFileName(target)}.{kind}-{Environment.ProcessId}-{Random.Shared.Next():x8}");
}
