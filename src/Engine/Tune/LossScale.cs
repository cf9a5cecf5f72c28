namespace NativeEngine.Tune;

/// <summary>
/// Factor on the loss of a backward in F16, whose smallest number many gradients would fall below (Micikevicius et al. 2018, section 3.2): it halves when
/// a gradient overflows, which costs that step its update, and doubles after many steps without.
/// </summary>
/// <param name="Value">a power of two</param>
/// <param name="Steps">since it last changed</param>
/// <param name="Skipped">steps that changed no adapter</param>
internal readonly record struct LossScale(double Value, int Steps, int Skipped)
{
    private const int GrowthInterval = 2000; // this and the first value as in torch.amp.GradScaler

    /// <summary>In front of the first step.</summary>
    public static LossScale Initial { get; } = new(65536, 0, 0);

    /// <summary>Behind a step whose gradient was finite.</summary>
    public LossScale Kept() => Steps + 1 < GrowthInterval ? this with { Steps = Steps + 1 } : new(2 * Value, 0, Skipped);

    /// <summary>Behind a step whose gradient overflowed.</summary>
    public LossScale Halved() => new(Value / 2, 0, Skipped + 1);
}
