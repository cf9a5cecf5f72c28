namespace NativeEngine.Checkpoints;

/// <summary>Builds this folder's errors, so that every one has its facts: file, tensor, rule, found, allowed, what to do.</summary>
internal static class Errors
{
    /// <summary>A rule that <paramref name="file"/> breaks. The message is the rule alone; the facts are properties, as they are: whoever prints them escapes them.</summary>
    public static EngineException Rule(
        string code, string file, string rule, string? key = null, string? expected = null, string? found = null, string? hint = null, Exception? inner = null) =>
        new(code, rule, inner) { File = file, Key = key, Expected = expected, Found = found, Hint = hint };

    /// <summary>True for what the operating system can answer to a file operation.</summary>
    public static bool IsIo(Exception e) => e is IOException or UnauthorizedAccessException or NotSupportedException || DiskSpace.IsLacking(e);

    /// <summary>A file or folder that cannot be opened or read: NE5004 when it is not there, else NE5002.</summary>
    public static EngineException Reading(string path, Exception e) => e is FileNotFoundException or DirectoryNotFoundException
        ? Rule("NE5004", path, "the file does not exist", hint: "check the path", inner: e)
        : Rule("NE5002", path, $"cannot be read: {Reason(path, e)}", hint: "check that you may read it", inner: e);

    /// <summary>A folder where a file is to be read: NE5002.</summary>
    public static EngineException IsFolder(string path, Exception? e = null) =>
        Rule("NE5002", path, "is a folder, not a file", hint: "name a file", inner: e);

    /// <summary>A file or folder that cannot be written: NE6002 when room is what lacks, else NE5010.</summary>
    public static EngineException Writing(string path, Exception e) => DiskSpace.IsLacking(e)
        ? Rule("NE6002", path, $"no room to write: {Reason(path, e)}", hint: "free space, raise the quota or the file size limit, or write to another disk", inner: e)
        : Rule("NE5010", path, $"cannot be written: {Reason(path, e)}", hint: "check that you may write there", inner: e);

    /// <summary>What the operating system says, without the path, which the error has already.</summary>
    private static string Reason(string path, Exception e) =>
        e.Message.Replace($" '{path}'", "", StringComparison.Ordinal).Replace($" '{Path.GetFullPath(path)}'", "", StringComparison.Ordinal);
}
