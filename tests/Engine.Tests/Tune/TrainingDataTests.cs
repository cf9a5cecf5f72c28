using NativeEngine.Checkpoints;
using NativeEngine.Kernels;
using NativeEngine.Kernels.Cpu;
using NativeEngine.Spec;
using NativeEngine.Testing;
using NativeEngine.Tests.Checkpoints;
using NativeEngine.Text;
using NativeEngine.Tune;

namespace NativeEngine.Tests.Tune;

public sealed class TrainingDataTests : IDisposable
{
    private static readonly string Model = Path.Combine(Shared.Root, "samples", "sample-llama");
    private static readonly ModelSpec Spec = SpecReader.Read(Model);

    private readonly TemporaryFolder folder = new();
    private readonly Notices notices = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Text_is_cut_into_windows_with_bos_in_front_and_the_tail_kept()
    {
        string path = folder.Write("text.txt", string.Concat(Enumerable.Repeat("The history of the city is long.\n", 20)));
        TrainingData data = Read(Text(path) with { Cutoff = 32 });
        Tokenizer tokenizer = Tokenizer.Load(Model, TokenizerChoice.Auto, SilentReporter.Instance);
        int[] ids = tokenizer.Encode(Corpus.Read(new TextSource(path)), addSpecial: false);
        Assert.Equal(ids, data.Train.SelectMany(e => e.Ids[1..]));
        Assert.All(data.Train, e => Assert.Equal((tokenizer.BosId, 0), (e.Ids[0], e.PromptLength)));
        Assert.All(data.Train.SkipLast(1), e => Assert.Equal(32, e.Ids.Length));
        Assert.Equal(ids.Length % 31, data.Train[^1].Ids.Length - 1);
        Assert.Empty(notices);
    }

    [Fact]
    public void Rows_of_a_token_file_lose_what_their_mask_hides()
    {
        string file = Tokens("attention_mask", [5, 6, 7, 8], [9, 10, 11, 12], [1, 1, 1, 1], [0, 1, 1, 0]);
        Assert.Equal([[5, 6, 7, 8], [10, 11]], Read(Text(file)).Train.Select(e => e.Ids));
        Assert.Equal("none", Read(Text(file)).TokenizerName);
    }

    [Fact]
    public void Windows_without_a_token_to_predict_are_left_out_and_said()
    {
        Assert.Equal([[5, 6, 7, 8]], Read(Text(Tokens("attention_mask", [5, 6, 7, 8], [9, 10, 11, 12], [1, 1, 1, 1], [0, 1, 0, 0]))).Train.Select(e => e.Ids));
        Assert.Contains(notices, n => n.Contains("1 of 2 windows are left out", StringComparison.Ordinal));
    }

    [Fact]
    public void Records_whose_prompt_fills_the_cutoff_are_left_out_and_said()
    {
        string path = folder.Write("data.json", """[{"instruction":"Add.","input":"1, 2","output":"3"},{"instruction":"Say no.","output":"No."}]""");
        var records = new TuneOptions(Model, "out", new TextSource(path));
        Assert.Equal(2, Read(records).Train.Count);
        Assert.Empty(notices);

        int needed = Read(records with { Cutoff = 512 }).Train[0].Ids.Length;
        Assert.Single(Read(records with { Cutoff = needed - 2 }).Train);
        Assert.Contains(notices, n => n.Contains("1 of 2 records are left out", StringComparison.Ordinal));
        Assert.DoesNotContain(notices, n => n.Contains("lose the end", StringComparison.Ordinal));
        Assert.Equal("NE3204", Assert.Throws<EngineException>(() => Read(records with { Cutoff = 10 })).Code);
        Assert.Equal("NE2024", Assert.Throws<EngineException>(() => Read(records with { Cutoff = 1 })).Code);
    }

    [Fact]
    public void Answers_that_the_cutoff_ends_are_said()
    {
        string path = folder.Write("data.json", """[{"instruction":"Say no.","output":"No."},{"instruction":"Say no.","output":"No, no, no, no, never, not in a thousand years."}]""");
        var records = new TuneOptions(Model, "out", new TextSource(path));
        int whole = Read(records).Train[0].Ids.Length;
        Assert.Empty(notices);
        Assert.Equal([false, true], Read(records with { Cutoff = whole }).Train.Select(e => e.IsCut));
        Assert.Equal($"{path}: 1 of 2 records lose the end of their answer: they are longer than the cutoff", Assert.Single(notices));
    }

    [Fact]
    public void An_id_outside_the_embedding_is_refused() =>
        Assert.Equal("NE3178", Assert.Throws<EngineException>(() => Read(Text(Tokens("attention_mask", [5, 6, 7, 4096], [1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 1, 1])))).Code);

    [Fact]
    public void Held_out_examples_are_drawn_from_the_seed()
    {
        TrainingExample[] all = [.. Enumerable.Range(0, 50).Select(i => new TrainingExample([i, i]))];
        (IReadOnlyList<TrainingExample> train, IReadOnlyList<TrainingExample> eval) = TrainingData.HoldOut(all, 10, 1);
        Assert.Equal((40, 10), (train.Count, eval.Count));
        Assert.Equal(all, train.Concat(eval).OrderBy(e => e.Ids[0]));
        Assert.Equal(train.OrderBy(e => e.Ids[0]), train);
        Assert.Equal(eval, TrainingData.HoldOut(all, 10, 1).Eval);
        Assert.NotEqual(eval, TrainingData.HoldOut(all, 10, 2).Eval);
        Assert.Equal("NE2041", Assert.Throws<EngineException>(() => TrainingData.HoldOut(all, 50, 1)).Code);
    }

    [Fact]
    public void A_second_file_is_read_for_evaluation()
    {
        string train = Tokens("attention_mask", [5, 6, 7, 8], [9, 10, 11, 12], [1, 1, 1, 1], [1, 1, 1, 1]);
        TrainingData data = Read(Text(train) with { EvalData = new TextSource(folder.Write("eval.txt", "The city.")) });
        Assert.Equal((2, 1), (data.Train.Count, data.Eval.Count));
    }

    private TrainingData Read(TuneOptions options)
    {
        using var session = new Session("cpu", threads: 1, reporter: notices);
        return new TrainingData(session, Spec, options);
    }

    private static TuneOptions Text(string path) => new(Model, "out", new TextSource(path)) { Format = TuneFormat.Text };

    /// <summary>A token file of two windows of four tokens, and their mask.</summary>
    private string Tokens(string mask, params int[][] rows)
    {
        using var backend = new CpuBackend(1);
        string name = Guid.NewGuid().ToString("N");
        using (var writer = new CheckpointWriter(folder[name], false, [new("tokens", DType.I32, new Shape(2, 4)), new(mask, DType.I32, new Shape(2, 4))]))
        {
            foreach ((string tensor, int[] values) in new[] { ("tokens", rows[..2]), (mask, rows[2..]) }.Select(t => (t.Item1, t.Item2.SelectMany(v => v).ToArray())))
            {
                using Tensor value = backend.Alloc(DType.I32, new Shape(2, 4));
                values.CopyTo(value.AsSpan<int>());
                writer.Write(backend, tensor, value);
            }

            writer.Commit([]);
        }

        return Path.Combine(folder[name], "model.safetensors");
    }
}
