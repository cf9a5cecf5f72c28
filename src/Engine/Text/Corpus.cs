using System.Text;

namespace NativeEngine.Text;

/// <summary>Reads text input.</summary>
public static class Corpus
{
    /// <summary>A whole UTF-8 file as one string; a byte-order mark stays in.</summary>
    /// <exception cref="EngineException">NE3151: not UTF-8</exception>
    internal static string ReadText(string path)
    {
        byte[] bytes = File.ReadAllBytes(path);
        int invalid = Utf8.FirstInvalid(bytes);
        return invalid < 0 ? Encoding.UTF8.GetString(bytes) : throw TextFault.NotUtf8(path, invalid, bytes[invalid]);
    }
}
