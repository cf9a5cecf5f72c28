using System.Diagnostics;
using System.Text.Json;
using NativeEngine.Checkpoints;
using NativeEngine.Evaluate;
using NativeEngine.Kernels;
using NativeEngine.Model;
using NativeEngine.Prune;
using NativeEngine.Spec;
using NativeEngine.Testing;

namespace NativeEngine.Tests;

/// <summary>Folders that we write, loaded by stock transformers: the same loss and the same greedy ids.</summary>
public sealed class TransformersTests
{
    [SkippableTheory]
    [InlineData("tiny-llama", "spm", null)]
    [InlineData("tiny-llama", "spm", DType.F16)]
    [InlineData("tiny-llama3", "llama3", DType.F32)]
    [InlineData("tiny-opt", "opt", null)]
    [InlineData("tiny-phi", "phi", DType.BF16)]
    public void An_exported_folder_is_the_same_model_there(string name, string tokens, DType? store)
    {
        string file = Shared.Path("golden", "slicegpt", $"tokens-{tokens}.safetensors");
        string output = Path.Combine(Path.GetTempPath(), "ne-export-" + Guid.NewGuid().ToString("N"));
        using var session = new Session("cpu", threads: 2);
        try
        {
            Verbs.Export(session, new ExportOptions(Golden.Model(name), output) { Store = store });
            AssertSame(session, output, file);
        }
        finally
        {
            if (Directory.Exists(output))
            {
                Directory.Delete(output, recursive: true);
            }
        }
    }

    [SkippableTheory]
    [InlineData("tiny-llama3", "llama3")]
    [InlineData("tiny-opt", "opt")]
    [InlineData("tiny-phi", "phi")]
    public void A_pruned_folder_whose_layers_are_alike_is_the_same_model_there(string name, string tokens)
    {
        ModelSpec spec = SpecReader.Read(Golden.Model(name));
        int[] gone = [0, 3, 100, 101];
        PrunePlan plan = new(spec, [new(-1, StructureKind.Layers, [1]), .. Enumerable.Range(0, spec.Layers.Count).Select(l => new PrunedGroup(l, StructureKind.Channels, gone))]);
        using PrunedRun run = new(Golden.Model(name), plan);
        using var session = new Session("cpu", threads: 2);
        AssertSame(session, run.Folder, Shared.Path("golden", "slicegpt", $"tokens-{tokens}.safetensors"));
    }

    private static void AssertSame(Session session, string folder, string tokens)
    {
        JsonElement stock = Peer.Run("load_check.py", "--model", folder, "--tokens", tokens, "--name", "eval_ids");
        Assert.False(stock.GetProperty("loading_info").EnumerateObject().Any(), stock.GetProperty("loading_info").GetRawText());

        using CausalModel model = CausalModel.Open(session.Backend, folder);
        int[] ids = new GoldenTensors(tokens).Ints("eval_ids");
        var windows = new TokenWindows(ids[..(8 * 128)], null, 8, 128);
        IReadOnlyList<PerplexityEvaluation.WindowNll> nll = new PerplexityEvaluation(session, model).Measure(windows, 8, null);
        Golden.Close(stock.GetProperty("loss").GetDouble(), PerplexityEvaluation.Mean(nll, PerplexityProtocol.LlmPruner), Tolerances.StockLoss, 0, "loss");

        using var generator = new Generator(session, model);
        IReadOnlyList<int> greedy = generator.Greedy(ids[..16], 20, []).Ids;
        Assert.Equal(stock.GetProperty("greedy").EnumerateArray().Select(e => e.GetInt32()), greedy);
    }
}

/// <summary>The reference Python environment: shared/peers, unpacked where NATIVEENGINE_PEERS says.</summary>
internal static class Peer
{
    /// <summary>Runs a script of shared/peers and parses the last line it prints; skips the test without the environment.</summary>
    public static JsonElement Run(string script, params string[] arguments) => RunFile(Shared.Path("peers", script), arguments);

    /// <summary>As <see cref="Run"/>, of a script of these tests.</summary>
    public static JsonElement RunOwn(string script, params string[] arguments) =>
        RunFile(Path.Combine(Shared.Root, "tests", "Engine.Tests", "Peers", script), arguments);

    private static JsonElement RunFile(string script, string[] arguments)
    {
        string? root = Environment.GetEnvironmentVariable("NATIVEENGINE_PEERS");
        Skip.If(root is null, "NATIVEENGINE_PEERS is not set: .ci/run unpacks the reference Python environment and sets it");
        string command = $". '{root}/env.sh'; exec /usr/bin/python3 '{script}' {string.Join(' ', arguments.Select(a => $"'{a}'"))}";
        using Process process = Process.Start(new ProcessStartInfo("sh", ["-c", command]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, error.Result);
        using JsonDocument document = JsonDocument.Parse(output.TrimEnd().Split('\n')[^1]);
        return document.RootElement.Clone();
    }
}
