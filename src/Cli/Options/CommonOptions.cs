using System.CommandLine;
using System.Globalization;
using NativeEngine.Cli.Progress;
using NativeEngine.Kernels;

namespace NativeEngine.Cli.Options;

/// <summary>The options that every verb has: how it reports and, for verbs that open a session, what it runs on.</summary>
internal sealed class CommonOptions
{
    /// <summary>True for verbs that do arithmetic on the device: they say which one was picked when none was asked for.</summary>
    public bool Computes { get; init; }

    /// <summary>True for verbs that run a backward.</summary>
    public bool Backpropagates { get; init; }

    public Option<MemoryLimit?> ActivationMemory { get; } = new CheckedOption<MemoryLimit?>(
        "--activation-memory", "BYTES|x%", "Memory for activations that the backward would compute again otherwise, e.g. 2GB, 0 or 25% of the device's; results do not depend on it (default: 25%)",
        "bytes, such as 500MB or 2GB, or a percentage", MemoryLimit.TryParse);

    public Option<string?> Device { get; } = new CheckedOption<string?>(
        "--device", "cpu|cuda[:n]", "Device to run on (default: the best one found)", "cpu, cuda, cuda:n", TryDevice);

    public Option<DType?> Dtype { get; init; } = ComputeType("fp32 on cpu, as stored on cuda");

    public Option<int?> Threads { get; } = Checked.OptionalInteger("--threads", "Threads to use (default: all cores); results do not depend on it", most: 1024);

    public Option<long> Seed { get; } = new CheckedOption<long>(
        "--seed", "n", "Seed of everything that is drawn at random", "a whole number", (string text, out long value) =>
            long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out value))
    {
        DefaultValueFactory = _ => 42,
    };

    public Option<bool> Json { get; } = Checked.Flag("--json", "Print the result as one JSON object, the last line of standard output");

    public Option<bool> Quiet { get; } = Checked.Flag("--quiet", "No progress and no notices on standard error");

    public Option<bool> Verbose { get; } = Checked.Flag("--verbose", "Show where an error came from");

    public Option<string?> LogFile { get; } = Checked.Text("--log-file", "FILE", "Append progress, notices and the outcome to FILE, one JSON object per line");

    public Option<string?> Config { get; } = Checked.Text("--config", "FILE", "Take options that are not given here from FILE, a JSON object of names and values");

    /// <summary>What a model computes in.</summary>
    public static Option<DType?> ComputeType(string byDefault) => Checked.Choice<DType?>(
        "--dtype", $"Type to compute in (default: {byDefault})", ("fp32", DType.F32), ("bf16", DType.BF16), ("fp16", DType.F16));

    /// <summary>What OUT holds, for the verbs that write a model.</summary>
    public static Option<DType?> Store() => Checked.Choice<DType?>(
        "--store", "Type that OUT holds (default: as MODEL stores it)", ("fp32", DType.F32), ("bf16", DType.BF16), ("fp16", DType.F16));

    /// <summary>Which tokenizer, for the verbs that read or write text.</summary>
    public static Option<TokenizerChoice?> Tokenizer(string byDefault = "auto") => Checked.Choice<TokenizerChoice?>(
        "--tokenizer",
        $"auto: as AutoTokenizer of transformers 4.41; file: tokenizer.json as it stands; slow: tokenizer.model (default: {byDefault})",
        ("auto", TokenizerChoice.Auto), ("file", TokenizerChoice.File), ("slow", TokenizerChoice.Slow));

    /// <summary>Replace OUT, for the verbs that write a model.</summary>
    public static Option<bool> Overwrite() => Checked.Flag("--overwrite", "Replace OUT if it exists; the old one is kept until the new one is complete");

    /// <summary>The folder of the model.</summary>
    public static Argument<string> Model() => new("MODEL") { Description = "Folder with config.json, *.safetensors and tokenizer files" };

    /// <summary>The folder to write.</summary>
    public static Argument<string> Out() => new("OUT") { Description = "Folder to write; must not exist unless --overwrite is given" };

    /// <summary>Adds all options to a verb that opens a session.</summary>
    public void AddTo(Command command)
    {
        command.Add(Device);
        command.Add(Dtype);
        command.Add(Threads);
        if (Backpropagates)
        {
            command.Add(ActivationMemory);
        }

        command.Add(Seed);
        AddReportingTo(command);
    }

    /// <summary>Adds the options of a verb that opens none.</summary>
    public void AddReportingTo(Command command)
    {
        command.Add(Json);
        command.Add(Quiet);
        command.Add(Verbose);
        command.Add(LogFile);
        command.Add(Config);
    }

    /// <summary>Opens a session on the device that was asked for.</summary>
    public Session Open(ParseResult parse, IReporter reporter, CancellationToken cancel)
    {
        string? device = parse.GetValue(Device);
        Session session = new(Computes ? device : device ?? "cpu", parse.GetValue(Threads) ?? 0, reporter, cancel) { DType = parse.GetValue(Dtype) };
        if (session is { ComputesIn16Bits: false, DType: DType.BF16 or DType.F16 })
        {
            session.Dispose();
            throw Unsupported.Value("--dtype", session.DType == DType.BF16 ? "bf16" : "fp16", "fp32", "the CPU computes in fp32; --store chooses what OUT holds");
        }

        if (Backpropagates && parse.GetValue(ActivationMemory) is { } limit)
        {
            session.ActivationMemory = limit.BytesOf(session.Backend.MemoryBytes);
        }

        if (Computes && (device is null || session.DeviceRemark is not null))
        {
            reporter.Notice($"device: {session.Backend.Name}{(session.DeviceRemark is { } remark ? $" ({remark})" : "")}");
        }

        return session;
    }

    /// <summary>Opens the log file; null when none was asked for. Error: NE5020 it cannot be written.</summary>
    public LogFile? OpenLog(ParseResult parse, TimeProvider time)
    {
        if (parse.GetValue(LogFile) is not { } path)
        {
            return null;
        }

        try
        {
            return new LogFile(path, time);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException && !DiskSpace.IsLacking(e))
        {
            throw new EngineException("NE5020", $"the log file cannot be opened: {e.Message}", e) { File = path, Key = LogFile.Name, Hint = "check that you may write there" };
        }
    }

    private static bool TryDevice(string text, out string? device)
    {
        device = text;
        return text is "cpu" or "cuda" || (text.StartsWith("cuda:", StringComparison.Ordinal) && ushort.TryParse(text.AsSpan(5), NumberStyles.None, CultureInfo.InvariantCulture, out _));
    }
}
