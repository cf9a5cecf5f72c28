using System.Security.Cryptography;
using NativeEngine.Cli.Doctor;

namespace NativeEngine.Cli.Tests;

public sealed class DoctorTests
{
    [Fact]
    public void Names_what_this_build_has_and_has_not()
    {
        Outcome outcome = Cli.Run("doctor");
        Assert.Equal(0, outcome.Exit);
        foreach (string name in (string[])["system", ".net", "cpu", "vectors", "cores", "memory", "unicode", "sha-256", "disk", "leftovers", "cuda"])
        {
            Assert.Contains($"\n{name} ", "\n" + outcome.Out, StringComparison.Ordinal);
        }

        Assert.Contains("not part of this build: CPU only", outcome.Out, StringComparison.Ordinal);
    }

    [Fact]
    public void Normalisation_that_does_nothing_is_broken() => Assert.False(Checks.Unicode((text, _) => text).Ok);

    [Fact]
    public void A_missing_digest_is_broken()
    {
        Assert.False(Checks.Sha256(_ => throw new CryptographicException("no OpenSSL")).Ok);
        Assert.False(Checks.Sha256(_ => new byte[32]).Ok);
    }

    [Fact]
    public void Unfinished_output_is_listed()
    {
        using TemporaryFolder folder = new();
        Directory.CreateDirectory(folder.File(".sliced.partial-12ab"));
        Directory.CreateDirectory(folder.File("sliced"));
        Check check = Checks.Leftovers(folder.FullName);
        Assert.True(check.Ok);
        Assert.EndsWith(": .sliced.partial-12ab", check.Value, StringComparison.Ordinal);
    }
}
