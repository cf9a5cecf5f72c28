namespace NativeEngine.Kernels.Tests;

internal static partial class OpReference
{
    /// <summary>One query head at one position: where it lies in q, which keys it sees and where they lie in k, their probabilities.</summary>
    private sealed record Query(int At, int Log, int[] KeyAt, double[] Probability, double LogSumExp);

    public static void Attention(
        double[] y, double[]? logSumExp, double[] q, double[] k, double[] v, double[]? mask, double[]? first, int batch, int queries, int capacity, AttentionDims dims)
    {
        foreach (Query query in Queries(q, k, mask, first, batch, queries, capacity, dims))
        {
            logSumExp?[query.Log] = query.LogSumExp;
            Array.Clear(y, query.At, dims.HeadDim);
            for (int i = 0; i < query.KeyAt.Length; i++)
            {
                Add(y, query.At, query.Probability[i], v, query.KeyAt[i], dims.HeadDim);
            }
        }
    }

    public static void AttentionBackward(
        double[] dq, double[] dk, double[] dv, double[] dy, double[] q, double[] k, double[] v, double[]? mask, double[]? first, int batch, int length, AttentionDims dims)
    {
        Array.Clear(dq);
        Array.Clear(dk);
        Array.Clear(dv);
        foreach (Query query in Queries(q, k, mask, first, batch, length, length, dims))
        {
            double[] dp = [.. query.KeyAt.Select(key => Dot(dy, query.At, v, key, dims.HeadDim))];
            double mean = dp.Zip(query.Probability, (x, p) => x * p).Sum();
            for (int i = 0; i < dp.Length; i++)
            {
                double ds = dims.Scale * query.Probability[i] * (dp[i] - mean);
                Add(dq, query.At, ds, k, query.KeyAt[i], dims.HeadDim);
                Add(dk, query.KeyAt[i], ds, q, query.At, dims.HeadDim);
                Add(dv, query.KeyAt[i], query.Probability[i], dy, query.At, dims.HeadDim);
            }
        }
    }

    private static IEnumerable<Query> Queries(double[] q, double[] k, double[]? mask, double[]? first, int batch, int queries, int capacity, AttentionDims dims)
    {
        for (int task = 0; task < batch * queries * dims.Heads; task++)
        {
            (int h, int t, int b) = (task % dims.Heads, task / dims.Heads % queries, task / dims.Heads / queries);
            int from = first is null ? 0 : Math.Max(0, (int)first[b * queries + t]), end = dims.Keys - queries + t + 1;
            int[] keyAt =
            [
                .. Enumerable.Range(from, Math.Max(0, end - from)).Where(j => mask is null || mask[b * dims.Keys + j] != 0)
                    .Select(j => ((b * capacity + j) * dims.KvHeads + h * dims.KvHeads / dims.Heads) * dims.HeadDim),
            ];
            double[] score = [.. keyAt.Select(key => dims.Scale * Dot(q, task * dims.HeadDim, k, key, dims.HeadDim))];
            double max = score.DefaultIfEmpty().Max();
            double logSumExp = max + Math.Log(score.Sum(s => Math.Exp(s - max)));
            yield return new(task * dims.HeadDim, (b * dims.Heads + h) * queries + t, keyAt, [.. score.Select(s => Math.Exp(s - logSumExp))], logSumExp);
        }
    }

    private static double Dot(double[] a, int atA, double[] b, int atB, int length)
    {
        double sum = 0;
        for (int i = 0; i < length; i++)
        {
            sum += a[atA + i] * b[atB + i];
        }

        return sum;
    }

    private static void Add(double[] to, int at, double factor, double[] x, int from, int length)
    {
        for (int i = 0; i < length; i++)
        {
            to[at + i] += factor * x[from + i];
        }
    }
}
