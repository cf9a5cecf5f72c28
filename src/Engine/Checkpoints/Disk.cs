using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace NativeEngine.Checkpoints;

/// <summary>
/// The file operations behind a durable write. Each fails with NE5010, or NE6002 when the device, the quota or the file size
/// limit is full. <paramref name="before"/> is called in front of each, so that a test can make any of them fail.
/// </summary>
internal sealed class Disk(Action<string>? before = null)
{
    /// <summary>How much of a file to hold at once: not so much that it is a large object, because a few of those start a garbage collection.</summary>
    public const int BlockBytes = 1 << 16;

    private const int PreallocationFailed = unchecked((int)0x80131620);

    /// <summary>False where folders cannot be exchanged in one step; a test clears it to take the other path.</summary>
    public bool CanExchange { get; init; } = OperatingSystem.IsLinux();

    /// <summary>Bytes that may still be written below an existing folder.</summary>
    public long FreeBytes(string folder) => Guard("free", folder, () =>
        new DriveInfo(OperatingSystem.IsWindows() ? Path.GetPathRoot(folder)! : folder).AvailableFreeSpace);

    /// <summary>Creates one folder whose parent exists, and makes its name durable.</summary>
    public void CreateFolder(string path)
    {
        Guard("mkdir", path, () => Directory.CreateDirectory(path));
        FlushFolder(Path.GetDirectoryName(path)!);
    }

    /// <summary>Creates a file that must not exist and reserves room for <paramref name="bytes"/> bytes, so that a full disk is noticed now.</summary>
    public SafeFileHandle Create(string path, long bytes) => Guard("create", path, () =>
    {
        try
        {
            return File.OpenHandle(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete, FileOptions.None, bytes);
        }
        catch (IOException e) when (e.HResult == PreallocationFailed)
        {
            throw new IOException(e.Message, DiskSpace.Full);
        }
    });

    /// <summary>Writes all bytes at <paramref name="offset"/>.</summary>
    public void Write(SafeFileHandle file, string path, long offset, ReadOnlySpan<byte> bytes)
    {
        try
        {
            before?.Invoke("write");
            RandomAccess.Write(file, bytes, offset);
        }
        catch (Exception e) when (Errors.IsIo(e))
        {
            throw Errors.Writing(path, e);
        }
    }

    /// <summary>Makes a file's content durable. A failure is final: the file must not be used.</summary>
    public void Flush(SafeFileHandle file, string path) => Guard("fsync", path, () =>
    {
        RandomAccess.FlushToDisk(file);
        return 0;
    });

    /// <summary>Makes the names in a folder durable. Windows has no such call.</summary>
    public void FlushFolder(string path) => Guard("fsync folder", path, () =>
    {
        if (OperatingSystem.IsWindows())
        {
            return 0;
        }

        int fd = Checked(Posix.open(path, flags: 0));
        int failed = Posix.fsync(fd) < 0 ? Marshal.GetLastPInvokeError() : 0;
        _ = Posix.close(fd);

        // EINVAL: this file system cannot sync folders.
        return failed is 0 or Posix.EINVAL ? 0 : throw Failure(failed);
    });

    /// <summary>Renames a folder; the new name must be free.</summary>
    public void Rename(string from, string to) => Guard("rename", to, () =>
    {
        Directory.Move(from, to);
        return 0;
    });

    /// <summary>Renames a file over another one, or to a free name, in one step.</summary>
    public void Replace(string from, string to) => Guard("replace", to, () =>
    {
        File.Move(from, to, overwrite: true);
        return 0;
    });

    /// <summary>Lets two folders trade names in one step that no crash can split; false where that cannot be done.</summary>
    public bool TryExchange(string a, string b) => CanExchange && Guard("exchange", b, () =>
    {
        try
        {
            return Posix.renameat2(Posix.AT_FDCWD, a, Posix.AT_FDCWD, b, Posix.RENAME_EXCHANGE) == 0;
        }
        catch (EntryPointNotFoundException)
        {
            return false;
        }
    });

    /// <summary>Removes a folder, empty or with all in it, as far as that is possible: what stays is rubbish, not an error.</summary>
    public static void Discard(string path, bool recursive)
    {
        try
        {
            Directory.Delete(path, recursive);
        }
        catch (Exception e) when (Errors.IsIo(e))
        {
        }
    }

    private T Guard<T>(string operation, string path, Func<T> work)
    {
        try
        {
            before?.Invoke(operation);
            return work();
        }
        catch (Exception e) when (Errors.IsIo(e))
        {
            throw Errors.Writing(path, e);
        }
    }

    private static int Checked(int result) => result < 0 ? throw Failure(Marshal.GetLastPInvokeError()) : result;

    private static IOException Failure(int errno) => new(Marshal.GetPInvokeErrorMessage(errno), errno);
}
