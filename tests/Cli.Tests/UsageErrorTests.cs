using NativeEngine.Kernels;

namespace NativeEngine.Cli.Tests;

public sealed class UsageErrorTests
{
    [Theory]
    [InlineData("", "a verb is missing")]
    [InlineData("eval", "a verb is missing (allowed perplexity)")]
    [InlineData("slise", "unknown verb 'slise'. did you mean 'slice'?")]
    [InlineData("slcie m o", "unknown verb 'slcie'. did you mean 'slice'?")]
    [InlineData("prune m --globl --calibration t", "unknown option '--globl'. did you mean '--global'?")]
    [InlineData("slice m -x --calibration t", "unknown option '-x'. see 'nativeengine slice --help'")]
    [InlineData("slice m --sparsty 3 --calibration t", "unknown option '--sparsty'. did you mean '--sparsity'?")]
    [InlineData("frobnicate", "unknown verb 'frobnicate'. see 'nativeengine --help'")]
    [InlineData("eval perplexty m", "unknown verb 'perplexty'. did you mean 'perplexity'?")]
    [InlineData("slice m o --calibration t --sparsty 0.5", "unknown option '--sparsty'. did you mean '--sparsity'?")]
    [InlineData("slice m o --calibration t --activation-memory 1", "unknown option '--activation-memory'. see 'nativeengine slice --help'")]
    [InlineData("inspect m extra", "unknown argument 'extra'")]
    [InlineData("inspect", "Required argument 'MODEL' missing")]
    [InlineData("slice m --calibration t", "Required argument 'OUT' missing")]
    [InlineData("slice m o", "Option '--calibration' is required")]
    [InlineData("eval perplexity m", "Option '--text' is required")]
    [InlineData("eval perplexity m --text a --text b", "expects a single argument")]
    [InlineData("eval perplexity m --text t --batch", "Required argument missing for option: '--batch'")]
    [InlineData("tokenize m", "exactly one of --text and --file is needed")]
    [InlineData("tokenize m --text a --file b", "exactly one of --text and --file is needed")]
    [InlineData("generate m", "exactly one of --prompt and --prompt-ids is needed")]
    [InlineData("export m o", "Option '--to' is required")]
    [InlineData("prune m", "OUT is missing")]
    [InlineData("prune m o --plan p", "leave out OUT")]
    [InlineData("prune m --plan p --eval t", "leave out --eval")]
    [InlineData("prune m o --ratio 0.2 --target-parameters 0.8", "--ratio and --target-parameters both say what is cut")]
    [InlineData("prune m o --keep-layers 4", "--keep-layers needs --scope layer")]
    [InlineData("prune m o --scope layer --iterations 2", "--iterations does not go with --scope layer")]
    [InlineData("tune m o", "Option '--data' is required")]
    [InlineData("tune m o --data d --eval-data e --eval-samples 3", "--eval-data and --eval-samples are two ways")]
    [InlineData("tune m o --data d --patience 3", "--patience and --eval-every need something to measure on")]
    [InlineData("tune m o --data d --eval-every 3", "--patience and --eval-every need something to measure on")]
    [InlineData("tune m o --data d --format text --train-on-inputs", "--train-on-inputs is about prompts")]
    [InlineData("merge m a", "Required argument 'OUT' missing")]
    [InlineData("completions tcsh", "'tcsh'")]
    public void Wrong_command_line(string line, string message)
    {
        Outcome outcome = Cli.Run(line);
        Assert.Equal(2, outcome.Exit);
        Assert.Matches(@"^error NE200\d: ", outcome.Error);
        Assert.Contains(message, outcome.Error, StringComparison.Ordinal);
        Assert.Single(outcome.Error.TrimEnd('\n').Split('\n'));
        Assert.Empty(outcome.Out);
    }

    [Fact]
    public void Behind_two_dashes_everything_is_an_argument() => Assert.Contains("\"model\":\"-m\"", Cli.Run("inspect --json -- -m").Out, StringComparison.Ordinal);

