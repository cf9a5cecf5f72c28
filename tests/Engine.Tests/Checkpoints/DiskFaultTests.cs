using NativeEngine.Checkpoints;
using NativeEngine.Kernels;
using NativeEngine.Kernels.Cpu;

namespace NativeEngine.Tests.Checkpoints;

/// <summary>Every single file operation of an export fails once: the error is the right one, and the disk is as it was before.</summary>
public sealed class DiskFaultTests : IDisposable
{
    private const int ENOSPC = 28, EFBIG = 27, EDQUOT = 122, EIO = 5;

    private static readonly TensorPlan[] Plan = [new("w", DType.F32, new Shape(4)), new("v", DType.BF16, new Shape(3, 3)), new("u", DType.F64, new Shape(5))];

    private readonly TemporaryFolder folder = new();
    private readonly CpuBackend cpu = new(1);

    public void Dispose()
    {
        cpu.Dispose();
        folder.Dispose();
    }

    [Theory]
    [InlineData(ENOSPC, "NE6002", ExitCode.NoSpace)]
    [InlineData(EFBIG, "NE6002", ExitCode.NoSpace)]
    [InlineData(EDQUOT, "NE6002", ExitCode.NoSpace)]
    [InlineData(EIO, "NE5010", ExitCode.Io)]
    public void A_failed_operation_leaves_nothing_behind(int errno, string code, ExitCode exit)
    {
        string[] operations = Operations(new IOException("injected", errno), (failed, _) =>
        {
            Assert.Equal((code, exit), (failed.Code, failed.Exit));
            Assert.Empty(folder.Contents);
        }, () => Directory.Delete(folder["new"], recursive: true), "new/out", atomicExchange: true);

        // Room, two parents, shard files, headers, tensors, side files, and the steps of the commit: all have been in front of the fault.
        Assert.Superset(new HashSet<string> { "free", "mkdir", "create", "write", "fsync", "fsync folder", "rename" }, operations.ToHashSet());
        Assert.InRange(operations.Length, 25, 60);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_failed_replacement_leaves_the_old_output(bool atomicExchange)
    {
        folder.EarlierOutput("out");
        string[] operations = Operations(new UnauthorizedAccessException("injected"), (failed, _) =>
        {
            Assert.Equal(("NE5010", ExitCode.Io), (failed.Code, failed.Exit));
            Assert.Equal(["out", "out/nativeengine.manifest.json", "out/old.txt"], folder.Contents);
        }, () => { }, "out", atomicExchange);
        Assert.Contains(atomicExchange ? "exchange" : "rename", operations);
        Assert.Equal(["out", "out/config.json", "out/model-00001-of-00002.safetensors", "out/model-00002-of-00002.safetensors", "out/model.safetensors.index.json", "out/nativeengine.manifest.json"],
            folder.Contents);
    }

    [SkippableFact]
    public void A_file_that_does_not_fit_is_noticed_when_it_is_created()
    {
        Skip.IfNot(OperatingSystem.IsLinux(), "other systems reserve room in other ways");
        var e = Assert.Throws<EngineException>(() => new Disk().Create(folder["x"], 1L << 50));
        Assert.Equal(("NE6002", ExitCode.NoSpace), (e.Code, e.Exit));
        Assert.Empty(folder.Contents);
    }

    [Fact]
    public void An_output_that_does_not_fit_is_refused_before_anything_is_written()
    {
        var e = Assert.Throws<EngineException>(() => new CheckpointWriter(folder["a/out"], false, [new("w", DType.F32, new Shape(1L << 30, 1L << 25))]));
        Assert.Equal(("NE6001", ExitCode.NoSpace), (e.Code, e.Exit));
        Assert.Contains("bytes free", e.Found, StringComparison.Ordinal);
        Assert.Contains("bytes", e.Expected, StringComparison.Ordinal);
        Assert.Empty(folder.Contents);
    }

    [SkippableFact]
    public void A_full_device_is_told_from_other_errors()
    {
        Skip.IfNot(File.Exists("/dev/full"), "/dev/full not found");
        using Microsoft.Win32.SafeHandles.SafeFileHandle full = File.OpenHandle("/dev/full", FileMode.Open, FileAccess.ReadWrite);
        Assert.Equal("NE6002", Assert.Throws<EngineException>(() => new Disk().Write(full, "/dev/full", 0, [1, 2, 3])).Code);
    }

    /// <summary>Runs an export with the first, then the second, ... operation failing, until one succeeds; returns the operations of that one.</summary>
    private string[] Operations(Exception fault, Action<EngineException, string> afterFailure, Action afterSuccess, string output, bool atomicExchange)
    {
        for (int failing = 1; ; failing++)
        {
            List<string> operations = [];
            var disk = new Disk(operation =>
            {
                operations.Add(operation);
                if (operations.Count == failing)
                {
                    throw fault;
                }
            })
            {
                CanExchange = atomicExchange,
            };
            try
            {
                Export(folder[output], disk);
                Assert.Empty(Manifest.Verify(folder[output]));
                afterSuccess();
                return [.. operations];
            }
            catch (EngineException e)
            {
                Assert.NotNull(e.Hint);
                afterFailure(e, operations[^1]);
            }
        }
    }

    private void Export(string output, Disk disk)
    {
        using var writer = new CheckpointWriter(output, overwrite: true, Plan, maxShardBytes: 60, null, disk);
        foreach (TensorPlan tensor in Plan)
        {
            using Tensor value = cpu.Alloc(DType.F32, tensor.Shape);
            cpu.Zero(value);
            writer.Write(cpu, tensor.Name, value);
        }

        writer.AddFile("config.json", "{}"u8);
        writer.Commit([]);
    }
}
