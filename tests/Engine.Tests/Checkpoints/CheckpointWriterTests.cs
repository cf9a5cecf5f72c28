using System.Text.Json.Nodes;
using NativeEngine.Checkpoints;
using NativeEngine.Kernels;
using NativeEngine.Kernels.Cpu;

namespace NativeEngine.Tests.Checkpoints;

/// <summary>Outputs appear whole or not at all, replace only what they may, and carry a manifest that holds.</summary>
public sealed class CheckpointWriterTests : IDisposable
{
    private static readonly TensorPlan[] Plan = [new("w", DType.F32, new Shape(4)), new("v", DType.F16, new Shape(2, 3))];

    private readonly TemporaryFolder folder = new();
    private readonly CpuBackend cpu = new(1);

    public void Dispose()
    {
        cpu.Dispose();
        folder.Dispose();
    }

    [Fact]
    public void An_output_holds_weights_files_and_a_manifest_that_verifies()
    {
        string model = folder.Folder("model");
        foreach (string name in new[]
        {
            "config.json", "tokenizer.json", "generation_config.json", "merges.txt", "README.md", "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin",
            "pytorch_model.bin.index.json", "training_args.bin", "optimizer.pt", "x.pth", "tf_model.h5", "model.gguf", "nativeengine.manifest.json", ".gitattributes", "special_tokens_map.json",
        })
        {
            File.WriteAllText(Path.Combine(model, name), $"content of {name}");
        }

        Directory.CreateDirectory(Path.Combine(model, "original"));
        using var writer = new CheckpointWriter(folder["out"], false, Plan, input: model);
        Fill(writer);
        writer.AddFile("config.json", "{}"u8);
        writer.AddFile("generation_config.json", "ours"u8);
        writer.CopySideFiles(model, "README.md");
        Assert.StartsWith(folder[".out.partial-"], writer.Folder, StringComparison.Ordinal);
        Checkpoint.Open(writer.Folder).Dispose();

        IReadOnlyList<string> names = writer.Commit(new JsonObject { ["sparsity"] = 0.25 });

        Assert.Equal(folder["out"], writer.Folder);
        string[] expected = ["config.json", "generation_config.json", "merges.txt", "model.safetensors", "nativeengine.manifest.json", "special_tokens_map.json", "tokenizer.json"];
        Assert.Equal(expected, names.Order(StringComparer.Ordinal));
        Assert.Equal(expected, Directory.GetFiles(folder["out"]).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal));
        Assert.Equal("nativeengine.manifest.json", names[^1]);
        Assert.Equal("content of tokenizer.json", File.ReadAllText(folder["out/tokenizer.json"]));
        Assert.Equal("ours", File.ReadAllText(folder["out/generation_config.json"]));
        Assert.Empty(Manifest.Verify(folder["out"]));

