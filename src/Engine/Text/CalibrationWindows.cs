namespace NativeEngine.Text;

/// <summary>Cuts calibration windows out of a text: equally long, without overlap, at places drawn from a seed.</summary>
internal static class CalibrationWindows
{
    /// <summary>Encodes <paramref name="text"/> and draws windows, each beginning with BOS where the tokenizer adds one.</summary>
    /// <exception cref="EngineException">NE3153: the text is shorter than one window</exception>
    public static IReadOnlyList<int[]> Draw(Tokenizer tokenizer, string text, int samples, int seqLen, long seed, IReporter reporter) =>
        Draw(tokenizer.Encode(text, addSpecial: false), samples, seqLen, tokenizer.AddsBos ? tokenizer.BosId : null, seed, reporter);

    /// <summary>
    /// Draws <paramref name="samples"/> windows of <paramref name="seqLen"/> tokens, in text order; every placement without overlap is equally
    /// likely. Where they do not fit, as many as fit, which a notice says.
    /// </summary>
    /// <param name="ids">the text, without special tokens</param>
    /// <param name="samples">windows asked for, at least 1</param>
    /// <param name="seqLen">tokens per window, <paramref name="bos"/> included</param>
    /// <param name="bos">first token of every window, if any</param>
    /// <param name="seed">the same seed draws the same windows</param>
    /// <param name="reporter">hears of a shortage</param>
    /// <exception cref="EngineException">NE3153: the text is shorter than one window</exception>
    public static IReadOnlyList<int[]> Draw(ReadOnlySpan<int> ids, int samples, int seqLen, int? bos, long seed, IReporter reporter)
    {
        int length = seqLen - (bos is null ? 0 : 1); // tokens of text in a window
        ArgumentOutOfRangeException.ThrowIfLessThan(samples, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(length, 1, nameof(seqLen));
        int count = int.Min(samples, ids.Length / length);
        if (count == 0)
        {
            throw new EngineException("NE3153", "the calibration text is shorter than one window")
            {
                Key = "calibration",
                Found = $"{ids.Length} tokens",
                Expected = $"at least {length} tokens, for a window of {seqLen}",
                Hint = "use a longer text or a smaller --seqlen",
            };
        }

        if (count < samples)
        {
            reporter.Notice($"calibration: {count} of {samples} samples used; the text has {ids.Length} tokens, and windows of {length} do not overlap");
        }

        var windows = new int[count][];
        long[] starts = Starts(ids.Length, count, length, seed);
        for (int i = 0; i < count; i++)
        {
            windows[i] = new int[seqLen];
            windows[i][0] = bos ?? 0;
            ids.Slice((int)starts[i], length).CopyTo(windows[i].AsSpan(seqLen - length));
        }

        return windows;
    }

    /// <summary>Shrinks each window to one token, draws that many places without repetition, and grows them again.</summary>
    private static long[] Starts(int total, int count, int length, long seed)
    {
        long places = total - (long)count * (length - 1);
        var random = new SplitMix64(seed);
        var drawn = new SortedSet<long>();
        for (long last = places - count; last < places; last++)
        {
            long place = random.Below(last + 1); // Floyd: every subset is equally likely
            drawn.Add(drawn.Contains(place) ? last : place);
        }

        return [.. drawn.Select((place, i) => place + (long)i * (length - 1))];
    }
}
