using System.Text;

namespace NativeEngine.Checkpoints;

/// <summary>Builds this folder's errors, so that every message reads alike: file, tensor, rule, found, allowed, what to do.</summary>
internal static class Errors
{
    /// <summary>A rule that <paramref name="file"/> breaks; <paramref name="key"/> is untrusted text.</summary>
    public static EngineException Rule(
        string code, string file, string rule, string? key = null, string? expected = null, string? found = null, string? hint = null, Exception? inner = null)
    {
        var message = new StringBuilder(file).Append(": ");
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
        Rule("NE5002", path, $"cannot be read: {e.Message}", hint: "check that the path exists and that you may read it", inner: e);
}
