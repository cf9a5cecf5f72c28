namespace NativeEngine.Tune;

/// <summary>
/// Puts the examples of a batch into rows. Padded, a row is one example at the right end of the row, as in the reference; packed, a
/// row holds as many examples as fit, one behind the other, and they do not see each other. Packing changes the rows of a batch and not
/// its examples, so that an optimiser step means the same either way.
/// </summary>
/// <param name="rows">rows of a micro-batch</param>
/// <param name="cutoff">tokens of a packed row; examples of token files may be longer and have a row of their own</param>
/// <param name="maxPositions">of the model: no row is wider</param>
/// <param name="pack">pack instead of pad</param>
internal sealed class Collator(int rows, int cutoff, int maxPositions, bool pack)
{
    // Widths of the reference; a product likes them too.
    private const int WidthMultiple = 8;

    /// <summary>The micro-batches of <paramref name="batch"/>, in order; the last one may have fewer rows.</summary>
    public IReadOnlyList<MicroBatch> Collate(IReadOnlyList<TrainingExample> batch) =>
        [.. pack ? FirstFit(batch).Chunk(rows).Select(Packed) : batch.Chunk(rows).Select(Padded)];

    private MicroBatch Padded(TrainingExample[] examples)
    {
        int width = Width(examples.Max(e => e.Ids.Length));
        (int[] ids, int[] labels, int[] mask) = (new int[examples.Length * width], new int[examples.Length * width], new int[examples.Length * width]);
        Array.Fill(labels, MicroBatch.Ignored);
        for (int row = 0; row < examples.Length; row++)
        {
            int start = (row + 1) * width - examples[row].Ids.Length;
            Place(examples[row], start, ids, labels);
            mask.AsSpan(start, examples[row].Ids.Length).Fill(1);
        }

        return new MicroBatch(ids, labels, mask.Contains(0) ? mask : null, null, examples.Length, width, examples.Sum(e => e.TargetCount));
    }

    private MicroBatch Packed(List<TrainingExample>[] packed)
    {
        int width = Width(packed.Max(row => row.Sum(e => e.Ids.Length)));
        (int[] ids, int[] labels) = (new int[packed.Length * width], new int[packed.Length * width]);
        Array.Fill(labels, MicroBatch.Ignored);

        // A pad sees itself alone, so that no softmax is empty.
        int[] first = [.. Enumerable.Range(0, ids.Length).Select(i => i % width)];
        for (int row = 0; row < packed.Length; row++)
        {
            int start = row * width;
            foreach (TrainingExample example in packed[row])
            {
                Place(example, start, ids, labels);
                first.AsSpan(start, example.Ids.Length).Fill(start % width);
                start += example.Ids.Length;
            }
        }

        return new MicroBatch(ids, labels, null, first, packed.Length, width, packed.Sum(row => row.Sum(e => e.TargetCount)));
    }

    /// <summary>The rows that hold <paramref name="batch"/>: every example goes into the first row that has room for it.</summary>
    private List<List<TrainingExample>> FirstFit(IReadOnlyList<TrainingExample> batch)
    {
        List<List<TrainingExample>> packed = [];
        List<int> room = [];
        foreach (TrainingExample example in batch)
        {
            int row = room.FindIndex(free => free >= example.Ids.Length);
            if (row < 0)
            {
                row = packed.Count;
                packed.Add([]);
                room.Add(Math.Min(cutoff, maxPositions));
            }

            packed[row].Add(example);
            room[row] -= example.Ids.Length;
        }

        return packed;
    }

    private int Width(int tokens) => Math.Min((tokens + WidthMultiple - 1) / WidthMultiple * WidthMultiple, maxPositions);

    /// <summary>Nothing in the example predicts its first token, so that one is never a label.</summary>
    private static void Place(TrainingExample example, int start, int[] ids, int[] labels)
    {
        example.Ids.CopyTo(ids, start);
        for (int i = Math.Max(1, example.PromptLength); i < example.Ids.Length; i++)
        {
            labels[start + i] = example.Ids[i];
        }
    }
}
