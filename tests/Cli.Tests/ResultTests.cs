using System.Text.Json;
using NativeEngine.Kernels;

namespace NativeEngine.Cli.Tests;

public sealed class ResultTests
{
    [Theory]
    [InlineData("inspect m", "inspect")]
    [InlineData("tokenize m --text a", "tokenize")]
    [InlineData("eval perplexity m --text t", "eval perplexity")]
    [InlineData("slice m o --calibration t", "slice")]
    [InlineData("groups m", "groups")]
    [InlineData("prune m o", "prune")]
    [InlineData("tune m o --data d", "tune")]
    [InlineData("merge m a o", "merge")]
    [InlineData("generate m --prompt a", "generate")]
    [InlineData("generate m --prompt a --stream", "generate")]
    [InlineData("export m o --to hf", "export")]
    [InlineData("doctor", "doctor")]
    [InlineData("demo", "demo")]
    public void Json_is_the_last_line(string line, string command)
    {
        Outcome outcome = Cli.Run($"{line} --json");
        Assert.True(outcome.Exit == 0, outcome.Error);
        Assert.EndsWith("}\n", outcome.Out, StringComparison.Ordinal);
        Assert.Equal(1, outcome.Json.GetProperty("schema").GetInt32());
        Assert.Equal(command, outcome.Json.GetProperty("command").GetString());
        Assert.True(outcome.Json.GetProperty("seconds").GetDouble() >= 0);
        Assert.True(outcome.Json.GetProperty("peak_rss_bytes").GetInt64() > 1_000_000);
    }

    [Fact]
    public void Inspect_as_text()
    {
        Assert.Equal(
            """
            model             m
            family            llama
            sliced            no
            hidden size       256
            vocabulary        4,096
            positions         512
            parameters        5,263,616
            weights           10.5 MB
            macs, 64 tokens   300,000,000

            layers  heads  kv heads  head dim  ffn  attention in  out  mlp in  out
            0..1        8         8        32  688           256  256     256  256
            2           8         8        32  512           256  256     256  256

            """.ReplaceLineEndings("\n"),
            Cli.Run("inspect m").Out);
    }

    [Fact]
    public void Tune_as_text()
    {
        Assert.Equal(
            """
            model             m
            written to        o
            trained           123,456 parameters on 51,760 examples
            steps             12 (1.5 epochs), stopped early
            loss              5.9438 -> 5.7939
            held-out loss     5.9375 -> 5.8125 behind step 12, which is written
            tokens/s          1,234.5
            tokenizer         auto: tokenizer.json

            phase  seconds
            train   1.25 s

            """.ReplaceLineEndings("\n"),
            Cli.Run("tune m o --data d").Out);
        Assert.Equal([5.94381, 5.79385], Cli.Run("tune m o --data d --json").Json.GetProperty("loss").EnumerateArray().Select(loss => loss.GetDouble()));
    }

    [Fact]
    public void Merge_as_text() =>
        Assert.Equal("model             m\nwritten to        o\nparameters        5,263,616\n", Cli.Run("merge m a o").Out);

    [Fact]
    public void Slice_as_text()
    {
        Assert.Equal(
            """
            model             m
            written to        o
            parameters        5,263,616 -> 4,200,000 (-20.2 %)
            perplexity        23.5000 -> 27.2500
            calibration       128 windows of 2048 tokens
            tokenizer         auto: tokenizer.json

            layers  heads  kv heads  head dim  ffn  attention in  out  mlp in  out
            0           8         8        32  688           256  256     256  256

            phase    seconds
            forward   1.25 s

            """.ReplaceLineEndings("\n"),
            Cli.Run("slice m o --calibration t").Out);
    }

    [Fact]
    public void Prune_as_text() => Assert.StartsWith(
        """
        model             m
        written to        o
        parameters        5,263,616 -> 4,866,304 (-7.5 %)
        perplexity        23.5000 -> 24.7500
        cut heads         3 in 2 layers
        cut channels      3
        loads in          this engine: layers differ in shape
        tokenizer         auto: tokenizer.json

        """.ReplaceLineEndings("\n"),
        Cli.Run("prune m o").Out);

