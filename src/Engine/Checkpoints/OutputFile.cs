using Microsoft.Win32.SafeHandles;

namespace NativeEngine.Checkpoints;

/// <summary>A small file that appears whole or not at all: it is written beside its final place, made durable, and renamed.</summary>
internal static class OutputFile
{
    /// <summary>Throws what writing <paramref name="path"/> would throw, and leaves nothing: for work that is long before its content is known.</summary>
    public static void Check(string path, bool overwrite)
    {
        CheckTarget(path, overwrite);
        string partial = Partial(path);
        new Disk().Create(partial, 0).Dispose();
        File.Delete(partial);
    }

    /// <summary>Writes <paramref name="content"/>. Errors: NE11006 the file exists and may not be replaced, NE5010, NE6002.</summary>
    public static void Write(string path, bool overwrite, ReadOnlySpan<byte> content)
    {
        CheckTarget(path, overwrite);
        Disk disk = new();
        string partial = Partial(path);
        SafeFileHandle file = disk.Create(partial, content.Length);
        try
        {
            using (file)
            {
                disk.Write(file, path, 0, content);
                disk.Flush(file, path);
            }

            disk.Replace(partial, path);
        }
        catch
        {
            File.Delete(partial);
            throw;
        }

        disk.FlushFolder(Path.GetDirectoryName(Path.GetFullPath(path))!);
    }

    private static void CheckTarget(string path, bool overwrite)
    {
        if (Directory.Exists(path) || (File.Exists(path) && !overwrite))
        {
            throw Errors.Rule("NE11006", path, "the file to write exists", found: Directory.Exists(path) ? "a folder" : null,
                hint: "name a new file, or pass --overwrite to replace one");
        }
    }

    private static string Partial(string path)
    {
        string full = Path.GetFullPath(path);
        return Path.Combine(Path.GetDirectoryName(full) ?? full, $".{Path.GetFileName(full)}.partial-{Environment.ProcessId}-{Random.Shared.Next():x8}");
    }
}
