using NativeEngine.Tune;

namespace NativeEngine.Tests.Tune;

public sealed class LossScaleTests
{
    [Fact]
    public void It_doubles_after_two_thousand_steps_and_halves_at_once()
    {
        LossScale scale = LossScale.Initial;
        for (int step = 0; step < 1999; step++)
        {
            scale = scale.Kept();
        }

        Assert.Equal((65536, 1999, 0), (scale.Value, scale.Steps, scale.Skipped));
        Assert.Equal(new LossScale(131072, 0, 0), scale.Kept());
        Assert.Equal(new LossScale(32768, 0, 1), scale.Halved());
        Assert.Equal(new LossScale(32768, 1, 1), scale.Halved().Kept());
    }
}
