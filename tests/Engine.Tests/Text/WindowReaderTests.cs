using NativeEngine.Spec;
using NativeEngine.Tests.Checkpoints;
using NativeEngine.Tests.Tune;
using NativeEngine.Text;

namespace NativeEngine.Tests;

/// <summary>A window that cannot be had names the option that asked for it, or what is at fault in its stead.</summary>
public sealed class WindowReaderTests : IDisposable
{
    private readonly string folder = Testing.Shared.Fixture("llama-mha");
    private readonly Session session = new("cpu", threads: 1);

    private ModelSpec Spec => SpecReader.Read(folder);

    public void Dispose() => session.Dispose();

    [Fact]
    public void The_option_that_asked_for_too_little_is_named()
    {
        var reader = new WindowReader(session, Spec, folder, TokenizerChoice.Auto);
        Assert.Equal(("NE2024", "--seqlen"), Code(() => reader.Evaluation(new("t.txt"), 1, null)));
        Assert.Equal(("NE2024", "--eval-seqlen"), Code(() => reader.Evaluation(new("t.txt"), 1, null, "--eval-seqlen")));
    }

    [Fact]
    public void A_model_with_one_position_predicts_nothing()
    {
        var reader = new WindowReader(session, Spec with { MaxPositions = 1 }, folder, TokenizerChoice.Auto);
        Assert.Equal(("NE4062", "max_position_embeddings"), Code(() => reader.Evaluation(new("t.txt"), 16, null)));
        using var model = new TemporaryModel("llama-mha", config: json => json["max_position_embeddings"] = 1);
        Assert.Equal(("NE4062", "max_position_embeddings"), Code(() => Verbs.Generate(session, new(model.Folder) { PromptIds = [1] })));
    }

    [Fact]
    public void A_slow_tokenizer_that_there_is_not_is_missed_where_it_was_asked_for()
    {
        string sample = Path.Combine(Testing.Shared.Root, "samples", "sample-llama");
        using TemporaryFolder model = new();
        foreach (string name in new[] { "tokenizer.json", "tokenizer_config.json" })
        {
            File.Copy(Path.Combine(sample, name), model[name]);
        }

        Notices notices = [];
        Tokenizer.Load(model.Location, null, notices, TokenizerChoice.Slow);
        Assert.Empty(notices);
        Tokenizer.Load(model.Location, TokenizerChoice.Slow, notices);
        Assert.StartsWith($"{model.Location} has no tokenizer.model", Assert.Single(notices), StringComparison.Ordinal);
    }

    private static (string Code, string? Key) Code(Action action)
    {
        EngineException e = Assert.Throws<EngineException>(action);
        return (e.Code, e.Key);
    }
}
