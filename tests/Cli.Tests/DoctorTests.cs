using System.Security.Cryptography;
using System.Text.Json;
using NativeEngine.Cli.Doctor;
using NativeEngine.Kernels;

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
    }

    [Fact]
    public void Cuda_is_told_device_by_device()
    {
        CudaProbe probe = new()
        {
            DriverVersion = "13.0",
            Problem = "libcusolver.so.12 not found",
            Libraries = [new("driver", "/usr/lib/libcuda.so.1", "13.0", null), new("cublas", "/opt/libcublas.so.13", "13.1.1", null), new("cusolver", null, null, "libcusolver.so.12 not found")],
            Devices = [new("cuda:0", "NVIDIA H100", "9.0", 84_930_000_000, 84_100_000_000, null), new("cuda:1", "NVIDIA L4", "8.9", 23_600_000_000, null, "in use")],
        };
        Assert.Equal(
            [
                ("cuda driver", "13.0, /usr/lib/libcuda.so.1"),
                ("cuda cublas", "13.1.1, /opt/libcublas.so.13"),
                ("cuda:0", "NVIDIA H100, compute capability 9.0, 84.93 GB, 84.10 GB free"),
                ("cuda:1", "NVIDIA L4, compute capability 8.9, 23.60 GB, not usable: in use"),
                ("cuda", "libcusolver.so.12 not found"),
            ],
            Checks.Cuda(probe, NotTried).Select(check => (check.Name, check.Value)));
        Assert.False(Checks.Cuda(probe, NotTried).Last().Ok);
        Assert.True(Checks.Cuda(probe with { Devices = [], IsAbsent = true }, NotTried).Last().Ok);
        Assert.False(Checks.Cuda(probe with { Devices = [] }, NotTried).Last().Ok);
    }

    [Fact]
    public void A_device_that_does_not_compute_is_broken()
    {
        CudaDevice first = new("cuda:0", "NVIDIA H100", "9.0", 84_930_000_000, 84_100_000_000, null);
        CudaProbe probe = new() { Libraries = [], Devices = [first, first with { Name = "cuda:1" }] };
        Assert.Equal(new("cuda", "usable"), Checks.Cuda(probe, _ => null).Last());
        Check broken = Checks.Cuda(probe, ordinal => ordinal == 1 ? "a kernel failed" : null).Last();
        Assert.Equal((false, "cuda:1: a kernel failed"), (broken.Ok, broken.Value));
    }

    [Fact]
    public void Folders_of_no_use_are_told()
    {
        CudaProbe probe = new() { Problem = "no NVIDIA driver", IsAbsent = true, FolderProblem = "no folder", Libraries = [], Devices = [] };
        Assert.Equal([("cuda folders", "no folder", true), ("cuda", "no NVIDIA driver", true)], Checks.Cuda(probe, NotTried).Select(check => (check.Name, check.Value, check.Ok)));
    }

    [Fact]
    public void Json_has_what_cuda_finds()
    {
        JsonElement cuda = Cli.Run("doctor --json").Json.GetProperty("cuda");
        Assert.Equal("driver", cuda.GetProperty("libraries")[0].GetProperty("name").GetString());
        Assert.Equal(cuda.GetProperty("devices").GetArrayLength() == 0, cuda.TryGetProperty("problem", out _));
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

    private static string NotTried(int ordinal) => throw new InvalidOperationException($"cuda:{ordinal} is not usable");
}
