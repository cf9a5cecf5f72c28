using System.Globalization;

namespace NativeEngine.Tune;

/// <summary>
/// Which examples each optimiser step trains on. A step's number and the seed say all, so a run can go on from any step. The last batch
/// of an epoch is kept though it may be smaller.
/// </summary>
internal sealed class BatchPlan
{
    private readonly int examples, batch;
    private readonly long? seed;
    private (int Epoch, int[] Order) current;

    /// <summary>Plans <paramref name="steps"/> steps, or else <paramref name="epochs"/> passes. Error: NE2042 more steps than can be counted.</summary>
    /// <param name="examples">examples of the training set, at least 1</param>
    /// <param name="batch">examples per step</param>
    /// <param name="epochs">passes over the training set</param>
    /// <param name="steps">replaces <paramref name="epochs"/> where given</param>
    /// <param name="seed">of the order, a new one for every epoch; null keeps the order of the training set</param>
    public BatchPlan(int examples, int batch, int epochs, int? steps, long? seed)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(examples, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(batch, 1);
        (this.examples, this.batch, this.seed) = (examples, batch, seed);
        StepsPerEpoch = (int)(((long)examples + batch - 1) / batch);
        long wanted = steps ?? (long)epochs * StepsPerEpoch;
        Steps = wanted <= int.MaxValue ? (int)wanted : throw new EngineException("NE2042", "the run has more steps than can be counted")
        {
            Key = "--epochs",
            Found = $"{epochs} epochs of {StepsPerEpoch} steps",
            Expected = $"at most {int.MaxValue} steps",
        };
        current = (0, OrderOf(0));
    }

    /// <summary>Steps of one pass over the training set.</summary>
    public int StepsPerEpoch { get; }

    /// <summary>Steps of the whole run.</summary>
    public int Steps { get; }

    /// <summary>The examples of step <paramref name="step"/>, counted from 0, as indices into the training set.</summary>
    public ReadOnlySpan<int> Batch(int step)
    {
        int epoch = step / StepsPerEpoch, from = step % StepsPerEpoch * batch;
        if (epoch != current.Epoch)
        {
            current = (epoch, OrderOf(epoch));
        }

        return current.Order.AsSpan(from, Math.Min(batch, examples - from));
    }

    /// <summary>The plan in words, such as "20 steps: 2 epochs of 150 examples, 16 at a time, 6 in the last step of an epoch".</summary>
    public override string ToString()
    {
        string last = batch > examples || examples % batch == 0 ? "" : $", {examples % batch} in the last step of an epoch";
        return $"{Count(Steps, "step")}: {Count((double)Steps / StepsPerEpoch, "epoch")} of {Count(examples, "example")}, {Math.Min(batch, examples)} at a time{last}";

        static string Count(double n, string what) => n.ToString("0.##", CultureInfo.InvariantCulture) + $" {what}{(n == 1 ? "" : "s")}";
    }

    // Round 0 draws the held-out set.
    private int[] OrderOf(int epoch) => seed is long s ? Shuffle.Order(examples, s, epoch + 1) : [.. Enumerable.Range(0, examples)];
}
