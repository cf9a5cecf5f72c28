namespace NativeEngine.Tests.Tune;

/// <summary>What a run writes does not depend on the machine: its threads, its memory.</summary>
public sealed class TuneMachineTests : IDisposable
{
    private readonly TuneRun run = new();

    public void Dispose() => run.Dispose();

    [Fact]
    public void Residuals_of_a_streamed_model_are_bounded()
    {
        run.Options = run.Options with { MicroBatch = 1, Batch = 16, Cutoff = 128, EvalSamples = null, Steps = 1 };
        long together = run.PeakBytes(residualMemory: long.MaxValue), apart = run.PeakBytes(residualMemory: 0);
        Assert.InRange(apart, 0, together - 8 * 128L * 256 * 4 * sizeof(float)); // eight rows in front of four layers
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Threads_and_memory_make_no_difference(bool pack)
    {
        run.Options = run.Options with { Pack = pack, MicroBatch = 1, Batch = 5, Cutoff = 24 };
        (TuneResult whole, byte[] adapter) = run.Run("whole");
        AssertSame(run.Run("one thread", threads: 1));
        AssertSame(run.Run("streamed", weightMemory: 0));
        AssertSame(run.Run("streamed one by one", weightMemory: 0, residualMemory: 0));
        AssertSame(run.Run("recomputed", activationMemory: 0));
        AssertSame(run.Run("half recomputed", activationMemory: 4_000_000, weightMemory: 0, threads: 1));

        void AssertSame((TuneResult Result, byte[] Adapter) other)
        {
            Assert.Equal(whole.Loss, other.Result.Loss);
            Assert.Equal(whole.Evaluations, other.Result.Evaluations);
            Assert.Equal(adapter, other.Adapter);
        }
    }
}
