using NativeEngine.Tune;

namespace NativeEngine.Tests.Tune;

/// <summary>Rates that transformers records for its schedules (tests/optimization/test_optimization.py): a peak of 10, 10 steps.</summary>
public sealed class LearningRateScheduleTests
{
    [Theory]
    [InlineData(LearningRateDecay.Linear, 2, new[] { 0.0, 5, 10, 8.75, 7.5, 6.25, 5, 3.75, 2.5, 1.25 })]
    [InlineData(LearningRateDecay.Cosine, 2, new[] { 0.0, 5, 10, 9.61, 8.53, 6.91, 5, 3.08, 1.46, 0.38 })]
    [InlineData(LearningRateDecay.Constant, 4, new[] { 0.0, 2.5, 5, 7.5, 10, 10, 10, 10, 10, 10 })]
    public void Rates_are_those_of_transformers(LearningRateDecay decay, int warmup, double[] rates)
    {
        var schedule = new LearningRateSchedule(decay, 10, warmup, rates.Length);
        Assert.All(rates.Index(), rate => Golden.Close(rate.Item, schedule.At(rate.Index), 0, Tolerances.RecordedRate, $"step {rate.Index}"));
    }

    [Fact]
    public void Warmup_starts_at_zero_and_the_decay_ends_there()
    {
        var linear = new LearningRateSchedule(LearningRateDecay.Linear, 1, 10, 30);
        Assert.Equal([0, 0.5, 1, 0.5, 0], new[] { 0, 5, 10, 20, 30 }.Select(linear.At));
        Assert.Equal(0, (linear with { Decay = LearningRateDecay.Cosine }).At(30));
        Assert.Equal(1, (linear with { Decay = LearningRateDecay.Constant }).At(30));
        Assert.Equal(1, (linear with { Warmup = 0 }).At(0));
    }
}
