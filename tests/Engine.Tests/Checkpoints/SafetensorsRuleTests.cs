using System.Text;
using NativeEngine.Checkpoints;
using NativeEngine.Kernels;
using NativeEngine.Kernels.Cpu;

namespace NativeEngine.Tests.Checkpoints;

/// <summary>One hostile file per rule of the format, and what the format allows although it looks odd.</summary>
public sealed class SafetensorsRuleTests : IDisposable
{
    private const string Good = """{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""";

    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    /// <summary>Rule code, words of the message or the facts, file.</summary>
    private static readonly (string Code, string Says, byte[] File)[] Hostile =
    [
        ("NE3001", "too short", []),
        ("NE3001", "found 7 bytes", new byte[7]),
        ("NE3002", "header length is too small", RawFile.Make(0, [], 0)),
        ("NE3002", "found 1 bytes", RawFile.Make(1, "{}"u8.ToArray(), 0)),
        ("NE3003", "over the limit", RawFile.Make(100_000_001, "{}"u8.ToArray(), 0)),
        ("NE3003", "found 9223372036854775808 bytes", RawFile.Make(1UL << 63, "{}"u8.ToArray(), 0)),
        ("NE3003", "found 18446744073709551615 bytes", RawFile.Make(ulong.MaxValue, "{}"u8.ToArray(), 0)),
        ("NE3004", "more than the file holds", RawFile.Make(3, "{}"u8.ToArray(), 0)),
        ("NE3004", "found 100000000 bytes", RawFile.Make(100_000_000, "{}"u8.ToArray(), 0)),
        ("NE3005", "not valid UTF-8", RawFile.Make([(byte)'{', (byte)'"', 0xFF, (byte)'"', (byte)':', (byte)'}'], 0)),
        ("NE3006", "does not start with '{'", RawFile.Make(" " + Good, 8)),
        ("NE3006", "does not start with '{'", RawFile.Make("[]", 0)),
        ("NE3006", "does not start with '{'", RawFile.Make("\uFEFF{}", 0)),
        ("NE3007", "other than spaces", RawFile.Make(Good + "\n", 8)),
        ("NE3007", "found byte 0x00", RawFile.Make(Good + "  \0", 8)),
        ("NE3007", "other than spaces", RawFile.Make(Good + Good, 8)),
        ("NE3008", "not valid JSON", RawFile.Make("{\"w\"", 0)),
        ("NE3008", "not valid JSON", RawFile.Make("{,}", 0)),
        ("NE3008", "not valid JSON", RawFile.Make("{/*comment*/}", 0)),
        ("NE3008", "not valid JSON", RawFile.Make(Good[..^1], 8)),
        ("NE3008", "not valid JSON", RawFile.Make(Good[..^1] + ",}", 8)),
        ("NE3008", "not valid JSON", RawFile.Make("""{"\ud800":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 8)),
        ("NE3008", "not valid JSON", Entry("""{"dtype":"F32","shape":[NaN],"data_offsets":[0,8]}""")),
        ("NE3009", "nests deeper than three levels", Entry("""{"dtype":"F32","shape":[[2]],"data_offsets":[0,8]}""")),
        ("NE3009", "nests deeper than three levels", Entry("{\"shape\":" + new string('[', 100_000))),
        ("NE3010", "duplicate key in the header; key w;", RawFile.Make(Good[..^1] + "," + Good[1..], 8)),
        ("NE3010", "duplicate key in the header; key w;", RawFile.Make(Good[..^1] + "," + Good[1..].Replace("\"w\"", "\"\\u0077\"", StringComparison.Ordinal), 8)),
        ("NE3010", "duplicate key 'shape'", Entry("""{"dtype":"F32","shape":[2],"data_offsets":[0,8],"shape":[2]}""")),
        ("NE3010", "duplicate key 'dtype'", Entry("""{"dtype":"F32","shape":[2],"data_offsets":[0,8],"\u0064type":"U8"}""")),
        ("NE3010", "duplicate key in the header; key __metadata__;", RawFile.Make("""{"__metadata__":{},"__metadata__":{}}""", 0)),
        ("NE3010", "duplicate key in the header; key format;", RawFile.Make("""{"__metadata__":{"format":"pt","format":"np"}}""", 0)),
        ("NE3011", "not an object", Entry("[]")),
        ("NE3011", "unknown key 'strides'", Entry("""{"dtype":"F32","shape":[2],"strides":[1],"data_offsets":[0,8]}""")),
        ("NE3011", "lacks its dtype", Entry("""{"shape":[2],"data_offsets":[0,8]}""")),
        ("NE3011", "lacks its shape", Entry("""{"dtype":"F32","data_offsets":[0,8]}""")),
        ("NE3011", "lacks its two data_offsets", Entry("""{"dtype":"F32","shape":[2]}""")),
        ("NE3011", "lacks its two data_offsets", Entry("""{"dtype":"F32","shape":[2],"data_offsets":[0]}""")),
        ("NE3011", "data_offsets has two integers", Entry("""{"dtype":"F32","shape":[2],"data_offsets":[0,8,8]}""")),
        ("NE3011", "dtype is not a string", Entry("""{"dtype":32,"shape":[2],"data_offsets":[0,8]}""")),
        ("NE3011", "shape is not an array", Entry("""{"dtype":"F32","shape":2,"data_offsets":[0,8]}""")),
        ("NE3012", "found '2.0'", Entry("""{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}""")),
        ("NE3012", "found '1e3'", Entry("""{"dtype":"F32","shape":[1e3],"data_offsets":[0,8]}""")),
        ("NE3012", "found '-2'", Entry("""{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}""")),
        ("NE3012", "found '-0'", Entry("""{"dtype":"F32","shape":[2],"data_offsets":[-0,8]}""")),
        ("NE3012", "found '9223372036854775808'", Entry("""{"dtype":"F32","shape":[9223372036854775808],"data_offsets":[0,8]}""")),
        ("NE3012", "found '2'", Entry("""{"dtype":"F32","shape":["2"],"data_offsets":[0,8]}""")),
        ("NE3013", "unknown dtype 'Q4_0'", Entry("""{"dtype":"Q4_0","shape":[2],"data_offsets":[0,8]}""")),
        ("NE3014", "overflows", Entry("""{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,8]}""")),
        ("NE3014", "overflows", Entry("""{"dtype":"F32","shape":[4611686018427387904,4,0],"data_offsets":[0,0]}""")),
        ("NE3015", "another size than shape and dtype give", Entry("""{"dtype":"F32","shape":[3],"data_offsets":[0,8]}""")),
        ("NE3015", "another size than shape and dtype give", Entry("""{"dtype":"F64","shape":[2],"data_offsets":[0,8]}""")),
        ("NE3016", "end before they begin", Entry("""{"dtype":"F32","shape":[2],"data_offsets":[8,0]}""")),
        ("NE3017", "overlaps", RawFile.Make(Good[..^1] + ""","v":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}""", 12)),
        ("NE3017", "overlaps", RawFile.Make(Good[..^1] + ""","v":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 8)),
        ("NE3017", "overlaps", RawFile.Make(Good[..^1] + ""","v":{"dtype":"F32","shape":[0],"data_offsets":[4,4]}}""", 8)),
        ("NE3018", "hole", RawFile.Make(Good[..^1] + ""","v":{"dtype":"F32","shape":[2],"data_offsets":[9,17]}}""", 17)),
        ("NE3018", "hole", Entry("""{"dtype":"F32","shape":[2],"data_offsets":[4,12]}""")),
        ("NE3019", "truncated", RawFile.Make(Good, 7)),
        ("NE3019", "bytes follow the last tensor", RawFile.Make(Good, 9)),
        ("NE3019", "bytes follow the last tensor", RawFile.Make("{}", 1)),
        ("NE3021", "name is too long", RawFile.Vectors(new string('n', 513))),
        ("NE3021", "name is too long", RawFile.Vectors(new string('\u00E9', 257))),
        ("NE3022", "at most 8 extents", Entry("""{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,2],"data_offsets":[0,8]}""")),
        ("NE3023", "not an object of strings", RawFile.Make("""{"__metadata__":[]}""", 0)),
        ("NE3023", "'format' in __metadata__ is not a string", RawFile.Make("""{"__metadata__":{"format":1}}""", 0)),
        ("NE3024", "full byte", RawFile.Make("""{"w":{"dtype":"F4","shape":[3],"data_offsets":[0,1]}}""", 1)),
        ("NE4001", "pickle", [0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9]),
        ("NE4001", "pickle", [(byte)'P', (byte)'K', 3, 4, 0, 0, 8, 8, 0, 0]),
    ];

    public static TheoryData<int> HostileCases => [.. Enumerable.Range(0, Hostile.Length)];

    [Theory]
    [MemberData(nameof(HostileCases))]
    public void A_hostile_file_is_refused_by_the_rule_it_breaks(int index)
    {
        (string code, string says, byte[] bytes) = Hostile[index];
        string path = folder.Write("model.safetensors", bytes);

        var e = Assert.Throws<EngineException>(() => SafetensorsFile.Open(path));

        Assert.Equal(code, e.Code);
        Assert.Equal(code.StartsWith("NE4", StringComparison.Ordinal) ? ExitCode.Unsupported : ExitCode.InvalidInput, e.Exit);
        Assert.Contains(says, $"{e.Message}; key {e.Key}; found {e.Found}", StringComparison.Ordinal);
        Assert.DoesNotContain(path, e.Message, StringComparison.Ordinal);
        Assert.Equal(path, e.File);
        Assert.NotNull(e.Hint);
    }

    [Fact]
    public void An_invalid_file_costs_no_memory()
    {
        string path = folder.Write("model.safetensors", RawFile.Make(99_999_999, "{}"u8.ToArray(), 0));
        Assert.Throws<EngineException>(() => SafetensorsFile.Open(path));
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Throws<EngineException>(() => SafetensorsFile.Open(path));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 100_000);
    }

    [Fact]
    public void A_file_without_tensors_is_valid()
    {
        using SafetensorsFile file = SafetensorsFile.Open(folder.Write("x.safetensors", RawFile.Make("""{"__metadata__":{"format":"pt"}}  """, 0)));
        Assert.Empty(file.Tensors);
        Assert.Equal("pt", file.Metadata["format"]);
    }

    [Fact]
    public void Tensors_of_no_elements_may_share_an_offset()
    {
        const string empty = """{"dtype":"F32","shape":[0,5],"data_offsets":[0,0]}""";
        using SafetensorsFile file = SafetensorsFile.Open(folder.Write("x.safetensors", RawFile.Make($$"""{"a":{{empty}},"b":{{empty}},{{Good[1..]}}""", 8)));
        using var cpu = new CpuBackend(1);
        using Tensor none = cpu.Alloc(DType.F64, new Shape(0, 5));
        file.Read(cpu, file.Tensors["a"], none);
        Assert.Equal(0, file.Tensors["b"].Bytes);
    }

    [Fact]
    public void A_scalar_is_a_vector_of_one()
    {
        using SafetensorsFile file = SafetensorsFile.Open(folder.Write("x.safetensors", RawFile.Make("""{"w":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}""", 4)));
        Assert.Equal(new Shape(1), file.Tensors["w"].Shape);
    }

    [Theory]
    [InlineData("U8", "[8]", "dtype U8")]
    [InlineData("BOOL", "[2,4]", "dtype BOOL")]
    [InlineData("I16", "[4]", "dtype I16")]
    [InlineData("F8_E4M3", "[8]", "dtype F8_E4M3")]
    [InlineData("F4", "[16]", "dtype F4")]
    [InlineData("F32", "[1,1,1,1,2]", "rank 5")]
    [InlineData("F32", "[2,1,1,1,1,1,1,1]", "rank 8")]
    public void What_no_tensor_holds_opens_but_is_not_read(string dtype, string shape, string reason)
    {
        using SafetensorsFile file = SafetensorsFile.Open(folder.Write("x.safetensors", Entry($$"""{"dtype":"{{dtype}}","shape":{{shape}},"data_offsets":[0,8]}""")));
        TensorEntry entry = file.Tensors["w"];
        using var cpu = new CpuBackend(1);
        using Tensor destination = cpu.Alloc(DType.F32, entry.Shape);

        var e = Assert.Throws<EngineException>(() => file.Read(cpu, entry, destination));

        Assert.Equal(("NE4002", ExitCode.Unsupported, reason), (e.Code, e.Exit, entry.Unsupported));
        Assert.Contains(reason, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Hostile_names_reach_the_message_without_control_characters()
    {
        string path = folder.Write("x.safetensors", RawFile.Make("""{"\u001b[2J\u202e\n":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}""", 8));
        var e = Assert.Throws<EngineException>(() => SafetensorsFile.Open(path));
        Assert.Equal("\u001b[2J\u202e\n", e.Key);
        Assert.DoesNotContain(e.Message, char.IsControl);
    }

    [Fact]
    public void A_header_of_ten_megabytes_takes_little_memory()
    {
        var text = new StringBuilder("{");
        for (int i = 0; i < 100_000; i++)
        {
            text.Append($$"""{{(i == 0 ? "" : ",")}}"model.layers.{{i,6:D6}}.self_attn.q_proj.weight":{"dtype":"BF16","shape":[1],"data_offsets":[{{2 * i}},{{2 * i + 2}}]}""");
        }

        byte[] header = Encoding.UTF8.GetBytes(text.Append('}').ToString().PadRight(10_000_000));
        string path = folder.Write("x.safetensors", RawFile.Make(header, 200_000));

        long before = GC.GetAllocatedBytesForCurrentThread();
        using SafetensorsFile file = SafetensorsFile.Open(path);

        Assert.Equal(100_000, file.Tensors.Count);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 10L * header.Length);
    }

    [Fact]
    public void More_than_a_million_tensors_are_refused()
    {
        var text = new StringBuilder("{");
        for (int i = 0; i <= 1_000_000; i++)
        {
            text.Append($$"""{{(i == 0 ? "" : ",")}}"{{i}}":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}""");
        }

        string path = folder.Write("x.safetensors", RawFile.Make(text.Append('}').ToString(), 0));
        var e = Assert.Throws<EngineException>(() => SafetensorsFile.Open(path));
        Assert.Equal("NE3020", e.Code);
    }

    /// <summary>A file of eight bytes of data whose one tensor has this entry.</summary>
    private static byte[] Entry(string entry) => RawFile.Make($$"""{"w":{{entry}}}""", 8);
}
