using NativeEngine.Checkpoints;

namespace NativeEngine.Tests.Checkpoints;

/// <summary>One process at a time writes an output.</summary>
public sealed class OutputClaimTests : IDisposable
{
    private readonly string root = Directory.CreateTempSubdirectory("ne-claim-").FullName;

    [Fact]
    public void The_second_claim_is_refused_until_the_first_is_given_up()
    {
        string output = Path.Combine(root, "deep", "out");
        using (OutputClaim.Take(output, overwrite: false, input: null))
        {
            EngineException e = Assert.Throws<EngineException>(() => OutputClaim.Take(output, overwrite: true, input: null));
            Assert.Equal(("NE11007", ExitCode.OutputExists), (e.Code, e.Exit));
            Assert.Contains($"process {Environment.ProcessId} on ", e.Found, StringComparison.Ordinal);
            using OutputClaim other = OutputClaim.Take(output + "2", overwrite: false, input: null);
        }

        Assert.Empty(Directory.GetFileSystemEntries(root));
        OutputClaim.Take(output, overwrite: false, input: null).Dispose();
    }

    [Fact]
    public void What_a_killed_process_left_is_removed_and_nothing_else()
    {
        string[] stay = [".out.replaced-1-a", ".out2.partial-1-a", "out.tune"];
        foreach (string name in (string[])[".out.partial-1-a", .. stay])
        {
            File.WriteAllText(Path.Combine(Directory.CreateDirectory(Path.Combine(root, name)).FullName, "file"), "");
        }

        File.WriteAllText(Path.Combine(root, ".out.lock"), "process 1 on another machine, killed");
        OutputClaim.Take(Path.Combine(root, "out"), overwrite: false, input: null).Dispose();
        Assert.Equal(stay.Order(StringComparer.Ordinal), Directory.GetFileSystemEntries(root).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void What_writing_would_refuse_is_refused_at_once()
    {
        Directory.CreateDirectory(Path.Combine(root, "out"));
        Assert.Equal("NE11001", Assert.Throws<EngineException>(() => OutputClaim.Take(Path.Combine(root, "out"), overwrite: false, input: null)).Code);
        Assert.Equal(["out"], Directory.GetFileSystemEntries(root).Select(Path.GetFileName));
    }

    public void Dispose() => Directory.Delete(root, recursive: true);
}
