namespace NativeEngine.Tune;

/// <summary>The learning rate of every step, as transformers' get_linear_, get_cosine_ and get_constant_schedule_with_warmup have it.</summary>
/// <param name="Decay">what happens after the warm-up</param>
/// <param name="Peak">learning rate at the end of the warm-up</param>
/// <param name="Warmup">steps in which it rises from zero</param>
/// <param name="Steps">steps of the whole run</param>
internal sealed record LearningRateSchedule(LearningRateDecay Decay, double Peak, int Warmup, int Steps)
{
    /// <summary>The learning rate of step <paramref name="step"/>, counted from 0: with a warm-up, the first step has none.</summary>
    public double At(int step) => Peak * (step < Warmup ? (double)step / Warmup : Decayed((step - Warmup) / (double)Math.Max(1, Steps - Warmup)));

    /// <summary>The share of the peak that is left after <paramref name="progress"/> of the decay.</summary>
    private double Decayed(double progress) => Decay switch
    {
        LearningRateDecay.Linear => Math.Max(0, 1 - progress),
        LearningRateDecay.Cosine => Math.Max(0, 0.5 * (1 + Math.Cos(Math.PI * progress))),
        _ => 1,
    };
}
