namespace NativeEngine.Text;

/// <summary>Errors about text, worded in one place.</summary>
internal static class TextFault
{
    public static EngineException NotUtf8(string? file, long offset, byte found) => new("NE3151", $"the text is not valid UTF-8 at byte {offset}")
    {
        File = file,
        Key = "text",
        Found = $"byte 0x{found:X2} at offset {offset}",
        Expected = "UTF-8",
        Hint = "convert the file, e.g. iconv -f LATIN1 -t UTF-8",
    };
}
