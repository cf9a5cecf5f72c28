using System.Diagnostics;

namespace NativeEngine.Cli.Tests;

/// <summary>What only a process of its own can show: signals, closed pipes, full disks, the environment.</summary>
public sealed class ProcessTests
{
    private static readonly string Program = Path.Combine(AppContext.BaseDirectory, "nativeengine.dll");

    [SkippableTheory]
    [InlineData("TERM", 143)]
    [InlineData("INT", 130)]
    [InlineData("HUP", 129)]
    public async Task Second_signal_ends_the_process_at_once(string signal, int exit)
    {
        using TemporaryFolder folder = new();
        string pipe = folder.File("pipe");
        using Process process = Shell($"mkfifo '{pipe}' && exec dotnet '{Program}' inspect m --config '{pipe}'");
        await Started(process);
        for (int i = 0; i < 2; i++)
        {
            Assert.False(process.HasExited);
            Kill(process, signal);
            await Task.Delay(500);
        }

        await process.WaitForExitAsync();
        Assert.Equal(exit, process.ExitCode);
    }

    [SkippableFact]
    public async Task An_argument_that_is_not_utf8_is_refused()
    {
        Skip.IfNot(OperatingSystem.IsLinux(), "the bytes of the command line are not shown");
        foreach ((string text, bool refused) in new[] { ("\\377", true), ("\\357\\277\\275", false) })
        {
            using Process process = Shell($"exec dotnet '{Program}' tokenize no-such-model --text \"$(printf '{text}')\"");
            string error = await process.StandardError.ReadToEndAsync();
            await process.WaitForExitAsync();
            Assert.Equal(refused, error.StartsWith("error NE2007: ", StringComparison.Ordinal));
        }
    }

