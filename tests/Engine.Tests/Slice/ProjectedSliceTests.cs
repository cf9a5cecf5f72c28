using NativeEngine.Checkpoints;
using NativeEngine.Slice;
using NativeEngine.Tests.Tune;
using static NativeEngine.Tests.SliceGolden;

namespace NativeEngine.Tests;

/// <summary>Models sliced by the spectral projector beside the same sliced by eigenvectors.</summary>
public sealed class ProjectedSliceTests
{
    public static TheoryData<string> Models => [.. TokensOf.Keys];

    [SkippableTheory]
    [MemberData(nameof(Models))]
    public void A_projected_slice_is_as_good_as_an_exact_one(string name)
    {
        foreach ((double sparsity, bool sliceHead) in new[] { (0.25, false), (0.5, true) })
        {
            TokenWindows calibration = Tokens(name).Windows("cal_ids", rows: 16), eval = Tokens(name).Windows("eval_ids", rows: 8);
            SlicedRun Run(EigenSolver eigen) => new(
                Golden.Model(name), calibration, f => SliceSchedule.Constant(f, sparsity, 8, sliceHead), compat: false, Orientation.Random, eigen: eigen);
            using SlicedRun exact = Run(EigenSolver.Exact), projected = Run(EigenSolver.Projector);
            Assert.Equal(0, projected.EigenFallbacks);
            Assert.Empty(projected.Eigenvalues);
            Golden.Close(exact.Perplexity(eval), projected.Perplexity(eval), Tolerances.ProjectedPerplexity, 0, $"{name} {sparsity}");
        }
    }

    [Fact]
    public void Fewer_tokens_than_kept_columns_leave_the_function_as_it_is()
    {
        using var model = new TemporaryModel("llama-mha");
        TokenWindows calibration = new([5, 6, 7, 8, 9, 10, 11, 12, 13, 14], null, 1, 10);
        SlicedRun Run(EigenSolver eigen) => new(
            model.Folder, calibration, f => SliceSchedule.Constant(f, 0.25, 8, false), compat: false, Orientation.Random, eigen: eigen);
        using SlicedRun exact = Run(EigenSolver.Exact), projected = Run(EigenSolver.Projector);
        Assert.Equal(0, projected.EigenFallbacks);
        Golden.Close(exact.Perplexity(calibration), projected.Perplexity(calibration), Tolerances.ProjectedPerplexity, 0, "perplexity");
    }

    [Fact]
    public void Where_no_component_is_larger_than_another_the_exact_solver_steps_in_and_says_so()
    {
        // Every column of the embedding is as large as every other, and the calibration text has every token once: H is a multiple of 1.
        using var model = new TemporaryModel("llama-mha", (name, weights) =>
        {
            if (name == "model.embed_tokens.weight")
            {
                weights.Clear();
                for (int token = 0; token < 512; token++)
                {
                    weights[token * 64 + token % 64] = 1;
                }
            }
        });
        Notices notices = [];
        var calibration = new TokenWindows([.. Enumerable.Range(0, 512)], null, 16, 32);
        using var run = new SlicedRun(
            model.Folder, calibration, f => SliceSchedule.Constant(f, 0.25, 8, false), compat: false, Orientation.Random, eigen: EigenSolver.Projector, reporter: notices);
        Assert.InRange(run.EigenFallbacks, 1, 4);
        Assert.Equal(run.EigenFallbacks, run.Eigenvalues.Count);
        Assert.Equal(run.EigenFallbacks, notices.Count(n => n.Contains("because the projector fails: ", StringComparison.Ordinal)));
        Assert.Contains("the exact eigensolver does PCA 1, ", notices[0], StringComparison.Ordinal);
    }

    [Fact]
    public void Principal_components_are_more_than_a_projector_finds()
    {
        EngineException error = Assert.Throws<EngineException>(() => new SliceOptions("m", "o", new TextSource("t")) { Eigen = EigenSolver.Projector }.Check());
        Assert.Equal("NE2051", error.Code);
        Assert.Contains("--orientation random", error.Message, StringComparison.Ordinal);
    }
}
