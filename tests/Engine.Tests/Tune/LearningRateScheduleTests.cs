using NativeEngine.Tune;

namespace NativeEngine.Tests.Tune;

/// <summary>The formulas of transformers/optimization.py.</summary>
public sealed class LearningRateScheduleTests
{
    [Theory]
    [InlineData(LearningRateDecay.Linear, 100, 1618)]
    [InlineData(LearningRateDecay.Cosine, 100, 1618)]
    [InlineData(LearningRateDecay.Constant, 100, 1618)]
    [InlineData(LearningRateDecay.Linear, 0, 16)]
    [InlineData(LearningRateDecay.Cosine, 0, 16)]
    [InlineData(LearningRateDecay.Constant, 0, 16)]
    [InlineData(LearningRateDecay.Linear, 100, 16)]
    public void Rates_are_those_of_transformers(LearningRateDecay decay, int warmup, int steps)
    {
        var schedule = new LearningRateSchedule(decay, 3e-4, warmup, steps);
        for (int step = 0; step <= steps; step++)
        {
            Golden.Close(3e-4 * Lambda(decay, step, warmup, steps), schedule.At(step), 1e-14, 1e-19, $"step {step}");
        }
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

    private static double Lambda(LearningRateDecay decay, int current, int warmup, int total)
    {
        if (current < warmup)
        {
            return (double)current / Math.Max(1, warmup);
        }

        double progress = (double)(current - warmup) / Math.Max(1, total - warmup);
        return decay switch
        {
            LearningRateDecay.Linear => Math.Max(0, (double)(total - current) / Math.Max(1, total - warmup)),
            LearningRateDecay.Cosine => Math.Max(0, 0.5 * (1 + Math.Cos(Math.PI * 0.5 * 2 * progress))),
            _ => 1,
        };
    }
}
