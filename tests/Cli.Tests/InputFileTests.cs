using NativeEngine.Testing;

namespace NativeEngine.Cli.Tests;

/// <summary>Inputs that are not there, too large, or lead elsewhere: the same error whichever verb meets them.</summary>
public sealed class InputFileTests : IDisposable
{
    private static readonly string Model = Path.Combine(Shared.Root, "samples", "sample-llama");

    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("inspect none")]
    [InlineData("tokenize none --text a")]
    [InlineData("eval perplexity none --text t.txt")]
    [InlineData("slice none out --calibration t.txt")]
    [InlineData("generate none --prompt a")]
    [InlineData("generate none --prompt-ids 1")]
    [InlineData("export none out --to hf")]
    public void Missing_model_folder(string line) => Fails("NE5001", 5, line.Split(' '));

    [Theory]
    [InlineData("tokenize MODEL --file none.txt", "none.txt")]
    [InlineData("eval perplexity MODEL --text none.txt", "none.txt")]
    [InlineData("eval perplexity MODEL --text nowhere/none.jsonl", "nowhere/none.jsonl")]
    [InlineData("eval perplexity MODEL --text none.safetensors:ids", "none.safetensors")]
    [InlineData("slice MODEL out --calibration none.txt", "none.txt")]
    [InlineData("slice MODEL out --calibration none.safetensors", "none.safetensors")]
    [InlineData("slice MODEL out --calibration t.txt --schedule none.json", "none.json")]
    [InlineData("inspect MODEL --config none.json", "none.json")]
    public void Missing_file(string line, string file) =>
        Assert.Contains($"the file does not exist (file: {file})", Fails("NE5004", 5, [.. line.Split(' ').Select(word => word == "MODEL" ? Model : word)]), StringComparison.Ordinal);

    [Theory]
    [InlineData("config.json")]
    [InlineData("generation_config.json")]
    [InlineData("tokenizer.json")]
    [InlineData("tokenizer_config.json")]
    public void Oversized_file_of_a_model(string name)
    {
        Copy();
        using (FileStream file = File.OpenWrite(folder.File(name)))
        {
            file.SetLength(200_000_001);
        }

        Fails("NE3039", 3, name.StartsWith("tokenizer", StringComparison.Ordinal) ? ["tokenize", folder.FullName, "--text", "a"] : ["inspect", folder.FullName]);
    }

    [SkippableTheory]
    [InlineData("config.json")]
    [InlineData("generation_config.json")]
    [InlineData("tokenizer.json")]
    [InlineData("tokenizer_config.json")]
    public void File_of_a_model_that_is_a_link_to_elsewhere(string name)
    {
        Skip.If(OperatingSystem.IsWindows(), "creating links needs a privilege on Windows");
        Copy();
        File.Delete(folder.File(name));
        File.CreateSymbolicLink(folder.File(name), Path.Combine(Model, "config.json"));
        Fails("NE3036", 3, name.StartsWith("tokenizer", StringComparison.Ordinal) ? ["tokenize", folder.FullName, "--text", "a"] : ["inspect", folder.FullName]);
    }

    [Fact]
    public void Half_a_tokenizer_is_none()
    {
        foreach (string file in Directory.EnumerateFiles(Shared.Fixture("llama-mha")))
        {
            File.Copy(file, folder.File(Path.GetFileName(file)));
        }

        folder.File("vocab.json", "{}");
        Outcome outcome = Cli.Run(["generate", folder.FullName, "--prompt-ids", "1,2", "--max-new-tokens", "2", "--ignore-eos", "--device", "cpu"], new EngineCalls());
        Assert.True(outcome.Exit == 0, outcome.Error);
    }

    private void Copy()
    {
        foreach (string file in Directory.EnumerateFiles(Model))
        {
            File.Copy(file, folder.File(Path.GetFileName(file)));
        }
    }

    private static string Fails(string code, int exit, string[] args)
    {
        Outcome outcome = Cli.Run([.. args, "--device", "cpu", "--quiet"], new EngineCalls());
        Assert.StartsWith($"error {code}: ", outcome.Error, StringComparison.Ordinal);
        Assert.Equal(exit, outcome.Exit);
        return outcome.Error;
    }
}
