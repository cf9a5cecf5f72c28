using System.Text;
using System.Text.Json;

namespace NativeEngine.Checkpoints;

/// <summary>Builds this folder's errors, so that every message reads alike: file, tensor, rule, found, allowed, what to do.</summary>
internal static class Errors
{
    /// <summary>The <see cref="Exception.HResult"/> of an I/O error that means a full disk: ENOSPC.</summary>
    public const int DiskFull = 28;

    /// <summary>A rule that <paramref name="file"/> breaks. Path and <paramref name="key"/> may be untrusted; the other texts are printed as they are.</summary>
    public static EngineException Rule(
        string code, string file, string rule, string? key = null, string? expected = null, string? found = null, string? hint = null, Exception? inner = null)
    {
        var message = new StringBuilder(Untrusted.Escape(file)).Append(": ");
        if (key is not null)
        {
            message.Append(Untrusted.Quote(key)).Append(": ");
        }

        message.Append(rule);
        if (found is not null)
        {
            message.Append("; found ").Append(found);
        }

        if (expected is not null)
        {
            message.Append(found is null ? "; expected " : ", expected ").Append(expected);
        }

        return new EngineException(code, message.ToString(), inner) { File = file, Key = key, Expected = expected, Found = found, Hint = hint };
    }

    /// <summary>True for what the operating system can answer to a file operation.</summary>
    public static bool IsIo(Exception e) => e is IOException or UnauthorizedAccessException or NotSupportedException;

    /// <summary>A file or folder that cannot be opened or read.</summary>
    public static EngineException Reading(string path, Exception e) =>
        Rule("NE5002", path, $"cannot be read: {Untrusted.Escape(e.Message)}", hint: "check that the path exists and that you may read it", inner: e);

    /// <summary>Parses a JSON file of this folder; <paramref name="code"/> is the error for one that is not what it should be. Errors: also NE5002.</summary>
    public static JsonDocument ReadJson(string path, string code)
    {
        try
        {
            return StrictJson.ReadFile(path, code);
        }
        catch (Exception e) when (IsIo(e))
        {
            throw Reading(path, e);
        }
    }

    /// <summary>A file or folder that cannot be written: NE6002 when room is what lacks, else NE5010.</summary>
    public static EngineException Writing(string path, Exception e) => LacksRoom(e)
        ? Rule("NE6002", path, $"no room to write: {Untrusted.Escape(e.Message)}", hint: "free space, raise the quota or the file size limit, or write to another disk", inner: e)
        : Rule("NE5010", path, $"cannot be written: {Untrusted.Escape(e.Message)}", hint: "check that you may write there", inner: e);

    /// <summary>ENOSPC, EFBIG, EDQUOT of Linux and macOS; ERROR_HANDLE_DISK_FULL, ERROR_DISK_FULL, ERROR_DISK_QUOTA_EXCEEDED of Windows.</summary>
    private static bool LacksRoom(Exception e) => e is IOException
        && (OperatingSystem.IsWindows()
            ? (e.HResult & 0xFFFF) is 39 or 112 or 1295 || e.HResult == DiskFull
            : e.HResult is DiskFull or 27 || e.HResult == (OperatingSystem.IsMacOS() ? 69 : 122));
}
