using System.Runtime.InteropServices;
using System.Text.Json;
using NativeEngine.Testing;

namespace NativeEngine.Cli.Tests;

public sealed class FailureTests
{
    private static readonly EngineException Broken = new("NE3007", "tensor shape does not match.")
    {
        File = "model.safetensors",
        Key = "lm_head.weight",
        Found = "[4096, 200]",
        Expected = "[4096, 256]",
        Hint = "download the file again",
    };

    public static TheoryData<Exception, int, string> Table { get; } = new()
    {
        { Broken, 3, "error NE3007: tensor shape does not match (file: model.safetensors, key: lm_head.weight, found [4096, 200], allowed [4096, 256]). download the file again\n" },
        { new EngineException("NE11001", "OUT exists"), 11, "error NE11001: OUT exists\n" },
        { new EngineException("NE4002", "bell \a and\nline"), 4, @"error NE4002: bell \u0007 and\u000Aline" + "\n" },
        { new AggregateException(Broken), 3, "error NE3007: " },
        { new InvalidOperationException("boom"), 1, "error NE1000: internal error: InvalidOperationException: boom" },
        { new OutOfMemoryException(), 7, "error NE7000: " },
        { new InsufficientMemoryException(), 7, "error NE7000: " },
        { new UnauthorizedAccessException("Access to the path 'x' is denied."), 5, "error NE5000: Access to the path 'x' is denied\n" },
        { new FileNotFoundException("Could not find file 'x'.", "x"), 5, "error NE5000: Could not find file 'x' (file: x)\n" },
        { new DirectoryNotFoundException("no such folder"), 5, "error NE5000: " },
        { new IOException("Input/output error", 5), 5, "error NE5000: " },
        { new OperationCanceledException(), 130, "error NE130000: " },
    };

    [Theory]
    [MemberData(nameof(Table))]
    public void Exception_becomes_an_exit_code_and_one_line(Exception exception, int exit, string start)
    {
        Outcome outcome = Cli.Run("inspect m", Cli.Failing(exception));
        Assert.Equal(exit, outcome.Exit);
        Assert.StartsWith(start, outcome.Error, StringComparison.Ordinal);
        Assert.Single(outcome.Error.TrimEnd('\n').Split('\n'));
        Assert.Empty(outcome.Out);
    }

    [SkippableFact]
    public void Full_disk_is_told_from_other_io_errors()
    {
        Skip.IfNot(OperatingSystem.IsLinux(), "errno of Linux");
        Assert.Equal(6, Cli.Run("inspect m", Cli.Failing(new IOException("No space left on device", 28))).Exit);
        Assert.Equal(6, Cli.Run("inspect m", Cli.Failing(new IOException("Disk quota exceeded", 122))).Exit);
    }

    [Fact]
    public void Facts_of_a_broken_checkpoint_are_printed_once()
    {
        using TemporaryFolder folder = new();
        folder.File("config.json", File.ReadAllText(Shared.Fixture("llama-mha", "config.json")));
        byte[] header = """{"model.norm.weight\u001b[2J\udb40\udc41":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}"""u8.ToArray();
        string file = folder.File("model.safetensors");
        File.WriteAllBytes(file, [.. BitConverter.GetBytes((long)header.Length), .. header, .. new byte[8]]);

        string line = Cli.Run(["inspect", folder.FullName], new EngineCalls()).Error;

        foreach (string fact in (string[])["NE3015", file, @"model.norm.weight\u001B[2J\uDB40\uDC41", "found 8 bytes", "8 bytes", "allowed 12 bytes (F32[3])", "12 bytes"])
        {
            Assert.Equal(2, line.Split(fact).Length);
        }
    }

    [Fact]
    public void Error_object_has_every_fact()
    {
        Outcome outcome = Cli.Run("inspect m --json", Cli.Failing(Broken));
        Assert.Equal(
            """{"schema":1,"error":{"code":"NE3007","exit":3,"message":"tensor shape does not match.","file":"model.safetensors","key":"lm_head.weight","expected":"[4096, 256]","found":"[4096, 200]","hint":"download the file again","retryable":false}}""" + "\n",
            outcome.Out);
    }

    [Theory]
    [InlineData("NE6001", true)]
    [InlineData("NE7001", true)]
    [InlineData("NE9001", true)]
    [InlineData("NE5001", false)]
    [InlineData("NE10001", false)]
    public void Retryable_is_what_the_state_of_the_machine_decides(string code, bool retryable)
    {
        JsonElement error = Cli.Run("inspect m --json", Cli.Failing(new EngineException(code, "x"))).Json.GetProperty("error");
        Assert.Equal(retryable, error.GetProperty("retryable").GetBoolean());
    }

    [Fact]
    public void Stack_only_with_verbose()
    {
        EngineCalls engine = Cli.Failing(new InvalidOperationException("boom"));
        Assert.DoesNotContain("   at ", Cli.Run("inspect m", engine).Error, StringComparison.Ordinal);
        Assert.Contains("   at ", Cli.Run("inspect m --verbose", engine).Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(PosixSignal.SIGHUP, 129)]
    [InlineData(PosixSignal.SIGINT, 130)]
    [InlineData(PosixSignal.SIGTERM, 143)]
    public void Signal_cancels_the_run(PosixSignal signal, int exit)
    {
        using Interruption interruption = new();
        EngineCalls engine = Cli.Engine with
        {
            Inspect = (session, _) =>
            {
                Assert.True(interruption.Raise(signal));
                Assert.False(interruption.Raise(PosixSignal.SIGINT));
                session.Cancel.ThrowIfCancellationRequested();
                throw new InvalidOperationException("not cancelled");
            },
        };
        Outcome outcome = Cli.Run(["inspect", "m", "--json"], engine, interruption);
        Assert.Equal(exit, outcome.Exit);
        Assert.Equal(exit, outcome.Json.GetProperty("error").GetProperty("exit").GetInt32());
        Assert.Contains($"stopped by {signal}", outcome.Error, StringComparison.Ordinal);
    }
}