        JsonNode manifest = JsonNode.Parse(File.ReadAllText(folder["out/nativeengine.manifest.json"]))!;
        Assert.Equal((1, "NativeEngine", 0.25), ((int)manifest["schema"]!, (string)manifest["engine"]!, (double)manifest["configuration"]!["sparsity"]!));
        Assert.EndsWith("Z", (string)manifest["created"]!, StringComparison.Ordinal);
        Assert.Equal(6, manifest["files"]!.AsObject().Count);
    }

    [Fact]
    public void A_manifest_tells_what_has_changed()
    {
        Write(folder["out"]);
        File.AppendAllText(folder["out/config.json"], " ");
        byte[] weights = File.ReadAllBytes(folder["out/model.safetensors"]);
        weights[^1] ^= 1;
        folder.Write("out/model.safetensors", weights);
        folder.Write("out/extra.txt", "x");
        Assert.Equal(
            ["config.json: 3 bytes, the manifest says 2", "model.safetensors: the content differs", "'extra.txt': not in the manifest"],
            Manifest.Verify(folder["out"]).Select(problem => problem.Split(" (")[0]));

        File.Delete(folder["out/config.json"]);
        Assert.Contains("config.json: missing", Manifest.Verify(folder["out"]));
        folder.Write("out/nativeengine.manifest.json", """{"files":{"../config.json":{"size":0,"sha256":""}}}""");
        Assert.Contains("'../config.json': not a plain file name", Manifest.Verify(folder["out"]));
        folder.Write("out/nativeengine.manifest.json", """{"files":{"a":{"size":1.5}}}""");
        Assert.Equal("NE3045", Assert.Throws<EngineException>(() => Manifest.Verify(folder["out"])).Code);
        File.Delete(folder["out/nativeengine.manifest.json"]);
        Assert.Equal(["nativeengine.manifest.json: missing"], Manifest.Verify(folder["out"]));
    }

    [Fact]
    public void Without_a_commit_nothing_stays()
    {
        using (var writer = new CheckpointWriter(folder["runs/a/out"], false, Plan))
        {
            Fill(writer);
            writer.AddFile("config.json", "{}"u8);
            Assert.NotEmpty(folder.Contents);
        }

        Assert.Empty(folder.Contents);
    }

    [Fact]
    public void An_incomplete_output_is_not_committed()
    {
        using (var writer = new CheckpointWriter(folder["out"], false, Plan))
        {
            writer.Write(cpu, "w", cpu.Alloc(DType.F32, new Shape(4)));
            Assert.Contains("'v'", Assert.Throws<InvalidOperationException>(() => writer.Commit([])).Message, StringComparison.Ordinal);
        }

        Assert.Empty(folder.Contents);
    }

    [Fact]
    public void Tensors_and_files_must_be_as_planned()
    {
        using var writer = new CheckpointWriter(folder["out"], false, Plan);
        using Tensor four = cpu.Alloc(DType.F32, new Shape(4));
        writer.Write(cpu, "w", four);
        Assert.Throws<ArgumentException>(() => writer.Write(cpu, "w", four));
        Assert.Throws<ArgumentException>(() => writer.Write(cpu, "x", four));
        Assert.Throws<ArgumentException>(() => writer.Write(cpu, "v", four));
        Assert.Throws<ArgumentException>(() => writer.AddFile("../config.json", []));
        Assert.Throws<ArgumentException>(() => writer.AddFile("model.safetensors", []));
        Assert.Throws<ArgumentException>(() => new CheckpointWriter(folder["other"], false, [Plan[0], Plan[0]]));
        Assert.Throws<ArgumentException>(() => new CheckpointWriter(folder["other"], false, [new("__metadata__", DType.F32, new Shape(1))]));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void An_existing_output_is_replaced_only_when_asked(bool atomicExchange)
    {
        folder.EarlierOutput("out");
        Assert.Equal(("NE11001", ExitCode.OutputExists), Refused("out", overwrite: false));
        Assert.Equal(["out", "out/nativeengine.manifest.json", "out/old.txt"], folder.Contents);

        using (var writer = new CheckpointWriter(folder["out"], true, Plan, long.MaxValue, null, new Disk { CanExchange = atomicExchange }))
        {
            Fill(writer);
            Assert.Equal("old", File.ReadAllText(folder["out/old.txt"]));
            writer.Commit([]);
        }

        Assert.Equal(["out", "out/model.safetensors", "out/nativeengine.manifest.json"], folder.Contents);
    }

    [Fact]
    public void What_no_earlier_run_wrote_is_never_replaced()
    {
        folder.EarlierOutput("out");
        folder.Write("out/thesis.txt", "precious");
        Assert.Equal(("NE11003", ExitCode.OutputExists), Refused("out", overwrite: true));
        folder.Folder("mine");
        folder.Write("mine/thesis.txt", "precious");
        Assert.Equal(("NE11003", ExitCode.OutputExists), Refused("mine", overwrite: true));
        Assert.Equal("precious", File.ReadAllText(folder["mine/thesis.txt"]));
    }

    [Fact]
    public void An_output_that_appears_meanwhile_is_not_replaced()
    {
        using (var writer = new CheckpointWriter(folder["out"], false, Plan))
        {
            Fill(writer);
            folder.Folder("out");
            folder.Write("out/theirs", "x");
            Assert.Equal("NE11001", Assert.Throws<EngineException>(() => writer.Commit([])).Code);
        }

        Assert.Equal(["out", "out/theirs"], folder.Contents);
    }

    [Fact]
    public void What_is_no_checkpoint_is_not_replaced_even_when_asked()
    {
        folder.Write("file", "x");
        folder.Folder("home/documents");
        Assert.Equal(("NE11002", ExitCode.OutputExists), Refused("file", overwrite: true));
        Assert.Equal(("NE11003", ExitCode.OutputExists), Refused("home", overwrite: true));
        Assert.Equal(("NE11003", ExitCode.OutputExists), Refused("/", overwrite: true));
    }

    [SkippableTheory]
    [InlineData("models/a")]
    [InlineData("models/a/")]
    [InlineData("models/a/out")]
    [InlineData("models")]
    [InlineData("alias")]
    [InlineData("alias/out")]
    [InlineData("models/b/../a")]
    public void The_input_folder_is_never_touched(string output)
    {
        Skip.If(OperatingSystem.IsWindows(), "creating links needs a privilege on Windows");
        string input = folder.Folder("models/a");
        Directory.CreateSymbolicLink(folder["alias"], input);
        string[] before = folder.Contents;
        Assert.Equal(("NE11004", ExitCode.OutputExists), Refused(output, overwrite: true, input));
        using (var writer = new CheckpointWriter(folder["models/ab"], true, Plan))
        {
            writer.CopySideFiles(input);
        }

        Assert.Equal(before, folder.Contents);
    }

    [SkippableFact]
    public void A_side_file_that_links_out_of_the_model_is_not_copied()
    {
        Skip.If(OperatingSystem.IsWindows(), "creating links needs a privilege on Windows");
        string model = folder.Folder("model");
        folder.Write("secret", "x");
        File.CreateSymbolicLink(Path.Combine(model, "tokenizer.json"), "../secret");
        using var writer = new CheckpointWriter(folder["out"], false, []);
        Assert.Equal("NE3036", Assert.Throws<EngineException>(() => writer.CopySideFiles(model)).Code);
    }

    private (string, ExitCode) Refused(string output, bool overwrite, string? input = null)
    {
        var e = Assert.Throws<EngineException>(() => new CheckpointWriter(folder[output], overwrite, Plan, input: input));
        return (e.Code, e.Exit);
    }

    private void Write(string output)
    {
        using var writer = new CheckpointWriter(output, false, Plan);
        Fill(writer);
        writer.AddFile("config.json", "{}"u8);
        writer.Commit([]);
    }

    private void Fill(CheckpointWriter writer)
    {
        foreach (TensorPlan tensor in Plan)
        {
            using Tensor value = cpu.Alloc(DType.F32, tensor.Shape);
            cpu.Zero(value);
            writer.Write(cpu, tensor.Name, value);
        }
    }
}
