using System.CommandLine;
using NativeEngine.Bench;
using NativeEngine.Cli.Options;
using NativeEngine.Kernels;
using NativeEngine.Prune;

namespace NativeEngine.Cli.Commands;

/// <summary><c>bench gemm|eigen|kernels|slice|prune|tune|decode|tokenize</c>: how fast this machine is.</summary>
internal static partial class BenchCommand
{
    private static readonly int[] DefaultSizes = [256, 512, 1024, 2048];
    private static readonly int[] DefaultThreads = [.. new[] { 1, Environment.ProcessorCount }.Distinct()];

    public static Command Create(Host host) => new Verb(
        "bench",
        "Measure how fast this machine does the work: the results are figures, not models.",
        "nativeengine bench gemm",
        "nativeengine bench slice --shape opt-125m --samples 32",
        "nativeengine bench decode --shape llama-91m --json") { Gemm(host), Eigen(host), Kernels(host), Slice(host), Prune(host), Tune(host), Decode(host), Tokenize(host) };

    private static Verb Gemm(Host host)
    {
        Option<IntegerList?> sizes = Sizes("Rows and columns of the square matrices", "256,512,1024,2048; 4096,8192 on cuda");
        Option<IntegerList?> threads = Threads();
        CommonOptions common = new() { Computes = true };

        Verb verb = new(
            "gemm",
            "Time matrix products beside the best that the device can do, measured in the same run: fp32 and fp64 against the multiply-add peak of the cores, on cuda also bf16 and fp16, all against what cuBLASLt gives alone.",
            "nativeengine bench gemm",
            "nativeengine bench gemm --n 1024,4096 --threads 1,2 --json") { sizes, threads, common.Device };
        common.AddReportingTo(verb);
        verb.SetAction(parse => host.Run(parse, common, session => GemmBench.Run(
            session, parse.GetValue(sizes)?.Values ?? (session.Backend.IsHost ? DefaultSizes : [4096, 8192]), parse.GetValue(threads)?.Values ?? DefaultThreads), Print));
        return verb;
    }

    private static Verb Eigen(Host host)
    {
        Option<IntegerList?> sizes = Sizes("Rows and columns of the symmetric matrices", "256,512,1024,2048; 2560,4096,5120,8192 on cuda");
        Option<IntegerList?> threads = Threads();
        CommonOptions common = new() { Computes = true };

        Verb verb = new(
            "eigen",
            "Time symmetric eigendecompositions in fp64 beside the spectral projector of slice --eigen projector, which finds the subspace of the largest seven tenths, and show how accurate they are.",
            "nativeengine bench eigen",
            "nativeengine bench eigen --n 768,4096 --json") { sizes, threads, common.Device };
        common.AddReportingTo(verb);
        verb.SetAction(parse => host.Run(parse, common, session => EigenBench.Run(
            session, parse.GetValue(sizes)?.Values ?? (session.Backend.IsHost ? DefaultSizes : [2560, 4096, 5120, 8192]), parse.GetValue(threads)?.Values ?? DefaultThreads), Print));
        return verb;
    }

    private static Verb Kernels(Host host)
    {
        Option<int?> rows = Checked.OptionalInteger("--rows", "Rows of the matrices: tokens (default: 2048, 16384 on cuda)");
        Option<int?> columns = Checked.OptionalInteger("--columns", "Columns: width of the model, a multiple of 16 (default: 1024, 4096 on cuda)");
        CommonOptions common = new() { Computes = true, Dtype = CommonOptions.ComputeType("fp32") };

        Verb verb = new(
            "kernels",
            "Time every op of the device on operands that no cache holds: GB/s beside the copy bandwidth, GFLOP/s beside the peak of products, both measured in the same run.",
            "nativeengine bench kernels",
            "nativeengine bench kernels --rows 512 --columns 768 --json") { rows, columns };
        common.AddTo(verb);
        verb.SetAction(parse => host.Run(parse, common, session => KernelBench.Run(
            session, parse.GetValue(common.Dtype) ?? DType.F32,
            parse.GetValue(rows) ?? (session.Backend.IsHost ? 2048 : 16384), parse.GetValue(columns) ?? (session.Backend.IsHost ? 1024 : 4096)), Print));
        return verb;
    }

    private static Verb Slice(Host host)
    {
        Option<string> shape = Shape();
        Option<int> samples = Checked.Integer("--samples", "Calibration windows of the largest run", 32);
        Option<int> seqLen = Checked.Integer("--seqlen", "Tokens per window, never above the shape's positions", 2048);
        Option<double> sparsity = SliceCommand.Sparsity();
        Option<EigenSolver> eigen = Checked.Choice(
            "--eigen", "What finds the kept subspaces", ("exact", EigenSolver.Exact), ("projector", EigenSolver.Projector));
        CommonOptions common = new() { Computes = true, Dtype = CommonOptions.ComputeType("fp32 on cpu, bf16 on cuda") };

        Verb verb = new(
            "slice",
            "Time slicing, on random weights in the shape of a real model that are drawn on the device and written nowhere; what files would add is measured apart. On a CPU in runs of growing depth and length: seconds per layer and million tokens are constant where time is linear in both.",
            "nativeengine bench slice --shape opt-125m --samples 32",
            "nativeengine bench slice --device cuda --shape llama-7b --samples 128 --seqlen 2048 --sparsity 0.3") { shape, samples, seqLen, sparsity, eigen };
        common.AddTo(verb);
        verb.SetAction(parse => host.Run(parse, common, session => SliceBench.Run(
            session, parse.GetRequiredValue(shape), parse.GetValue(samples), parse.GetValue(seqLen), parse.GetValue(sparsity), parse.GetValue(eigen)), Print));
        return verb;
    }

