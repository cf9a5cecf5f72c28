using NativeEngine.Checkpoints;
using NativeEngine.Kernels;
using NativeEngine.Kernels.Cpu;
using NativeEngine.Testing;

namespace NativeEngine.Tests;

/// <summary>What README promises about the model and the text that lie in samples/: needs nothing beside the repository.</summary>
public sealed class SampleModelTests : IDisposable
{
    private static readonly string Model = Path.Combine(Shared.Root, "samples", "sample-llama");
    private static readonly TextSource Valid = new(Path.Combine(Shared.Root, "samples", "wikitext-2-valid-excerpt.txt"));
    private static readonly TextSource Test = new(Path.Combine(Shared.Root, "samples", "wikitext-2-test-excerpt.txt"));
    private readonly string folder = Directory.CreateTempSubdirectory("ne-samples-").FullName;

    [Fact]
    public void The_quarter_slice_of_README_has_its_size_and_perplexity()
    {
        using var session = new Session("cpu", threads: 2);
        SliceResult result = Verbs.Slice(session, new SliceOptions(Model, Out("sliced"), Valid) { Eval = Test });
        Assert.Equal((5_261_568, 4_557_824), (result.ParametersBefore, result.ParametersAfter));
        Golden.Close(69.89, result.Perplexity!.Dense!.Value, Tolerances.ReadmePerplexity, 0, "dense");
        Golden.Close(70.02, result.Perplexity.Sliced!.Value, Tolerances.ReadmePerplexity, 0, "sliced");
        Assert.Empty(((string[])["load", "forward", "covariance", "eigen", "rotate", "write"]).Except(result.Phases.Keys));
    }

    [Fact]
    public void A_sliced_folder_serves_every_verb()
    {
        using var session = new Session("cpu", threads: 2);
        Slice(session, "sliced");
        InspectResult inspected = Verbs.Inspect(session, Out("sliced"));
        Assert.Equal(4_557_824, inspected.Parameters);
        Assert.Equal(192, inspected.Layers[0].AttentionInput);
        GenerateResult generated = Verbs.Generate(session, new GenerateOptions(Out("sliced")) { Prompt = "The history of the city", MaxNewTokens = 12 });
        Assert.NotEmpty(generated.Text!);
        ExportResult exported = Verbs.Export(session, new ExportOptions(Out("sliced"), Out("half")) { Store = DType.F16 });
        Assert.Contains("tokenizer.json", exported.Files);
        Assert.Empty(Manifest.Verify(Out("half")));
        PerplexityResult bf16 = Perplexity(session, "sliced"), fp16 = Perplexity(session, "half");
        Golden.Close(bf16.Perplexity!.Value, fp16.Perplexity!.Value, Tolerances.SixteenBitStore, 0, "perplexity");
    }

    [Fact]
    public void Threads_change_no_byte()
    {
        foreach (int threads in (int[])[1, 3])
        {
            using var session = new Session("cpu", threads: threads);
            Slice(session, $"sliced{threads}");
        }

        Assert.Equal(File.ReadAllBytes(Path.Combine(Out("sliced1"), "model.safetensors")), File.ReadAllBytes(Path.Combine(Out("sliced3"), "model.safetensors")));
    }

    [Fact]
    public void No_verb_keeps_memory_when_it_ends()
    {
        using var session = new Session("cpu", threads: 2);
        Slice(session, "sliced");
        Perplexity(session, "sliced");
        Verbs.Generate(session, new GenerateOptions(Model) { PromptIds = [1, 2, 3], MaxNewTokens = 3 });
        Verbs.Export(session, new ExportOptions(Model, Out("copy")));
        Assert.Equal(0, ((CpuBackend)session.Backend).LiveBytes);
    }

    [Fact]
    public void A_cancelled_slice_leaves_nothing_behind()
    {
        using var cancel = new CancellationTokenSource();
        using var session = new Session("cpu", threads: 2, reporter: new CancelAtFirstStep(cancel), cancel: cancel.Token);
        Assert.Throws<OperationCanceledException>(() => Slice(session, "sliced"));
        Assert.Empty(Directory.EnumerateFileSystemEntries(folder));
    }

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private PerplexityResult Perplexity(Session session, string name) => Verbs.Perplexity(session, new PerplexityOptions(Out(name), Test) { SeqLen = 256, MaxChunks = 16 });

    private string Out(string name) => Path.Combine(folder, name);

    private void Slice(Session session, string name) => Verbs.Slice(session, new SliceOptions(Model, Out(name), Valid) { Samples = 16, SeqLen = 128 });

    private sealed class CancelAtFirstStep(CancellationTokenSource cancel) : IReporter
    {
        public void Phase(string name, long total, long done = 0) { }

        public void Step(long done, string? detail = null) => cancel.Cancel();

        public void Notice(string message) { }
    }
}
