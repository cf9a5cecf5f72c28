namespace NativeEngine.Tune;

/// <summary>Orders that are drawn from a seed and stay the same for ever.</summary>
internal static class Shuffle
{
    /// <summary>The numbers below <paramref name="count"/>, shuffled (Fisher and Yates); each <paramref name="round"/> has an order of its own.</summary>
    public static int[] Order(int count, long seed, int round = 0)
    {
        var rounds = new SplitMix64(seed);
        ulong key = rounds.Next();
        for (int i = 0; i < round; i++)
        {
            key = rounds.Next();
        }

        var random = new SplitMix64((long)key);
        int[] order = [.. Enumerable.Range(0, count)];
        for (int i = count - 1; i > 0; i--)
        {
            int j = (int)random.Below(i + 1);
            (order[i], order[j]) = (order[j], order[i]);
        }

        return order;
    }
}
