using NativeEngine.Slice;
using NativeEngine.Spec;
using NativeEngine.Testing;
using NativeEngine.Tests.Checkpoints;
using NativeEngine.Tests.Tune;

namespace NativeEngine.Tests;

/// <summary>What <c>slice</c> says where it does something else than a user would expect.</summary>
public sealed class SliceNoticeTests : IDisposable
{
    private static readonly string Sample = Path.Combine(Shared.Root, "samples", "sample-llama");
    private static readonly string Text = Path.Combine(Shared.Root, "samples", "wikitext-2-valid-excerpt.txt");

    private readonly TemporaryFolder folder = new();
    private readonly Notices notices = [];

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData(0.25, 8, false, 0.25, null)]
    [InlineData(0.3, 8, false, 0.3125, "176 of 256 columns are kept, not 179: --round 8 rounds down; the sparsity is 0.3125")]
    [InlineData(0, 60, true, 0.0625, "240 of 256 columns are kept, not 256: --round 60 rounds down; the sparsity is 0.0625")]
    [InlineData(0, 60, false, 0, null)]
    public void Rounding_that_deletes_more_than_was_asked_for_is_said(double sparsity, int round, bool compat, double effective, string? notice)
    {
        SliceResult result = Slice(new(Sample, folder["out"], new(Text)) { Sparsity = sparsity, Round = round, CompatSliceGpt = compat, Samples = 4, SeqLen = 128 });
        Assert.Equal(effective, result.Sparsity);
        Assert.Equal(notice is null ? [] : [notice], notices.Where(n => n.Contains("--round", StringComparison.Ordinal)));
        Assert.DoesNotContain(notices, n => n.Contains("fewer than the residual", StringComparison.Ordinal));
    }

    [Fact]
    public void Fewer_calibration_tokens_than_columns_are_said()
    {
        Slice(new(Sample, folder["out"], new(Text)) { Samples = 3, SeqLen = 64 });
        Assert.Contains(notices, n => n.StartsWith("the calibration has 192 tokens, fewer than the residual has columns (256)", StringComparison.Ordinal));
    }

    [Fact]
    public void A_multiple_above_the_width_is_what_is_refused()
    {
        using var model = new TemporaryModel("llama-mha");
        ModelSpec spec = SpecReader.Read(model.Folder);
        EngineException e = Assert.Throws<EngineException>(() => SliceSchedule.Constant(spec, 0.25, 100, sliceHead: false));
        Assert.Equal(("NE2025", "--round", "1 to 48"), (e.Code, e.Key, e.Expected));
        e = Assert.Throws<EngineException>(() => SliceSchedule.Constant(spec, 0.9, 8, sliceHead: false));
        Assert.Equal(("NE2021", "--sparsity", "at most 0.875 with --round 8"), (e.Code, e.Key, e.Expected));
    }

    private SliceResult Slice(SliceOptions options)
    {
        using var session = new Session("cpu", threads: 2, reporter: notices);
        return Verbs.Slice(session, options);
    }
}
