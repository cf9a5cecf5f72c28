using NativeEngine.Text;

namespace NativeEngine.Tests.Text;

public sealed class CalibrationWindowsTests
{
    private static readonly int[] Ids = [.. Enumerable.Range(100, 1000)];

    [Theory]
    [InlineData(10, 32, null)]
    [InlineData(10, 32, 1)]
    [InlineData(31, 32, null)]
    [InlineData(1, 1000, null)]
    [InlineData(1000, 1, null)]
    public void Windows_do_not_overlap(int samples, int seqLen, int? bos)
    {
        IReadOnlyList<int[]> windows = CalibrationWindows.Draw(Ids, samples, seqLen, bos, 42, SilentReporter.Instance);
        Assert.Equal(samples, windows.Count);
        int end = 0;
        foreach (int[] window in windows)
        {
            Assert.Equal(seqLen, window.Length);
            int[] text = bos is null ? window : window[1..];
            Assert.True(bos is null || window[0] == bos);
            Assert.True(text[0] >= end);
            Assert.Equal(Enumerable.Range(text[0], text.Length), text);
            end = text[^1] + 1;
        }
    }

    [Fact]
    public void A_seed_gives_the_same_windows_everywhere()
    {
        int[] starts = [.. CalibrationWindows.Draw(Ids, 4, 16, null, 42, SilentReporter.Instance).Select(w => w[0])];
        Assert.Equal(starts, CalibrationWindows.Draw(Ids, 4, 16, null, 42, SilentReporter.Instance).Select(w => w[0]));
        Assert.NotEqual(starts, CalibrationWindows.Draw(Ids, 4, 16, null, 43, SilentReporter.Instance).Select(w => w[0]));
    }

    [Fact]
    public void The_generator_is_the_published_one()
    {
        var random = new SplitMix64(1234567);
        ulong[] expected = [6457827717110365317, 3203168211198807973, 9817491932198370423];
        Assert.Equal(expected, expected.Select(_ => random.Next()));
    }

    [Fact]
    public void Starts_are_spread_evenly()
    {
        var counts = new int[10];
        for (int seed = 0; seed < 2000; seed++)
        {
            foreach (int[] window in CalibrationWindows.Draw(Ids, 2, 1, null, seed, SilentReporter.Instance))
            {
                counts[(window[0] - 100) / 100]++;
            }
        }

        Assert.All(counts, count => Assert.InRange(count, 320, 480));
    }

    [Fact]
    public void A_short_text_gives_fewer_windows_and_says_so()
    {
        var reporter = new Listener();
        Assert.Equal(7, CalibrationWindows.Draw(Ids, 100, 128, 5, 1, reporter).Count);
        Assert.Contains("7 of 100 samples", Assert.Single(reporter.Notices), StringComparison.Ordinal);
    }

    [Fact]
    public void A_text_shorter_than_a_window_is_an_error()
    {
        EngineException e = Assert.Throws<EngineException>(() => CalibrationWindows.Draw(Ids, 1, 1001, null, 1, SilentReporter.Instance));
        Assert.Equal("NE3153", e.Code);
        Assert.Single(CalibrationWindows.Draw(Ids, 1, 1001, 0, 1, SilentReporter.Instance)); // BOS fills the one place
    }

    [Fact]
    public void A_tokenizer_that_adds_BOS_puts_it_first()
    {
        TokenizerParts parts = TokenizerJson.Read(TinyTokenizers.Bytes(TinyTokenizers.Characters()), "tokenizer.json", SilentReporter.Instance);
        var tokenizer = new PipelineTokenizer(parts, new SpecialIds(1, null, null, parts.Prefix, parts.Suffix), "test");
        Assert.True(tokenizer.AddsBos);
        IReadOnlyList<int[]> windows = CalibrationWindows.Draw(tokenizer, new string('x', 100), 3, 10, 1, SilentReporter.Instance);
        Assert.All(windows, window => Assert.Equal(1, window[0]));
    }
}
