using NativeEngine.Checkpoints;
using NativeEngine.Testing;

namespace NativeEngine.Tests.Checkpoints;

/// <summary>Token windows: which tensor, which types, which values.</summary>
public sealed class TokenFileTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("a.safetensors", true, "a.safetensors", "tokens", null)]
    [InlineData("a.safetensors:ids", true, "a.safetensors", "ids", null)]
    [InlineData("a.safetensors:ids:mask", true, "a.safetensors", "ids", "mask")]
    [InlineData("C:\\a.safetensors::mask", true, "C:\\a.safetensors", "tokens", "mask")]
    [InlineData("a.safetensors:ids:m:n", true, "a.safetensors", "ids", "m:n")]
    [InlineData("a.txt", false, "a.txt", "tokens", null)]
    [InlineData("a.safetensors.txt", false, "a.safetensors.txt", "tokens", null)]
    public void A_source_is_taken_apart(string source, bool isTokens, string path, string name, string? mask)
    {
        Assert.Equal(isTokens, TokenFile.TryParse(source, out string foundPath, out string foundName, out string? foundMask));
        Assert.Equal((path, name, mask), (foundPath, foundName, foundMask));
    }

    [Fact]
    public void Ids_of_either_width_and_their_mask_are_read()
    {
        string path = Write(
            ("tokens", "I64", "[2,3]", [.. Long(1), .. Long(2), .. Long(3), .. Long(4), .. Long(5), .. Long(int.MaxValue)]),
            ("narrow", "I32", "[3,1]", [.. Int(7), .. Int(0), .. Int(9)]),
            ("attention_mask", "I32", "[2,3]", [.. Int(1), .. Int(1), .. Int(0), .. Int(0), .. Int(1), .. Int(1)]));

        TokenWindows wide = TokenFile.Read(path);
        Assert.Equal([1, 2, 3, 4, 5, int.MaxValue], wide.Ids);
        Assert.Equal([1, 1, 0, 0, 1, 1], wide.Mask!);
        Assert.Equal((2, 3), (wide.Rows, wide.Width));

        Assert.Equal("NE3164", Assert.Throws<EngineException>(() => TokenFile.Read(path, "narrow")).Code);
    }

    [Fact]
    public void Without_a_mask_there_is_none()
    {
        TokenWindows windows = TokenFile.Read(Write(("ids", "I32", "[3,1]", [.. Int(7), .. Int(0), .. Int(9)])), "ids");
        Assert.Equal([7, 0, 9], windows.Ids);
        Assert.Null(windows.Mask);
    }

    [Theory]
    [InlineData("none", null, "NE3160", "'ids', 'flat', 'real', 'bytes', 'huge', 'negative', 'mask', 'two'")]
    [InlineData("ids", "none", "NE3160", "no such tensor")]
    [InlineData("real", null, "NE3161", "F32")]
    [InlineData("bytes", null, "NE3161", "found dtype U8")]
    [InlineData("flat", null, "NE3162", "found (2)")]
    [InlineData("huge", null, "NE3163", "row 0, column 1; found 2147483648")]
    [InlineData("negative", null, "NE3163", "row 1, column 0; found -1")]
    [InlineData("ids", "mask", "NE3164", "another shape")]
    [InlineData("ids", "two", "NE3165", "found 2")]
    public void What_are_no_tokens_is_refused(string name, string? mask, string code, string says)
    {
        string path = Write(
            ("ids", "I32", "[2,1]", [.. Int(1), .. Int(2)]),
            ("flat", "I32", "[2]", [.. Int(1), .. Int(2)]),
            ("real", "F32", "[1,1]", Int(0)),
            ("bytes", "U8", "[1,1]", [1]),
            ("huge", "I64", "[1,2]", [.. Long(0), .. Long(1L << 31)]),
            ("negative", "I32", "[2,1]", [.. Int(0), .. Int(-1)]),
            ("mask", "I32", "[1,2]", [.. Int(1), .. Int(1)]),
            ("two", "I32", "[2,1]", [.. Int(1), .. Int(2)]));

        var e = Assert.Throws<EngineException>(() => TokenFile.Read(path, name, mask));

        Assert.Equal((code, ExitCode.InvalidInput, path, mask ?? name), (e.Code, e.Exit, e.File, e.Key));
        foreach (string word in says.Split(", "))
        {
            Assert.Contains(word, $"{e.Message}; found {e.Found}; expected {e.Expected}", StringComparison.Ordinal);
        }
    }

    [SkippableFact]
    public void Golden_tokens_are_read()
    {
        TokenWindows windows = TokenFile.Read(Shared.Path("golden", "slicegpt", "tokens-spm.safetensors"), "eval_ids");
        Assert.Equal((1581, 256, 1581 * 256), (windows.Rows, windows.Width, windows.Ids.Length));
        Assert.All(windows.Ids, id => Assert.InRange(id, 0, 4095));
    }

    private string Write(params (string Name, string DType, string Shape, byte[] Data)[] tensors)
    {
        List<string> entries = [];
        List<byte> data = [];
        foreach ((string name, string dtype, string shape, byte[] bytes) in tensors)
        {
            entries.Add($$"""{{'"'}}{{name}}":{"dtype":"{{dtype}}","shape":{{shape}},"data_offsets":[{{data.Count}},{{data.Count + bytes.Length}}]}""");
            data.AddRange(bytes);
        }

        byte[] file = RawFile.Make($"{{{string.Join(',', entries)}}}", data.Count);
        data.CopyTo(file, file.Length - data.Count);
        return folder.Write("t.safetensors", file);
    }

    private static byte[] Int(int value) => BitConverter.GetBytes(value);

    private static byte[] Long(long value) => BitConverter.GetBytes(value);
}