    [Theory]
    [InlineData("MODEL", "inspect", "")]
    [InlineData("OUT", "slice", "m", "", "--calibration", "t")]
    [InlineData("--calibration", "slice", "m", "o", "--calibration", "")]
    [InlineData("--plan", "prune", "m", "--plan", "")]
    [InlineData("--log-file", "inspect", "m", "--log-file", "")]
    public void An_empty_path_is_named(string name, params string[] words)
    {
        Outcome outcome = Cli.Run(words);
        Assert.Equal(2, outcome.Exit);
        Assert.StartsWith($"error NE2006: {name} is empty", outcome.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("slice m o --calibration t", "--sparsity", "1", "0 <= x < 1")]
    [InlineData("slice m o --calibration t", "--sparsity", "-0.1", "0 <= x < 1")]
    [InlineData("slice m o --calibration t", "--sparsity", "NaN", "0 <= x < 1")]
    [InlineData("slice m o --calibration t", "--sparsity", "0,25", "0 <= x < 1")]
    [InlineData("slice m o --calibration t", "--sparsity", "a lot", "0 <= x < 1")]
    [InlineData("slice m o --calibration t", "--round", "0", "a whole number from 1 to 2147483647")]
    [InlineData("slice m o --calibration t", "--samples", "0", "a whole number from 1 to 2147483647")]
    [InlineData("slice m o --calibration t", "--samples", "1.5", "a whole number from 1 to 2147483647")]
    [InlineData("slice m o --calibration t", "--seqlen", "99999999999", "a whole number from 1 to 2147483647")]
    [InlineData("slice m o --calibration t", "--eval-seqlen", "-1", "a whole number from 1 to 2147483647")]
    [InlineData("slice m o --calibration t", "--orientation", "PCA", "pca, random")]
    [InlineData("slice m o --calibration t", "--eigen", "qdwh", "exact, projector")]
    [InlineData("slice m o --calibration t", "--compat", "llm-pruner", "slicegpt")]
    [InlineData("slice m o --calibration t", "--store", "int8", "fp32, bf16, fp16")]
    [InlineData("slice m o --calibration t", "--seed", "x", "a whole number")]
    [InlineData("slice m o --calibration t", "--rows", "trim", "keep, strip")]
    [InlineData("prune m o", "--ratio", "1", "0 <= x < 1")]
    [InlineData("prune m o", "--target-parameters", "-2", "a number above 0")]
    [InlineData("prune m o", "--attention-layers", "4-8", "two layers with .. between them, such as 4..29, or none")]
    [InlineData("prune m o", "--mlp-layers", "8..4", "two layers with .. between them, such as 4..29, or none")]
    [InlineData("prune m o", "--scope", "width", "block, channel, layer")]
    [InlineData("prune m o --scope layer", "--iterations", "two", "a whole number from 1 to 2147483647")]
    [InlineData("prune m o", "--taylor", "third", "param_first, param_second, param_mix, vectorize")]
    [InlineData("prune m o", "--activation-memory", "lots", "bytes, such as 500MB or 2GB, or a percentage")]
    [InlineData("prune m o", "--activation-memory", "120%", "bytes, such as 500MB or 2GB, or a percentage")]
    [InlineData("eval perplexity m --text t", "--protocol", "gptq", "slicegpt, llm-pruner, sparsegpt")]
    [InlineData("eval perplexity m --text t", "--max-chunks", "0", "a whole number from 1 to 2147483647")]
    [InlineData("eval perplexity m --text t", "--batch", "0", "a whole number from 1 to 2147483647")]
    [InlineData("eval perplexity m --text t", "--tokenizer", "fast", "auto, file, slow")]
    [InlineData("tune m o --data d --train-on-inputs", "--format", "sharegpt", "alpaca, text")]
    [InlineData("tune m o --data d", "--format", "sharegpt", "alpaca, text")]
    [InlineData("tune m o --data d", "--rank", "0", "a whole number from 1 to 65536")]
    [InlineData("tune m o --data d", "--rank", "65537", "a whole number from 1 to 65536")]
    [InlineData("tune m o --data d", "--alpha", "0", "x > 0")]
    [InlineData("tune m o --data d", "--lr", "infinity", "x > 0")]
    [InlineData("tune m o --data d", "--lr", "1e999", "x > 0")]
    [InlineData("tune m o --data d", "--lr-schedule", "step", "linear, cosine, constant")]
    [InlineData("tune m o --data d", "--weight-decay", "-0.1", "x >= 0")]
    [InlineData("tune m o --data d", "--clip", "NaN", "x >= 0")]
    [InlineData("tune m o --data d", "--dropout", "1", "0 <= x < 1")]
    [InlineData("tune m o --data d", "--dropout", "-0.1", "0 <= x < 1")]
    [InlineData("tune m o --data d", "--batch", "0", "a whole number from 1 to 2147483647")]
    [InlineData("tune m o --data d", "--micro-batch", "-4", "a whole number from 1 to 2147483647")]
    [InlineData("tune m o --data d", "--epochs", "1.5", "a whole number from 1 to 2147483647")]
    [InlineData("tune m o --data d", "--steps", "0", "a whole number from 1 to 2147483647")]
    [InlineData("tune m o --data d", "--eval-samples", "0", "a whole number from 1 to 2147483647")]
    [InlineData("tune m o --data d --eval-samples 1", "--patience", "0", "a whole number from 1 to 2147483647")]
    [InlineData("tune m o --data d --eval-samples 1", "--eval-every", "0", "a whole number from 1 to 2147483647")]
    [InlineData("tune m o --data d", "--activation-memory", "-1", "bytes, such as 500MB or 2GB, or a percentage")]
    [InlineData("tune m o --data d", "--warmup", "-1", "a whole number from 0 to 2147483647")]
    [InlineData("tune m o --data d", "--cutoff", "1", "a whole number from 2 to 2147483647")]
    [InlineData("tune m o --data d", "--targets", "", "words of q,k,v,o,gate,up,down, with commas between them")]
    [InlineData("tune m o --data d", "--targets", "q,head", "words of q,k,v,o,gate,up,down, with commas between them")]
    [InlineData("generate m --prompt a", "--max-new-tokens", "0", "a whole number from 1 to 2147483647")]
    [InlineData("generate m --prompt a", "--repetition-penalty", "0", "x > 0")]
    [InlineData("generate m --prompt a", "--temperature", "-1", "x >= 0")]
    [InlineData("generate m", "--prompt-ids", "1,,2", "whole numbers, 0 or more, with commas between them")]
    [InlineData("inspect m", "--threads", "0", "a whole number from 1 to 1024")]
    [InlineData("inspect m", "--device", "gpu", "cpu, cuda, cuda:n")]
    [InlineData("inspect m", "--device", "cuda:-1", "cpu, cuda, cuda:n")]
    [InlineData("inspect m", "--dtype", "f32", "fp32, bf16, fp16")]
    [InlineData("export m o", "--to", "onnx", "hf, hf-padded, gguf")]
    public void Value_out_of_range(string line, string option, string value, string allowed)
    {
        Outcome outcome = Cli.Run([.. line.Split(' '), option, value, "--json"]);
        Assert.Equal(2, outcome.Exit);
        Assert.Contains($"(key: {option}, found '{value}', allowed {allowed})", outcome.Error, StringComparison.Ordinal);

        System.Text.Json.JsonElement error = outcome.Json.GetProperty("error");
        Assert.Equal("NE2002", error.GetProperty("code").GetString());
        Assert.Equal(2, error.GetProperty("exit").GetInt32());
        Assert.Equal(option, error.GetProperty("key").GetString());
        Assert.Equal(allowed, error.GetProperty("expected").GetString());
    }

    [Theory]
    [InlineData("inspect m --dtype bf16", 4, "NE4901", "--dtype")]
    [InlineData("eval perplexity m --text t --dtype fp16 --device cpu", 4, "NE4901", "--dtype")]
    [InlineData("generate m --prompt a --temperature 0.7", 4, "NE4901", "--temperature")]
    [InlineData("generate m --prompt a --beams 4", 4, "NE4901", "--beams")]
    [InlineData("generate m --prompt a --top-k 5", 4, "NE4902", "--top-k")]
    [InlineData("generate m --prompt a --top-p 0.5", 4, "NE4902", "--top-p")]
    [InlineData("generate m --prompt a --chat", 4, "NE4902", "--chat")]
    [InlineData("export m o --to gguf", 4, "NE4901", "--to")]
    [InlineData("export m o --to hf-padded", 4, "NE4901", "--to")]
    [InlineData("inspect m --device cpu --dtype bf16", 4, "NE4901", "--dtype")]
    public void Known_option_that_cannot_be_served_is_refused(string line, int exit, string code, string option)
    {
        Outcome outcome = Cli.Run(line);
        Assert.Equal(exit, outcome.Exit);
        Assert.StartsWith($"error {code}: ", outcome.Error, StringComparison.Ordinal);
        Assert.Contains(option, outcome.Error, StringComparison.Ordinal);
        Assert.Empty(outcome.Out);
    }

    [SkippableFact]
    public void A_device_that_is_not_usable_says_why()
    {
        CudaProbe probe = CudaProbe.Run();
        Skip.If(probe.Problem is null, "there is a GPU");
        Assert.StartsWith($"error NE8001: device 'cuda:0' is not usable: {probe.Problem} (", Cli.Run("inspect m --device cuda:0").Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Values_that_ask_for_nothing_new_are_accepted()
    {
        Assert.Equal(0, Cli.Run("generate m --prompt a --temperature 0 --top-p 1 --beams 1 --dtype fp32 --device cpu").Exit);
    }
}
