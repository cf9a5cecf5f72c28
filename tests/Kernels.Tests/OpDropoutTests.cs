using NativeEngine.Kernels.Cpu;

namespace NativeEngine.Kernels.Tests;

/// <summary>Which elements Dropout drops: a known generator, drawn evenly, by the index of the element alone.</summary>
public sealed class OpDropoutTests
{
    private const int Rows = 256, Columns = 1000;

    [Theory]
    [InlineData(0, 0, 0, new[] { 0x6627E8D5u, 0xE169C58Du, 0xBC57AC4Cu, 0x9B00DBD8u })]
    [InlineData(ulong.MaxValue, ulong.MaxValue, ulong.MaxValue, new[] { 0x408F276Du, 0x41C83B0Eu, 0xA20BC7C6u, 0x6D5451FDu })]
    [InlineData(0x85A308D3243F6A88, 0x0370734413198A2E, 0x299F31D0A4093822, new[] { 0xD16CFE09u, 0x94FDCCEBu, 0x5001E420u, 0x24126EA1u })]
    public void The_reference_gives_the_known_answers_of_Random123(ulong counterLow, ulong counterHigh, ulong key, uint[] words) =>
        Assert.Equal(words, OpReference.Philox(counterLow, counterHigh, key));

    [Theory]
    [InlineData(0, 0)]
    [InlineData(5, 0x0123456789ABCDEF)]
    [InlineData((1ul << 29) - 1, ulong.MaxValue)] // the lower word of the counter overflows behind the first block
    public void Philox_draws_the_words_of_the_reference(ulong firstBlock, ulong key)
    {
        var words = new uint[3 * Philox.Block];
        Philox.Fill(words, firstBlock, key);
        Assert.Equal(Enumerable.Range(0, words.Length / 4).SelectMany(i => OpReference.Philox(firstBlock * Philox.Block / 4 + (ulong)i, 0, key)), words);
    }

    [Theory]
    [InlineData(0.05)]
    [InlineData(0.5)]
    [InlineData(0.9)]
    public void Every_row_column_and_key_drops_its_share(double rate)
    {
        bool[][] kept = [.. Enumerable.Range(0, 16).Select(key => Kept(rate, (ulong)key))];
        AssertShare(1 - rate, kept.SelectMany(drawn => drawn));
        foreach (bool[] drawn in kept)
        {
            AssertShare(1 - rate, drawn);
        }

        for (int row = 0; row < Rows; row++)
        {
            AssertShare(1 - rate, kept.SelectMany(drawn => drawn[(row * Columns)..((row + 1) * Columns)]));
        }

        for (int column = 0; column < Columns; column++)
        {
            AssertShare(1 - rate, kept.SelectMany(drawn => Enumerable.Range(0, Rows).Select(row => drawn[row * Columns + column])));
        }
    }

    [Fact]
    public void Elements_are_independent_of_their_neighbours_and_of_other_keys()
    {
        bool[] kept = Kept(0.5, 1);
        foreach (int lag in new[] { 1, 2, 3, 4, 7, 8, 16, 31, 32, 64, Columns, 4 * Columns })
        {
            AssertShare(0.5, Enumerable.Range(0, kept.Length - lag).Select(i => kept[i] == kept[i + lag]));
        }

        foreach (ulong key in new ulong[] { 0, 2, 3, 1ul << 32, (1ul << 32) + 1, ulong.MaxValue })
        {
            AssertShare(0.5, kept.Zip(Kept(0.5, key), (a, b) => a == b));
        }
    }

    [Fact]
    public void What_is_dropped_is_0_whatever_it_was_and_a_rate_of_0_copies()
    {
        using var backend = new CpuBackend(1);
        using Tensor x = backend.Alloc(DType.F32, new Shape(3, 37)), y = backend.Alloc(DType.F32, new Shape(3, 37));
        x.AsSpan<float>().Fill(float.NaN);
        backend.Dropout(y, x, 0.5, 3);
        Assert.All(y.AsSpan<float>().ToArray(), value => Assert.True(value == 0 || float.IsNaN(value)));
        Assert.Contains(0, y.AsSpan<float>().ToArray());
        x.AsSpan<float>().Fill(3);
        backend.Dropout(y, x, 0, 3);
        Assert.All(y.AsSpan<float>().ToArray(), value => Assert.Equal(3, value));
    }

    private static bool[] Kept(double rate, ulong key)
    {
        using var backend = new CpuBackend(2);
        using Tensor x = backend.Alloc(DType.F32, new Shape(Rows, Columns));
        x.AsSpan<float>().Fill(1);
        backend.Dropout(x, x, rate, key);
        return [.. x.AsSpan<float>().ToArray().Select(value => value != 0)];
    }

    /// <summary>Within five standard deviations: of some thousand shares none is expected outside.</summary>
    private static void AssertShare(double expected, IEnumerable<bool> draws)
    {
        bool[] drawn = [.. draws];
        double deviation = Math.Sqrt(expected * (1 - expected) / drawn.Length);
        Assert.InRange(drawn.Count(kept => kept) / (double)drawn.Length, expected - 5 * deviation, expected + 5 * deviation);
    }
}
