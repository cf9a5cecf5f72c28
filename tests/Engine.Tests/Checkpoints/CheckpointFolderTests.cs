using System.Diagnostics;
using NativeEngine.Checkpoints;
using NativeEngine.Kernels;
using NativeEngine.Kernels.Cpu;
using NativeEngine.Testing;

namespace NativeEngine.Tests.Checkpoints;

/// <summary>Folders: single file, shards and index, links, pickles, and names that try to lead elsewhere.</summary>
public sealed class CheckpointFolderTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    public static TheoryData<string> HostileNames =>
    [
        "/etc/shadow.safetensors", "../canary.safetensors", "..\\canary.safetensors", "a/b.safetensors", "a\\b.safetensors", "./a.safetensors",
        "C:a.safetensors", "C:\\a.safetensors", "\\\\host\\share\\a.safetensors", "//host/share/a.safetensors", "a.safetensors:stream", "a.safetensors\\u0000",
        "\\u0000a.safetensors", "a\\u001b.safetensors", "a b.safetensors", "caf\\u00e9.safetensors", "a.safetensors ", "a.bin", "a.SAFETENSORS", "a", "", ".", "..",
        ".safetensors", "~/a.safetensors", "$HOME.safetensors", "NUL.safetensors", "com1.safetensors", "LPT9.x.safetensors", "%2e%2e%2fa.safetensors", "file:a.safetensors",
    ];

    [Theory]
    [MemberData(nameof(HostileNames))]
    public void A_shard_name_that_is_not_plain_is_refused(string name)
    {
        string json = name.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\\\\u", "\\u", StringComparison.Ordinal);
        folder.Write("model.safetensors.index.json", $$"""{"weight_map":{"w":"{{json}}"} }""");
        EngineException e = Refused("NE3031", "not a plain file name");
        Assert.Equal("w", e.Key);
        Assert.DoesNotContain(e.Message, char.IsControl);
    }

    [Theory]
    [InlineData("model-00001-of-00002.safetensors")]
    [InlineData("a.safetensors")]
    [InlineData("A_b-c.1..safetensors")]
    [InlineData("COM.safetensors")]
    [InlineData("CON1.safetensors")]
    public void A_plain_shard_name_is_accepted(string name) => Assert.True(ShardIndex.IsPlainName(name));

    /// <summary>The canary is a pipe that nobody writes to: whoever opened it would wait for ever.</summary>
    [SkippableFact]
    public async Task A_file_outside_the_folder_is_never_opened()
    {
        Skip.If(OperatingSystem.IsWindows(), "named pipes in folders are Unix only");
        using (Process mkfifo = Process.Start("mkfifo", [folder["canary.safetensors"]]))
        {
            await mkfifo.WaitForExitAsync();
        }

        string model = folder.Folder("model");
        await File.WriteAllTextAsync(Path.Combine(model, "model.safetensors.index.json"), """{"weight_map":{"w":"../canary.safetensors"}}""");
        Assert.Equal("NE3031", (await Opened(model)).Code);

        await File.WriteAllTextAsync(Path.Combine(model, "model.safetensors.index.json"), """{"weight_map":{"w":"link.safetensors"}}""");
        File.CreateSymbolicLink(Path.Combine(model, "link.safetensors"), "../canary.safetensors");
        Assert.Equal("NE3036", (await Opened(model)).Code);

        File.CreateSymbolicLink(Path.Combine(model, "model.safetensors"), folder["canary.safetensors"]);
        Assert.Equal("NE3036", (await Opened(model)).Code);

        static Task<EngineException> Opened(string path) =>
            Task.Run(() => Assert.Throws<EngineException>(() => Checkpoint.Open(path))).WaitAsync(TimeSpan.FromSeconds(10));
    }

    [Theory]
    [InlineData("[]", "NE3030", "not a JSON object")]
    [InlineData("{", "NE3030", "not valid JSON")]
    [InlineData("{}", "NE3030", "weight_map")]
    [InlineData("""{"weight_map":[]}""", "NE3030", "weight_map")]
    [InlineData("""{"weight_map":{}}""", "NE3030", "names no tensor")]
    [InlineData("""{"weight_map":{"w":1}}""", "NE3031", "found Number")]
    [InlineData("""{"weight_map":{"w":"a.safetensors","\u0077":"b.safetensors"}}""", "NE3030", "not valid JSON")]
    public void A_broken_index_is_refused(string json, string code, string says)
    {
        folder.Write("model.safetensors.index.json", json);
        Refused(code, says);
    }

    [Fact]
    public void A_missing_shard_is_named()
    {
        Shards("""{"w":"model-00001-of-00002.safetensors","v":"model-00002-of-00002.safetensors"}""", ("model-00001-of-00002.safetensors", ["w"]));
        Assert.Equal("model-00002-of-00002.safetensors", Refused("NE3032", "missing").Key);
    }

    [Fact]
    public void A_shard_that_the_index_does_not_name_is_refused()
    {
        Shards("""{"w":"model-00001-of-00001.safetensors"}""", ("model-00001-of-00001.safetensors", ["w"]), ("model-00003-of-00003.safetensors", ["v"]));
        Assert.Equal("model-00003-of-00003.safetensors", Refused("NE3033", "does not name").Key);
    }

    [Fact]
    public void Other_safetensors_files_beside_the_shards_are_none_of_ours()
    {
        Shards("""{"w":"a.safetensors"}""", ("a.safetensors", ["w"]), ("consolidated.safetensors", ["w"]));
        using Checkpoint checkpoint = Checkpoint.Open(folder.Location);
        Assert.Equal(["w"], checkpoint.Tensors.Keys);
    }

    [Fact]
    public void A_tensor_in_two_shards_is_refused()
    {
        Shards("""{"w":"a.safetensors","v":"b.safetensors"}""", ("a.safetensors", ["w"]), ("b.safetensors", ["v", "w"]));
        Assert.Equal("w", Refused("NE3034", "two shards").Key);
    }

    [Theory]
    [InlineData("""{"w":"a.safetensors","v":"a.safetensors"}""")]
    [InlineData("""{"w":"b.safetensors","x":"a.safetensors"}""")]
    public void A_tensor_that_is_not_where_the_index_says_is_refused(string map)
    {
        Shards(map, ("a.safetensors", ["w"]), ("b.safetensors", ["x"]));
        Refused("NE3035", "not in the shard that the index names");
    }

    [Fact]
    public void A_wrong_total_size_and_unnamed_tensors_are_notices()
    {
        folder.Write("a.safetensors", RawFile.Vectors("w", "v"));
        folder.Write("model.safetensors.index.json", """{"metadata":{"total_size":16.0},"weight_map":{"w":"a.safetensors"}}""");
        using Checkpoint checkpoint = Checkpoint.Open(folder.Location);
        Assert.Equal(2, checkpoint.Notices.Count);
        Assert.Contains("'v'", checkpoint.Notices[0], StringComparison.Ordinal);
        Assert.Contains("total_size is 16, the shards hold 32 bytes", checkpoint.Notices[1], StringComparison.Ordinal);
        Assert.Equal(32, checkpoint.WeightBytes);
    }

    [SkippableFact]
    public void Links_are_followed_inside_the_folder_and_into_the_blobs_of_the_same_cache()
    {
        Skip.If(OperatingSystem.IsWindows(), "creating links needs a privilege on Windows");
        string blobs = folder.Folder("models--org--name/blobs"), snapshot = folder.Folder("models--org--name/snapshots/abc"), others = folder.Folder("models--org--other/blobs");
        File.WriteAllBytes(Path.Combine(blobs, "0123"), RawFile.Vectors("w"));
        File.WriteAllBytes(Path.Combine(others, "0123"), RawFile.Vectors("w"));
        string shard = Path.Combine(snapshot, "model.safetensors");

        File.CreateSymbolicLink(shard, "../../blobs/0123");
        Checkpoint.Open(snapshot).Dispose();

        Directory.CreateSymbolicLink(folder["alias"], snapshot);
        Checkpoint.Open(folder["alias"]).Dispose();

        File.Delete(shard);
        File.CreateSymbolicLink(shard, "weights");
        File.WriteAllBytes(Path.Combine(snapshot, "weights"), RawFile.Vectors("w"));
        Checkpoint.Open(snapshot).Dispose();

        foreach (string target in new[] { "../../../models--org--other/blobs/0123", Path.Combine(others, "0123"), "../../blobs/../snapshots/../../models--org--other/blobs/0123" })
        {
            File.Delete(shard);
            File.CreateSymbolicLink(shard, target);
            Assert.Equal("NE3036", Assert.Throws<EngineException>(() => Checkpoint.Open(snapshot)).Code);
        }

        File.Delete(shard);
        File.CreateSymbolicLink(shard, "model.safetensors");
        Assert.Equal("NE5002", Assert.Throws<EngineException>(() => Checkpoint.Open(snapshot)).Code);
    }

    [Fact]
    public void What_is_no_model_folder_is_said_so()
    {
        string file = folder.Write("file", "x");
        Assert.Equal("NE5001", Assert.Throws<EngineException>(() => Checkpoint.Open(folder["none"])).Code);
        Assert.Equal("NE3037", Assert.Throws<EngineException>(() => Checkpoint.Open(file)).Code);
        Refused("NE3038", "holds no weights");
        folder.Write("adapter_model.safetensors", RawFile.Vectors("w"));
        Refused("NE3038", "found 'adapter_model.safetensors'");
    }

    [Theory]
    [InlineData("pytorch_model.bin")]
    [InlineData("model.pt")]
    [InlineData("consolidated.00.pth")]
    [InlineData("pytorch_model.bin.index.json")]
    public void Pickles_are_never_loaded(string name)
    {
        folder.Write(name, "not looked at");
        EngineException e = Refused("NE4001", "pickle checkpoints are never loaded");
        Assert.Equal(ExitCode.Unsupported, e.Exit);
        Assert.Contains("safe_serialization", e.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_that_changes_while_it_is_read_is_an_io_error()
    {
        string path = folder.Write("model.safetensors", RawFile.Vectors("w"));
        using var cpu = new CpuBackend(1);
        using Tensor w = cpu.Alloc(DType.F32, new Shape(4));
        using Checkpoint touched = Checkpoint.Open(folder.Location), truncated = Checkpoint.Open(folder.Location);
        touched.Read(cpu, touched.Tensors["w"], w);

        File.SetLastWriteTimeUtc(path, DateTime.UtcNow.AddSeconds(2));
        AssertChanged(touched);

        using (FileStream stream = new(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
        {
            stream.SetLength(stream.Length - 1);
        }

        AssertChanged(truncated);

        void AssertChanged(Checkpoint checkpoint)
        {
            var e = Assert.Throws<EngineException>(() => checkpoint.Read(cpu, checkpoint.Tensors["w"], w));
            Assert.Equal(("NE5003", ExitCode.Io), (e.Code, e.Exit));
        }
    }

    [SkippableTheory]
    [InlineData("tiny-llama", 1)]
    [InlineData("variants/llama-bias-sharded", 3)]
    [InlineData("variants/llama-gqa-fp16", 1)]
    [InlineData("variants/gpt2", 1)]
    public void Real_checkpoints_open_and_every_weight_is_finite(string model, int shards)
    {
        using Checkpoint checkpoint = Checkpoint.Open(Shared.Path("models", model));
        using var cpu = new CpuBackend(2);
        foreach (TensorEntry entry in checkpoint.Tensors.Values.Where(entry => entry.DType.IsFloat()))
        {
            using Tensor weights = cpu.Alloc(DType.F32, entry.Shape);
            checkpoint.Read(cpu, entry, weights);
            Assert.True(cpu.AllFinite(weights), entry.Name);
        }

        Assert.Equal(shards, checkpoint.Tensors.Values.Select(entry => entry.File).Distinct().Count());
        Assert.Equal(checkpoint.WeightBytes, checkpoint.Tensors.Values.Sum(entry => entry.Bytes));
        Assert.Empty(checkpoint.Notices);
    }

    [SkippableTheory]
    [InlineData("llama-bin")]
    [InlineData("llama-bin-sharded")]
    public void Real_pickles_are_refused(string model) =>
        Assert.Equal("NE4001", Assert.Throws<EngineException>(() => Checkpoint.Open(Shared.Path("models", "variants", model))).Code);

    private void Shards(string map, params (string File, string[] Tensors)[] shards)
    {
        foreach ((string file, string[] tensors) in shards)
        {
            folder.Write(file, RawFile.Vectors(tensors));
        }

        folder.Write("model.safetensors.index.json", $$"""{"weight_map":{{map}} }""");
    }

    private EngineException Refused(string code, string says)
    {
        var e = Assert.Throws<EngineException>(() => Checkpoint.Open(folder.Location));
        Assert.Equal(code, e.Code);
        Assert.Contains(says, $"{e.Message}; key {e.Key}; found {e.Found}", StringComparison.Ordinal);
        return e;
    }
}
