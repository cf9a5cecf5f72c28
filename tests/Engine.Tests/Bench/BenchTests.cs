using NativeEngine.Bench;
using NativeEngine.Kernels;
using NativeEngine.Kernels.Cpu;
using NativeEngine.Model;
using NativeEngine.Tests.Checkpoints;

namespace NativeEngine.Tests.Bench;

/// <summary>What the benchmarks measure is what they say; how fast it is, no test asks.</summary>
public sealed class BenchTests
{
    private const string Shape = "tiny-llama";

    [Theory]
    [InlineData(DType.F32)]
    [InlineData(DType.F64)]
    public void Every_op_of_the_device_is_timed(DType dtype)
    {
        using var backend = new CpuBackend(1);
        using var cases = new KernelCases(backend, dtype, 64, 64);
        KernelCase[] all = [.. cases.All];
        foreach (KernelCase test in all)
        {
            test.Run();
        }

        Op[] f32Only = dtype == DType.F32 ? [] : [Op.Gram];
        Assert.Empty(Enum.GetValues<Op>().Except(all.Select(test => test.Op)).Except(f32Only));
        Assert.All(all, test => Assert.True(test.Bytes > 0 ^ test.Flops > 0, test.Name));
    }

    [Fact]
    public void Synthetic_weights_are_the_same_without_files()
    {
        using var session = new Session("cpu", 1);
        string folder = Path.Combine(Directory.CreateTempSubdirectory("ne-bench-").FullName, "model");
        SyntheticModel.Write(session.Backend, Shape, folder, layers: 2);
        using (CausalModel stored = CausalModel.Open(session.Backend, folder), made = SyntheticModel.Open(session, Shape, layers: 2))
        {
            Assert.Equal(stored.Outer.Embed.AsSpan<ushort>(), made.Outer.Embed.AsSpan<ushort>());
            using LayerWeights expected = stored.LoadLayer(1), found = made.LoadLayer(1);
            Assert.All(expected.Tensors().Zip(found.Tensors()), pair =>
            {
                Assert.Equal(pair.First.Role, pair.Second.Role);
                Assert.Equal(session.Backend.Download<float>(pair.First.Value), session.Backend.Download<float>(pair.Second.Value));
            });
        }

        Directory.Delete(Path.GetDirectoryName(folder)!, recursive: true);
    }

    [Fact]
    public void A_slice_of_random_weights_is_measured_with_and_without_its_disk()
    {
        using var session = new Session("cpu", 1);
        SliceBenchResult result = SliceBench.Run(session, Shape, samples: 4, seqLen: 16, sparsity: 0.3);
        Assert.Equal([(1, 16), (2, 16), (4, 16), (4, 32), (4, 64)], result.Rows.Select(row => (row.Layers, row.Tokens)));
        Assert.All(result.Rows, row => Assert.True(row.Seconds > 0));
        Assert.True(result.Disk is { Bytes: > 0, ReadBytesPerSecond: > 0, WriteBytesPerSecond: > 0 });
        Assert.Empty(result.Targets);
    }

    [Fact]
    public void A_projector_is_measured_without_the_last_station()
    {
        using var session = new Session("cpu", 1);
        SliceBenchResult result = SliceBench.Run(session, Shape, samples: 4, seqLen: 128, sparsity: 0.3, EigenSolver.Projector);
        Assert.Equal(EigenSolver.Projector, result.Eigen);
        Assert.True(result.Gflops > 0);
    }

    [Fact]
    public void Eigenvectors_and_their_subspace_are_timed_beside_each_other()
    {
        using var session = new Session("cpu", 1);
        EigenBenchResult result = EigenBench.Run(session, [96], [1, 2]);
        Assert.Equal([(1, "exact"), (1, "projector"), (2, "exact"), (2, "projector")], result.Rows.Select(row => (row.Threads!.Value, row.Method)));
        Assert.All(result.Rows, row =>
        {
            Assert.Null(row.Problem);
            Assert.True(row.Seconds > 0);
            Assert.InRange(row.Orthogonality!.Value, 0, 1);
            Assert.InRange(row.EnergyGap!.Value, -Tolerances.SameInF64, row.Method == "exact" ? Tolerances.SameInF64 : Tolerances.EnergyGap);
        });
        Assert.All(result.Rows.Where(row => row.Method == "exact"), row => Assert.InRange(row.Residual!.Value, 0, 1));
    }

    [Fact]
    public void A_prompt_that_fills_all_positions_is_refused_by_its_option()
    {
        using var session = new Session("cpu", 1);
        EngineException e = Assert.Throws<EngineException>(() => DecodeBench.Run(session, Testing.Shared.Fixture("llama-mha"), Shape, promptTokens: 1_000_000, newTokens: 1));
        Assert.Equal(("NE2026", "--prompt-tokens"), (e.Code, e.Key));
    }

    [Fact]
    public void An_empty_text_has_no_speed()
    {
        using TemporaryFolder folder = new();
        File.WriteAllText(folder["empty.txt"], "");
        Assert.Equal("NE3159", Assert.Throws<EngineException>(() => TokenizeBench.Run("no model", folder["empty.txt"], SilentReporter.Instance)).Code);
    }

    [Theory]
    [InlineData(30, 2)]
    [InlineData(90, 2.0 / 3)]
    public void A_time_reaches_its_aim_when_it_is_shorter(double measured, double ratio) => Assert.Equal(ratio, Target.Seconds("x", measured, 60).Ratio, 12);
}