    [Theory]
    [InlineData(null, false, "transformers and this engine")]
    [InlineData(null, true, "transformers that read head_dim (newer than 4.41) and this engine")]
    [InlineData("layers differ", false, "this engine: layers differ")]
    public void Prune_says_what_loads_the_result(string? whyNotStock, bool needsHeadDim, string words)
    {
        EngineCalls engine = Cli.Engine with { Prune = (session, o) => Cli.Engine.Prune(session, o) with { WhyNotStock = whyNotStock, NeedsHeadDim = needsHeadDim, Ratio = 0.21875 } };
        string text = Cli.Run("prune m o", engine).Out;
        Assert.Contains($"loads in          {words}\n", text, StringComparison.Ordinal);
        Assert.Contains("ratio             0.2188\n", text, StringComparison.Ordinal);
        JsonElement json = Cli.Run("prune m o --json", engine).Json;
        Assert.Equal(whyNotStock is null, json.GetProperty("stock").GetBoolean());
        Assert.Equal(needsHeadDim, json.TryGetProperty("needs_head_dim", out _));
        Assert.Equal(0.21875, json.GetProperty("ratio").GetDouble());
    }

    [Fact]
    public void Groups_as_text()
    {
        Assert.Equal(
            """
            model             m
            groups            1

            root              layers.0.k_proj, 2 key heads with their query heads
            module           cut  size
            layers.0.k_proj  out    64
            layers.0.o_proj   in   192

            """.ReplaceLineEndings("\n"),
            Cli.Run("groups m").Out);
    }

    [Theory]
    [InlineData("generate m --prompt a", " was long\n")]
    [InlineData("generate m --prompt a --stream", " was long\n")]
    [InlineData("tokenize m --text a", "ids               1 22 333\ntokenizer         auto: tokenizer.json\n")]
    [InlineData("export m o --to hf", "model             m\nwritten to        o\nfiles             config.json, model.safetensors\n")]
    public void Other_verbs_as_text(string line, string text) => Assert.Equal(text, Cli.Run(line).Out);

    [SkippableFact]
    public void Notices_and_speed_go_to_standard_error_unless_quiet()
    {
        CudaProbe probe = CudaProbe.Run();
        Skip.IfNot(probe is { IsAbsent: true, FolderProblem: null }, "there is a GPU");
        Assert.Equal(
            $"""
            note: device: cpu ({probe.Problem})
            note: 2 tokens, 100.0 tokens/s, prompt in 0.50 s

            """.ReplaceLineEndings("\n"),
            Cli.Run("generate m --prompt a").Error);
        Assert.Empty(Cli.Run("generate m --prompt a --quiet").Error);
        Assert.Empty(Cli.Run("generate m --prompt a --stream").Error);
    }

    [Fact]
    public void Notices_are_part_of_the_json_result_even_when_quiet()
    {
        EngineCalls engine = Cli.Engine with
        {
            Merge = (session, o) =>
            {
                session.Reporter.Notice("another \"model\"");
                session.Reporter.Notice("another \"model\"");
                return Cli.Engine.Merge(session, o);
            },
        };
        Assert.Equal(["another \"model\""], Cli.Run("merge m a o --json --quiet", engine).Json.GetProperty("notices").EnumerateArray().Select(notice => notice.GetString()));
        Assert.False(Cli.Run("merge m a o --json").Json.TryGetProperty("notices", out _));
    }

    [Fact]
    public void Text_from_a_model_cannot_drive_the_terminal()
    {
        EngineCalls engine = Cli.Engine with
        {
            Generate = (session, o) => Cli.Engine.Generate(session, o with { OnText = null }) with { Text = "a\e]0;title\a\u202Eb\n\u009Bc é 😀" },
        };
        Assert.Equal("a\\u001B]0;title\\u0007\\u202Eb\n\\u009Bc é 😀\n", Cli.Run("generate m --prompt a", engine).Out);
        Assert.DoesNotContain('\u009B', Cli.Run("generate m --prompt a --json", engine).Out);
        Assert.Equal("a\e]0;title\a\u202Eb\n\u009Bc é 😀", Cli.Run("generate m --prompt a --json", engine).Json.GetProperty("text").GetString());
    }

    [Fact]
    public void Numbers_that_are_not_finite_never_appear()
    {
        EngineCalls engine = Cli.Engine with
        {
            Perplexity = (session, o) => Cli.Engine.Perplexity(session, o) with { Perplexity = double.NaN, MeanNll = null, TokensPerSecond = double.PositiveInfinity },
        };
        JsonElement json = Cli.Run("eval perplexity m --text t --json", engine).Json;
        Assert.Equal(JsonValueKind.Null, json.GetProperty("perplexity").ValueKind);
        Assert.Equal(JsonValueKind.Null, json.GetProperty("mean_nll").ValueKind);
        Assert.Equal(JsonValueKind.Null, json.GetProperty("tokens_per_second").ValueKind);
        Assert.Contains("not finite", Cli.Run("eval perplexity m --text t", engine).Out, StringComparison.Ordinal);
        Assert.DoesNotContain("NaN", Cli.Run("eval perplexity m --text t", engine).Out, StringComparison.Ordinal);
    }
}
