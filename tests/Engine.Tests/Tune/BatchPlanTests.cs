using NativeEngine.Tune;

namespace NativeEngine.Tests.Tune;

public sealed class BatchPlanTests
{
    [Theory]
    [InlineData(150, 16, 2, null, 10, 20)]
    [InlineData(160, 16, 3, null, 10, 30)]
    [InlineData(5, 64, 2, null, 1, 2)]
    [InlineData(150, 16, 2, 7, 10, 7)]
    [InlineData(150, 16, 2, 33, 10, 33)]
    public void Steps_are_those_of_the_epochs_unless_given(int examples, int batch, int epochs, int? steps, int perEpoch, int total)
    {
        var plan = new BatchPlan(examples, batch, epochs, steps, 42);
        Assert.Equal((perEpoch, total), (plan.StepsPerEpoch, plan.Steps));
    }

    [Fact]
    public void More_steps_than_can_be_counted_are_refused()
    {
        Assert.Equal(int.MaxValue, new BatchPlan(2, 2, int.MaxValue, null, 42).Steps);
        Assert.Equal("NE2042", Assert.Throws<EngineException>(() => new BatchPlan(3, 2, int.MaxValue, null, 42)).Code);
    }

    [Fact]
    public void Every_epoch_visits_every_example_once_in_an_order_of_its_own()
    {
        var plan = new BatchPlan(150, 16, 2, null, 42);
        int[][] epochs = [.. Enumerable.Range(0, 2).Select(e => Enumerable.Range(0, 10).SelectMany(s => plan.Batch(e * 10 + s).ToArray()).ToArray())];
        Assert.All(epochs, order => Assert.Equal(Enumerable.Range(0, 150), order.Order()));
        Assert.NotEqual(epochs[0], epochs[1]);
        Assert.NotEqual(Enumerable.Range(0, 150), epochs[0]);
        Assert.Equal(6, plan.Batch(9).Length);
    }

    [Fact]
    public void A_step_has_the_same_examples_wherever_the_run_began()
    {
        int[] whole = Run(from: 0), resumed = Run(from: 13);
        Assert.Equal(whole[^resumed.Length..], resumed);
        Assert.NotEqual(whole, Run(from: 0, seed: 43));

        static int[] Run(int from, long seed = 42)
        {
            var plan = new BatchPlan(150, 16, 3, null, seed);
            return [.. Enumerable.Range(from, plan.Steps - from).SelectMany(step => plan.Batch(step).ToArray())];
        }
    }

    [Fact]
    public void Without_a_seed_examples_keep_their_order()
    {
        var plan = new BatchPlan(32, 16, 8, null, seed: null);
        Assert.All(Enumerable.Range(0, plan.Steps), s => Assert.Equal(Enumerable.Range(0, 16).Select(i => (16 * s + i) % 32), plan.Batch(s).ToArray()));
    }

    [Fact]
    public void The_plan_is_said_in_words()
    {
        Assert.Equal("20 steps: 2 epochs of 150 examples, 16 at a time, 6 in the last step of an epoch", new BatchPlan(150, 16, 2, null, 1).ToString());
        Assert.Equal("5 steps: 0.5 epochs of 160 examples, 16 at a time", new BatchPlan(160, 16, 2, 5, 1).ToString());
        Assert.Equal("1 step: 1 epoch of 1 example, 1 at a time", new BatchPlan(1, 64, 1, null, 1).ToString());
        Assert.Equal("2 steps: 2 epochs of 5 examples, 5 at a time", new BatchPlan(5, 64, 2, null, 1).ToString());
    }

    /// <summary>Pinned, as computed by an independent implementation: a resumed run may be older than the program.</summary>
    [Fact]
    public void The_order_of_a_seed_never_changes() => Assert.Equal([5, 7, 3, 1, 8, 2, 9, 4, 0, 6], new BatchPlan(10, 10, 1, null, 42).Batch(0).ToArray());
}