    private static Verb Prune(Host host)
    {
        Option<string> shape = Shape();
        Option<IntegerList?> layers = Checked.Integers("--layers", "Numbers of layers to try instead of the shape's own", least: 3);
        Option<int> samples = Checked.Integer("--samples", "Calibration windows", 10);
        Option<int> seqLen = Checked.Integer("--seqlen", "Tokens per window, never above the shape's positions", 64);
        Option<double> ratio = PruneCommand.Ratio();
        Option<TaylorOrder> taylor = PruneCommand.Taylor();
        CommonOptions common = new() { Computes = true, Backpropagates = true, Dtype = CommonOptions.ComputeType("fp32 on cpu, bf16 on cuda") };

        Verb verb = new(
            "prune",
            "Time scoring and cutting, on random weights in the shape of a real model that are drawn on the device, layer by layer on a CPU, and show the memory it takes: with --activation-memory 0 only the residual stream grows with the layers.",
            "nativeengine bench prune --shape llama-91m",
            "nativeengine bench prune --shape llama-91m --layers 4,8,16 --activation-memory 0") { shape, layers, samples, seqLen, ratio, taylor };
        common.AddTo(verb);
        verb.SetAction(parse => host.Report(parse, common, reporter => PruneBench.Run(
            () => common.Open(parse, reporter, host.Interruption.Token),
            parse.GetRequiredValue(shape), parse.GetValue(layers)?.Values, parse.GetValue(samples), parse.GetValue(seqLen), parse.GetValue(ratio), parse.GetValue(taylor)), Print));
        return verb;
    }

    private static Verb Tune(Host host)
    {
        Option<string> shape = Shape();
        Option<string?> model = Checked.Text("--model", "MODEL", "Folder of a model to use instead of a shape");
        Option<int> batch = Checked.Integer("--batch", "Rows of the micro-batch", 4);
        Option<int> seqLen = Checked.Integer("--seqlen", "Tokens per row, never above the model's positions", 256);
        Option<int> rank = Checked.Integer("--rank", "Rank of the adapters on all linear maps", 8);
        Option<double> dropout = Checked.Number("--dropout", "x", "Dropout of the last row", 0.05, "0 <= x < 1", x => x is >= 0 and < 1);
        CommonOptions common = new() { Computes = true, Backpropagates = true };

        Verb verb = new(
            "tune",
            "Time training steps: forward and backward through a base that stays as it is, without adapters, with them, and with dropout.",
            "nativeengine bench tune --shape llama-91m",
            "nativeengine bench tune --model samples/sample-llama --batch 8 --seqlen 128 --json") { shape, model, batch, seqLen, rank, dropout };
        common.AddTo(verb);
        verb.SetAction(parse => host.Run(parse, common, session => TuneBench.Run(
            session, parse.GetValue(model), parse.GetRequiredValue(shape), parse.GetValue(batch), parse.GetValue(seqLen), parse.GetValue(rank), parse.GetValue(dropout)), Print));
        return verb;
    }

    private static Verb Decode(Host host)
    {
        Option<string> shape = Shape();
        Option<string?> model = Checked.Text("--model", "MODEL", "Folder of a model to use instead of a shape");
        Option<int> prompt = Checked.Integer("--prompt-tokens", "Tokens of the prompt", 128);
        Option<int> newTokens = Checked.Integer("--new-tokens", "Tokens to decode one by one", 64);
        CommonOptions common = new() { Computes = true };

        Verb verb = new(
            "decode",
            "Time greedy decoding, one sequence at a time, against the memory bandwidth that bounds it.",
            "nativeengine bench decode --shape llama-91m",
            "nativeengine bench decode --model samples/sample-llama --new-tokens 100") { shape, model, prompt, newTokens };
        common.AddTo(verb);
        verb.SetAction(parse => host.Run(parse, common, session => DecodeBench.Run(
            session, parse.GetValue(model), parse.GetRequiredValue(shape), parse.GetValue(prompt), parse.GetValue(newTokens)), Print));
        return verb;
    }

    private static Verb Tokenize(Host host)
    {
        Argument<string> model = CommonOptions.Model();
        Option<string> file = new("--file") { HelpName = "FILE", Description = "Text to encode, as one string and line by line", Required = true };
        Option<int> repetitions = Checked.Integer("--repetitions", "Runs of which the best counts, each with an empty word cache", 5);
        CommonOptions common = new();

        Verb verb = new(
            "tokenize",
            "Time each of a model's tokenizers on a text, on one thread.",
            "nativeengine bench tokenize samples/sample-llama --file samples/wikitext-2-test-excerpt.txt") { model, file, repetitions };
        common.AddReportingTo(verb);
        verb.SetAction(parse => host.Report(parse, common, reporter => TokenizeBench.Run(
            parse.GetRequiredValue(model), parse.GetRequiredValue(file), reporter, parse.GetValue(repetitions)), Print));
        return verb;
    }

    private static Option<IntegerList?> Sizes(string description, string byDefault) => Checked.Integers("--n", $"{description} (default: {byDefault})", least: 1);

    private static Option<IntegerList?> Threads() => Checked.Integers("--threads", "Numbers of threads to try on a CPU (default: 1 and all cores)", least: 1);

    private static Option<string> Shape() => new("--shape")
    {
        HelpName = "NAME",
        Description = "Model to take the shape of, e.g. llama-7b, opt-125m, phi-2; a name that is not known prints them all",
        DefaultValueFactory = _ => "opt-125m",
    };
}
