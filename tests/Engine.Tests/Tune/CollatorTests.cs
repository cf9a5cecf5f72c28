using NativeEngine.Tune;

namespace NativeEngine.Tests.Tune;

public sealed class CollatorTests
{
    private const int X = MicroBatch.Ignored;

    private static readonly TrainingExample[] Batch = [new([1, 2, 3], 1), new([4, 5, 6, 7, 8, 9], 3), new([10, 11]), new([12, 13, 14, 15, 16], 2)];

    [SkippableFact]
    public void First_micro_batch_is_that_of_the_reference()
    {
        GoldenTensors golden = Golden.Tensors("llmpruner", "tiny-llama", "lora_tokens.safetensors");
        TrainingExample[] examples = AlpacaExamples.First32(trainOnInputs: false);
        var plan = new BatchPlan(examples.Length, batch: 16, epochs: 8, steps: null, seed: null);
        MicroBatch first = Padding(rows: 4).Collate([.. plan.Batch(0).ToArray().Select(i => examples[i])])[0];
        Assert.Equal([first.Rows, first.Width], golden.Extents("first_micro_batch.input_ids"));
        Assert.Equal(golden.Ints("first_micro_batch.input_ids"), first.Ids);
        Assert.Equal(golden.Ints("first_micro_batch.labels"), first.Labels);
        Assert.Equal(golden.Ints("first_micro_batch.attention_mask"), first.Mask);
        Assert.Equal(first.Labels.Count(label => label != X), first.TargetCount);
    }

    [Fact]
    public void Padding_stands_in_front()
    {
        MicroBatch[] micro = [.. Padding(rows: 3).Collate(Batch)];
        Assert.Equal([(3, 8, 6), (1, 8, 3)], micro.Select(m => (m.Rows, m.Width, m.TargetCount)));
        Assert.Equal([0, 0, 0, 0, 0, 1, 2, 3, 0, 0, 4, 5, 6, 7, 8, 9, 0, 0, 0, 0, 0, 0, 10, 11], micro[0].Ids);
        Assert.Equal([X, X, X, X, X, X, 2, 3, X, X, X, X, X, 7, 8, 9, X, X, X, X, X, X, X, 11], micro[0].Labels);
        Assert.Equal([0, 0, 0, 0, 0, 1, 1, 1, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 1, 1], micro[0].Mask!);
        Assert.Equal([X, X, X, X, X, 2, 3, X, X, X, X, X, 7, 8, 9, X, X, X, X, X, X, X, 11, X], micro[0].Targets());
        Assert.Null(micro[0].First);
    }

    [Fact]
    public void Full_rows_have_no_mask_and_no_row_is_wider_than_the_model()
    {
        Assert.Null(Padding(rows: 2).Collate([new TrainingExample(new int[16]), new TrainingExample(new int[16])]).Single().Mask);
        MicroBatch narrow = new Collator(2, cutoff: 10, maxPositions: 10, pack: false).Collate([new TrainingExample(new int[9])]).Single();
        Assert.Equal((10, 1), (narrow.Width, narrow.Mask!.Count(m => m == 0)));
    }

    [Fact]
    public void Packed_examples_follow_each_other_and_start_anew()
    {
        MicroBatch packed = new Collator(4, cutoff: 10, maxPositions: 512, pack: true).Collate(Batch).Single();
        Assert.Equal((2, 16, 9), (packed.Rows, packed.Width, packed.TargetCount));

        // 3 + 6 tokens, no room for 2 more: these and the 5 behind them make the second row.
        Assert.Equal([1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 0, 0, 0, 0, 0, 0], packed.Ids[..16]);
        Assert.Equal([X, 2, 3, X, X, X, 7, 8, 9, X, X, X, X, X, X, X], packed.Labels[..16]);
        Assert.Equal([0, 0, 0, 3, 3, 3, 3, 3, 3, 9, 10, 11, 12, 13, 14, 15], packed.First![..16]);
        Assert.Equal([10, 11, 12, 13, 14, 15, 16], packed.Ids[16..23]);
        Assert.Equal([X, 11, X, X, 14, 15, 16], packed.Labels[16..23]);
        Assert.Equal([0, 0, 2, 2, 2, 2, 2, 7], packed.First[16..24]);
        Assert.Null(packed.Mask);
    }

    [Fact]
    public void Packing_loses_no_example_and_no_target()
    {
        var random = new Random(1);
        TrainingExample[] batch = [.. Enumerable.Range(0, 64).Select(i => Example(i, random))];
        MicroBatch[] padded = [.. Padding(rows: 4).Collate(batch)], packed = [.. new Collator(4, 256, 512, pack: true).Collate(batch)];
        Assert.Equal(Targets(padded), Targets(packed));
        Assert.Equal(padded.Sum(m => m.TargetCount), packed.Sum(m => m.TargetCount));
        Assert.All(padded.Concat(packed), m => Assert.Equal(m.Labels.Count(label => label != X), m.TargetCount));
        Assert.True(packed.Sum(m => m.Ids.Length) < padded.Sum(m => m.Ids.Length));
        Assert.All(packed, m => Assert.True(m.Width <= 256));

        static TrainingExample Example(int i, Random random)
        {
            int length = random.Next(2, 257);
            return new TrainingExample([.. Enumerable.Range(i * 1000, length)], random.Next(length));
        }

        static IEnumerable<int> Targets(IEnumerable<MicroBatch> batches) => batches.SelectMany(m => m.Targets()).Where(t => t != X).Order();
    }

    [Fact]
    public void An_example_longer_than_the_cutoff_has_a_row_of_its_own()
    {
        TrainingExample[] batch = [new([1, 2]), new(new int[20]), new([3, 4])];
        MicroBatch packed = new Collator(4, cutoff: 8, maxPositions: 512, pack: true).Collate(batch).Single();
        Assert.Equal((2, 24), (packed.Rows, packed.Width));
        Assert.Equal([1, 2, 3, 4], packed.Ids[..4]);
    }

    private static Collator Padding(int rows) => new(rows, cutoff: 256, maxPositions: 512, pack: false);
}
