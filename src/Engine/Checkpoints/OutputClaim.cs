using Microsoft.Win32.SafeHandles;

namespace NativeEngine.Checkpoints;

/// <summary>
/// The right to write an output: one process at a time has it, by a lock on a file beside the output, which the operating system lifts when the process
/// ends in whatever way. Whoever has it removes what an earlier process left half-built.
/// </summary>
internal sealed class OutputClaim : IDisposable
{
    private readonly FileStream held;
    private readonly List<string> createdParents;

    private OutputClaim(FileStream held, List<string> createdParents) => (this.held, this.createdParents) = (held, createdParents);

    /// <summary>
    /// Throws what beginning to write <paramref name="output"/> would throw, so that work of hours does not end with it, and keeps others away until it is
    /// disposed. Errors: NE11007 another process writes there, and those of <see cref="OutputFolder"/>.
    /// </summary>
    public static OutputClaim Take(string output, bool overwrite, string? input)
    {
        var disk = new Disk();
        new OutputFolder(output, overwrite, input, 0, disk).Dispose();
        string target = ModelFolder.RealPath(output), parent = Path.GetDirectoryName(target)!, name = Path.GetFileName(target);
        List<string> created = OutputFolder.CreateParents(disk, parent);
        try
        {
            FileStream held = Lock(Path.Combine(parent, $".{name}.lock"));
            foreach (string partial in Directory.GetDirectories(parent).Where(folder => Path.GetFileName(folder).StartsWith($".{name}.partial-", StringComparison.Ordinal)))
            {
                Disk.Discard(partial, recursive: true);
            }

            return new OutputClaim(held, created);
        }
        catch
        {
            Discard(created);
            throw;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        held.Dispose();
        Discard(createdParents);
    }

    private static FileStream Lock(string path)
    {
        while (true)
        {
            try
            {
                FileStream held = new(path, new FileStreamOptions
                {
                    Mode = FileMode.OpenOrCreate,
                    Access = FileAccess.ReadWrite,
                    Share = FileShare.None,
                    Options = FileOptions.DeleteOnClose,
                });

                // The file may be the one that its last owner has just deleted.
                if (File.Exists(path))
                {
                    held.SetLength(0);
                    held.Write(System.Text.Encoding.UTF8.GetBytes(FormattableString.Invariant($"process {Environment.ProcessId} on {Environment.MachineName}\n")));
                    held.Flush();
                    return held;
                }

                held.Dispose();
            }
            catch (IOException e) when (IsHeld(e))
            {
                throw Errors.Rule("NE11007", path, "another process is writing this output", found: Owner(path), hint: "wait for it, or name another folder");
            }
            catch (Exception e) when (Errors.IsIo(e))
            {
                throw Errors.Writing(path, e);
            }
        }
    }

    /// <summary>EWOULDBLOCK of flock on Linux and on macOS, ERROR_SHARING_VIOLATION on Windows.</summary>
    private static bool IsHeld(IOException e) => e.HResult is 11 or 35 or unchecked((int)0x80070020);

    /// <summary>What the owner wrote; null where that cannot be read, as on Windows.</summary>
    private static string? Owner(string path)
    {
        if (OperatingSystem.IsWindows())
        {
            return null;
        }

        try
        {
            // .NET would ask for the lock to read as well.
            using SafeFileHandle file = new(Posix.open(path, flags: 0), ownsHandle: true);
            using StreamReader reader = new(new FileStream(file, FileAccess.Read));
            return reader.ReadLine();
        }
        catch (Exception e) when (Errors.IsIo(e) || e is ArgumentException)
        {
            return null;
        }
    }

    private static void Discard(IEnumerable<string> created)
    {
        foreach (string folder in created.Reverse())
        {
            Disk.Discard(folder, recursive: false);
        }
    }
}
