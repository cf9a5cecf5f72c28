using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace NativeEngine.Checkpoints;

/// <summary>What files need from the C library and .NET does not offer. Paths are UTF-8; -1 is a failure, with errno as the last error.</summary>
internal static partial class Posix
{
    public const int EINVAL = 22;
    public const int AT_FDCWD = -100;
    public const uint RENAME_EXCHANGE = 2;
    public const int POSIX_FADV_WILLNEED = 3;

    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int open(string path, int flags);

    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    [LibraryImport("libc", SetLastError = true)]
    public static partial int fsync(int fd);

    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    [LibraryImport("libc", SetLastError = true)]
    public static partial int close(int fd);

    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int renameat2(int oldFolder, string oldPath, int newFolder, string newPath, uint flags);

    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    [LibraryImport("libc")]
    public static partial int posix_fadvise(SafeFileHandle fd, long offset, long length, int advice);
}
