namespace NativeEngine;

/// <summary>Tells what the operating system answers when there is no room: a full disk, a full quota, the limit of a file's size.</summary>
public static class DiskSpace
{
    /// <summary>The <see cref="Exception.HResult"/> of an I/O error that means a full disk: ENOSPC.</summary>
    public const int Full = 28;

    /// <summary>
    /// ENOSPC, EFBIG, EDQUOT of Linux and macOS; ERROR_HANDLE_DISK_FULL, ERROR_DISK_FULL, ERROR_DISK_QUOTA_EXCEEDED of Windows. For
    /// EFBIG .NET throws an argument exception, which has nothing to tell it by but where it comes from.
    /// </summary>
    public static bool IsLacking(Exception e) => e switch
    {
        ArgumentOutOfRangeException => e.StackTrace?.Contains("at System.IO.RandomAccess.Write", StringComparison.Ordinal) == true,
        not IOException => false,
        _ when OperatingSystem.IsWindows() => (e.HResult & 0xFFFF) is 39 or 112 or 1295 || e.HResult == Full,
        _ => e.HResult is Full or 27 || e.HResult == (OperatingSystem.IsMacOS() ? 69 : 122),
    };
}
