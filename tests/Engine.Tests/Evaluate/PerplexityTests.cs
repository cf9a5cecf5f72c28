using System.Text.Json;
using NativeEngine.Checkpoints;
using NativeEngine.Evaluate;
using NativeEngine.Model;
using NativeEngine.Testing;

namespace NativeEngine.Tests;

/// <summary>Perplexities of the official evaluation functions (golden/eval), from text and from token files.</summary>
public sealed class PerplexityTests
{
    private const int Windows = 40; // the references state the value after so many

    public static TheoryData<string> Models => ["tiny-llama", "tiny-llama3", "tiny-opt", "tiny-phi"];

    public static TheoryData<string, string, PerplexityProtocol, string> Texts
    {
        get
        {
            var data = new TheoryData<string, string, PerplexityProtocol, string>();
            foreach (string model in (string[])["tiny-llama", "tiny-llama3", "tiny-opt", "tiny-phi"])
            {
                data.Add(model, "slicegpt_wt2_256", PerplexityProtocol.SliceGpt, "wt2_test.txt");
                data.Add(model, "llmpruner_wt2_test_128", PerplexityProtocol.LlmPruner, "wt2_test.txt");
                data.Add(model, "llmpruner_ptb_valid_128", PerplexityProtocol.LlmPruner, "ptb_valid.txt");
                data.Add(model, "sparsegpt_wt2_test_256", PerplexityProtocol.SparseGpt, "wt2_test.txt");
            }

            return data;
        }
    }

    [SkippableTheory]
    [MemberData(nameof(Texts))]
    public void Text_under_each_protocol_gives_the_recorded_value(string model, string key, PerplexityProtocol protocol, string text)
    {
        JsonElement golden = Golden.Json("eval", model, "ppl.json"), expected = golden.GetProperty("protocols").GetProperty(key);
        using var session = new Session("cpu", threads: 2);
        PerplexityResult result = Verbs.Perplexity(session, new PerplexityOptions(
            Golden.Model(model), new TextSource(Shared.Path("data", text), StripRows: text.StartsWith("ptb", StringComparison.Ordinal)))
        {
            Protocol = protocol,
            SeqLen = expected.GetProperty("seqlen").GetInt32(),
            MaxChunks = Windows,
        });
        Assert.Equal(Windows, result.Chunks);
        Golden.Close(expected.GetProperty("ppl_first_40_windows").GetDouble(), result.Perplexity!.Value, golden.GetProperty("tolerance").GetProperty("ppl_rtol").GetDouble(), 0, key);
    }

    [SkippableTheory]
    [MemberData(nameof(Models))]
    public void Every_window_has_the_recorded_mean(string model)
    {
        double atol = Golden.Json("eval", model, "ppl.json").GetProperty("tolerance").GetProperty("window_nll_atol").GetDouble();
        string tokens = model switch { "tiny-llama" => "spm", _ => model["tiny-".Length..] };
        int[] ids = Golden.Tensors("eval", "tokens", tokens + ".safetensors").Ints("ptb_test_space");
        double[] expected = Golden.Tensors("eval", model, "ppl_window_nll.safetensors").Doubles("sparsegpt_ptb_test_256");
        using var session = new Session("cpu", threads: 2);
        using CausalModel opened = CausalModel.Open(session.Backend, Golden.Model(model));
        var windows = new TokenWindows(ids[..(Windows * 256)], null, Windows, 256);
        IReadOnlyList<PerplexityEvaluation.WindowNll> nll = new PerplexityEvaluation(session, opened).Measure(windows, 8, null);
        for (int i = 0; i < Windows; i++)
        {
            Golden.Close(expected[i], nll[i].Sum / nll[i].Targets, 0, atol, $"window {i}");
        }
    }

    [SkippableFact]
    public void Streaming_layers_from_disk_changes_no_bit()
    {
        PerplexityResult Run(Session session) => Verbs.Perplexity(session, new PerplexityOptions(
            Golden.Model("tiny-opt"), new TextSource(Shared.Path("golden", "slicegpt", "tokens-opt.safetensors") + ":eval_ids"))
        { MaxChunks = 20, Batch = 3 });
        using var resident = new Session("cpu", threads: 2);
        using var streamed = new Session("cpu", threads: 1) { WeightMemory = 0 };
        Assert.Equal(Run(resident).MeanNll, Run(streamed).MeanNll);
    }

    [SkippableFact]
    public void A_target_that_is_the_pad_id_does_not_count()
    {
        using var session = new Session("cpu", threads: 1);
        using CausalModel model = CausalModel.Open(session.Backend, Golden.Model("tiny-opt"));
        int pad = PerplexityEvaluation.IgnoredId(model.Spec.Ids, PerplexityProtocol.SliceGpt)!.Value;
        var windows = new TokenWindows([5, 6, pad, 7], null, 1, 4);
        PerplexityEvaluation evaluation = new(session, model);
        Assert.Equal(2, evaluation.Measure(windows, 1, pad)[0].Targets);
        Assert.Equal(3, evaluation.Measure(windows, 1, null)[0].Targets);
    }

    [SkippableFact]
    public void Text_shorter_than_a_window_is_an_error()
    {
        string text = Path.GetTempFileName() + ".txt";
        File.WriteAllText(text, "Too short.\n");
        using var session = new Session("cpu", threads: 1);
        EngineException e = Assert.Throws<EngineException>(() => Verbs.Perplexity(session, new PerplexityOptions(Golden.Model("tiny-llama"), new TextSource(text)) { SeqLen = 256 }));
        Assert.Equal(ExitCode.InvalidInput, e.Exit);
        Assert.Contains("a window needs 256", e.Message, StringComparison.Ordinal);
        File.Delete(text);
    }
}