    [SkippableTheory]
    [InlineData("TERM", 143)]
    [InlineData("INT", 130)]
    public async Task First_signal_stops_a_slice_and_leaves_nothing_behind(string signal, int exit)
    {
        using TemporaryFolder folder = new();
        string samples = Path.Combine(AppContext.BaseDirectory, "samples");
        using Process process = Shell(
            $"exec dotnet '{Program}' slice '{samples}/sample-llama' '{folder.File("out")}' --calibration '{samples}/wikitext-2-valid-excerpt.txt' --device cpu --threads 1");
        while (!process.HasExited && Directory.GetFileSystemEntries(folder.FullName).Length == 0)
        {
            await Task.Delay(10);
        }

        Kill(process, signal);
        string error = await process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == exit, error);
        Assert.Empty(Directory.GetFileSystemEntries(folder.FullName));
    }

    [SkippableFact]
    public async Task First_signal_stops_a_tuning_run_and_resume_completes_it_to_the_same_bytes()
    {
        using TemporaryFolder folder = new();
        string samples = Path.Combine(AppContext.BaseDirectory, "samples"), log = folder.File("log", ""), stopped = folder.File("stopped");
        string[] Tune(string output) =>
        [
            "tune", $"{samples}/sample-llama", output, "--data", $"{samples}/wikitext-2-valid-excerpt.txt", "--format", "text", "--cutoff", "32", "--batch", "4",
            "--micro-batch", "2", "--steps", "100", "--warmup", "10", "--lr", "1e-3", "--eval-samples", "4", "--eval-every", "25", "--rank", "2", "--device", "cpu",
        ];
        using Process process = Shell($"exec dotnet '{Program}' {string.Join(' ', Tune(stopped).Select(a => $"'{a}'"))} --log-file '{log}'");
        while (!process.HasExited && !(await ReadShared(log)).Contains("\"detail\":\"loss", StringComparison.Ordinal))
        {
            await Task.Delay(10);
        }

        Kill(process, "TERM");
        string error = await process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 143, error);
        Assert.Contains("--resume goes on from there", error, StringComparison.Ordinal);
        Assert.Contains("error NE143000: stopped by SIGTERM; no partial output is left behind", error, StringComparison.Ordinal);
        Assert.Equal(["log", "stopped.tune"], Directory.GetFileSystemEntries(folder.FullName).Select(Path.GetFileName).Order());
        Assert.StartsWith("checkpoint-", Path.GetFileName(Assert.Single(Directory.GetDirectories(stopped + ".tune"))), StringComparison.Ordinal);

        Outcome resumed = Cli.Run([.. Tune(stopped), "--resume", "--json"], new EngineCalls()), whole = Cli.Run([.. Tune(folder.File("whole")), "--json"], new EngineCalls());
        Assert.True(resumed.Exit == 0 && whole.Exit == 0, resumed.Error + whole.Error);
        Assert.Equal(whole.Json.GetProperty("loss").GetRawText(), resumed.Json.GetProperty("loss").GetRawText());
        Assert.All(["adapter_model.safetensors", "adapter_config.json", "loss.svg"], (string file) =>
            Assert.Equal(File.ReadAllBytes(Path.Combine(folder.File("whole"), file)), File.ReadAllBytes(Path.Combine(stopped, file))));
        Assert.False(Directory.Exists(stopped + ".tune"));
    }

    [SkippableFact]
    public async Task Hangup_is_ignored_under_nohup()
    {
        using TemporaryFolder folder = new();
        string pipe = folder.File("pipe");
        using Process process = Shell($"mkfifo '{pipe}' && trap '' HUP && exec dotnet '{Program}' doctor --config '{pipe}'");
        await Started(process);
        Kill(process, "HUP");
        Kill(process, "HUP");
        await Task.Delay(300);
        await File.WriteAllTextAsync(pipe, "{}");
        await process.WaitForExitAsync();
        Assert.Equal(0, process.ExitCode);
    }

    [SkippableTheory]
    [InlineData("doctor | true; echo ${PIPESTATUS[0]}", "0")]
    [InlineData("doctor > /dev/full; echo $?", "6")]
    [InlineData("inspect 2> /dev/full; echo $?", "2")]
    [InlineData("doctor --quiet 2>&- > /dev/null; echo $?", "0")]
    [InlineData("doctor < /dev/null > /dev/null; echo $?", "0")]
    public void Streams_may_be_closed_or_full(string command, string exit) => Assert.Equal(exit, Output($"dotnet '{Program}' {command}"));

    [SkippableFact]
    public void Missing_unicode_support_is_reported()
    {
        Assert.Equal("8", Output($"DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1 dotnet '{Program}' doctor > /dev/null; echo $?"));
    }

    [SkippableFact]
    public void Locale_changes_nothing()
    {
        string command = $"dotnet '{Program}' slice m o --calibration t --sparsity 1.5 2>&1";
        Assert.Equal(Output(command), Output($"LC_ALL=tr_TR.UTF-8 LANG=de_DE.UTF-8 {command}"));
    }

    [SkippableFact]
    public void File_size_limit_is_an_error_and_not_a_death()
    {
        using TemporaryFolder folder = new();
        string pipe = folder.File("pipe");
        Skip.If(Output("command -v prlimit; true").Length == 0, "prlimit is not installed");
        string script = $$"""
            mkfifo '{{pipe}}'
            dotnet '{{Program}}' doctor --config '{{pipe}}' --log-file '{{folder.File("log")}}' > /dev/null 2>&1 &
            sleep 1; prlimit --pid $! --fsize=64:64; echo '{}' > '{{pipe}}'; wait $!; echo $?
            """;
        Assert.Equal("6", Output(script));
    }

    /// <summary>What a process has written so far to a file that it still has open.</summary>
    private static async Task<string> ReadShared(string path)
    {
        await using FileStream stream = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        using StreamReader reader = new(stream);
        return await reader.ReadToEndAsync();
    }

    private static Process Shell(string script)
    {
        Skip.If(OperatingSystem.IsWindows(), "needs a Unix shell");
        ProcessStartInfo start = new("bash", ["-c", script]) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };
        start.Environment.Remove("NATIVEENGINE_CUDA_DIR");
        Process process = Process.Start(start)!;
        process.StandardInput.Close();
        return process;
    }

    private static string Output(string script)
    {
        using Process process = Shell(script);
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return output.Trim();
    }

    // The handlers are the first thing in Main, and SIGXFSZ the last of them; from then on its bit is in the mask of ignored ones.
    private static async Task Started(Process process)
    {
        Skip.IfNot(OperatingSystem.IsLinux(), "reads /proc");
        for (int i = 0; i < 200; i++)
        {
            string status = await File.ReadAllTextAsync($"/proc/{process.Id}/status");
            string ignored = status.Split('\n').First(line => line.StartsWith("SigIgn:", StringComparison.Ordinal))[7..].Trim();
            if ((Convert.ToUInt64(ignored, 16) & (1UL << 24)) != 0)
            {
                await Task.Delay(300);
                return;
            }

            await Task.Delay(50);
        }
    }

    private static void Kill(Process process, string signal)
    {
        using Process kill = Process.Start("kill", [$"-{signal}", $"{process.Id}"]);
        kill.WaitForExit();
    }
}
