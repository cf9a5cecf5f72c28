using NativeEngine.Kernels;
using NativeEngine.Kernels.Cpu;
using NativeEngine.Spec;
using NativeEngine.Testing;
using NativeEngine.Tune;

namespace NativeEngine.Tests.Tune;

public sealed class TuneStateTests : IDisposable
{
    private readonly CpuBackend cpu = new(1);
    private readonly TuneState state;

    public TuneStateTests() =>
        state = new TuneState(AdapterSet.Initial(cpu, SpecReader.Read(Shared.Fixture("llama-mha")), new LoraConfig(2, 4), [Role.AttnQ], 1));

    private Span<float> A => state.Adapters[0, Role.AttnQ]!.A.AsSpan<float>();

    private Span<float> Result => state.Result[0, Role.AttnQ]!.A.AsSpan<float>();

    public void Dispose()
    {
        state.Dispose();
        cpu.Dispose();
    }

    [Fact]
    public void Without_a_measurement_the_last_adapters_are_the_result()
    {
        state.AddStep(3.5);
        state.AddStep(3.25);
        Assert.Equal((2, 0), (state.Step, state.EvaluationsWithoutGain));
        Assert.Equal([3.5, 3.25], state.Losses);
        Assert.Null(state.BestEvaluation);
        Assert.False(state.IsEvaluated);
        Assert.Same(state.Adapters, state.Result);
    }

    [Fact]
    public void The_adapters_at_the_lowest_measurement_are_kept()
    {
        int[] withoutGain = [.. new[] { 4.0, 3.0, 3.0, 3.5, 2.0 }.Select(loss =>
        {
            state.AddStep(loss);
            A[0] = (float)loss + state.Step;
            state.AddEvaluation(loss);
            return state.EvaluationsWithoutGain;
        })];
        Assert.Equal([0, 0, 1, 2, 0], withoutGain);
        Assert.Equal(new Evaluation(5, 2.0), state.BestEvaluation);

        A[0] = 100;
        state.AddEvaluation(2.0);
        Assert.Equal((7f, 1), (Result[0], state.EvaluationsWithoutGain));
        Assert.True(state.IsEvaluated);
        Assert.NotSame(state.Adapters, state.Result);
    }

    [Fact]
    public void Running_means_begin_at_zero() => Assert.All(
        state.Mean.Tensors().Concat(state.Square.Tensors()),
        t => Assert.All(t.Value.AsSpan<float>().ToArray(), x => Assert.Equal(0, x)));
}
