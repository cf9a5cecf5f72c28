using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace NativeEngine.Kernels.Cpu;

/// <summary>
/// Attention of one query per sequence, as in decoding. A task takes a few consecutive keys and all heads, so that keys and
/// values are read once and in the order in which they lie; the softmaxes of the tasks are then put together by their maxima
/// ("Flash-Decoding", Dao et al. 2023). How many keys a task takes follows from the shapes alone. Scores lie one row per key
/// and one column per query head: the softmax needs no sum across lanes.
/// </summary>
internal sealed unsafe class AttentionStep<T>(Tensor y, Tensor? logSumExp, Tensor q, Tensor k, Tensor v, Tensor? mask, Tensor? first, AttentionDims dims)
    where T : unmanaged, IFloatingPointIeee754<T>
{
    /// <summary>Keys of one task take about so much: enough to be worth handing to a thread, little enough for every thread to get some.</summary>
    private const int TaskBytes = 1 << 15;

    private readonly int heads = dims.Heads, headDim = dims.HeadDim, group = dims.Heads / dims.KvHeads;
    private readonly int taskKeys = Math.Max(4, TaskBytes / (dims.KvHeads * dims.HeadDim * sizeof(T)) & ~3);

    /// <summary>Query heads, rounded up to whole vectors.</summary>
    private readonly int lanes = (dims.Heads + Vector512<T>.Count - 1) / Vector512<T>.Count * Vector512<T>.Count;

    private T* partial;
    private double* weights;

    /// <summary>Tasks per sequence.</summary>
    public int Tasks => (dims.Keys + taskKeys - 1) / taskKeys;

    /// <summary>What one task leaves behind: sums of values (heads, headDim), then the largest score of every head (lanes).</summary>
    public long PartialCount => (long)heads * headDim + lanes;

    /// <summary>The sum of the exponentials of every head.</summary>
    public long WeightCount => lanes;

    /// <summary>Gives the tasks room. (B * Tasks, PartialCount) F64(B * Tasks, WeightCount)</summary>
    public void Use(Tensor partials, Tensor sums)
    {
        partial = (T*)partials.Address;
        weights = (double*)sums.Address;
    }

    /// <summary>Task <paramref name="index"/>, counted over all sequences.</summary>
    public void Attend(long index)
    {
        (long batch, long task) = Math.DivRem(index, Tasks);
        int key = (int)task * taskKeys, count = Math.Min(taskKeys, dims.Keys - key);
        T* sums = partial + index * PartialCount, max = sums + heads * headDim;
        T* scores = GemmScratch.Current.A<T>((long)taskKeys * lanes); // (count, lanes)
        Scores(scores, batch, key, count);
        if (first is not null)
        {
            // keys in front of the first one that the query sees
            long hidden = Math.Clamp(first.Row<int>(batch)[0] - (long)key, 0, count);
            new Span<T>(scores, (int)hidden * lanes).Fill(T.NegativeInfinity);
        }

        for (int lane = 0; lane < lanes; lane += Vector512<T>.Count)
        {
            Softmax(scores + lane, count, max + lane, weights + index * lanes + lane);
        }

        AddValues(sums, scores, (T*)v.Address + (batch * v.Shape[1] + key) * v.RowStride, count);
    }

    /// <summary>Puts the tasks of sequence <paramref name="batch"/> together.</summary>
    public void Merge(long batch)
    {
        T* sums = partial + batch * Tasks * PartialCount, max = sums + heads * headDim;
        T* largest = GemmScratch.Current.A<T>(lanes);
        double* weight = weights + batch * Tasks * lanes;
        for (int lane = 0; lane < lanes; lane += Vector512<T>.Count)
        {
            MergeSoftmax(max + lane, weight + lane, largest + lane);
        }

        T* to = (T*)y.Address + batch * y.RowStride;
        for (int head = 0; head < heads; head++)
        {
            MergeValues(to + head * headDim, sums + head * headDim, max + head, T.CreateTruncating(weight[head] == 0 ? 0 : 1 / weight[head]));
            if (logSumExp is not null)
            {
                logSumExp.Row<T>(batch * heads + head)[0] = T.CreateTruncating(double.CreateTruncating(largest[head]) + Math.Log(weight[head]));
            }
        }
    }

    /// <summary>scores = scale k q^T; negative infinity where the mask, if there is one, is 0. (count, lanes)</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Scores(T* scores, long batch, int firstKey, int count)
    {
        T scale = T.CreateTruncating(dims.Scale);
        ReadOnlySpan<int> shown = mask is null ? default : mask.Row<int>(batch).Slice(firstKey, count);
        T* query = (T*)q.Address + batch * q.RowStride;
        T* key = (T*)k.Address + (batch * k.Shape[1] + firstKey) * k.RowStride;
        T* value = (T*)v.Address + (batch * v.Shape[1] + firstKey) * v.RowStride;
        int whole = headDim & -Vector512<T>.Count;
        new Span<T>(scores, count * lanes).Clear();
        for (int j = 0; j < count; j++, key += k.RowStride, value += v.RowStride, scores += lanes)
        {
            if (!shown.IsEmpty && shown[j] == 0)
            {
                new Span<T>(scores, heads).Fill(T.NegativeInfinity);
                continue;
            }

            // Four sums at once; behind the last head it is repeated, into lanes that nothing reads.
            for (int head = 0; head < heads; head += 4)
            {
                int h1 = Math.Min(head + 1, heads - 1), h2 = Math.Min(head + 2, heads - 1), h3 = Math.Min(head + 3, heads - 1);
                T* q0 = query + head * headDim, q1 = query + h1 * headDim, q2 = query + h2 * headDim, q3 = query + h3 * headDim;
                long k0 = (long)(head / group) * headDim, k1 = (long)(h1 / group) * headDim, k2 = (long)(h2 / group) * headDim, k3 = (long)(h3 / group) * headDim;
                Vector512<T> x0 = Vector512<T>.Zero, x1 = x0, x2 = x0, x3 = x0;
                for (int c = 0; c < whole; c += Vector512<T>.Count)
                {
                    Prefetch(value + k0 + c);
                    x0 = Simd512<T>.MultiplyAdd(Vector512.Load(q0 + c), Vector512.Load(key + k0 + c), x0);
                    Prefetch(value + k1 + c);
                    x1 = Simd512<T>.MultiplyAdd(Vector512.Load(q1 + c), Vector512.Load(key + k1 + c), x1);
                    Prefetch(value + k2 + c);
                    x2 = Simd512<T>.MultiplyAdd(Vector512.Load(q2 + c), Vector512.Load(key + k2 + c), x2);
                    Prefetch(value + k3 + c);
                    x3 = Simd512<T>.MultiplyAdd(Vector512.Load(q3 + c), Vector512.Load(key + k3 + c), x3);
                }

                T* dots = scores + head;
                VectorMath.Sums(dots, Simd512<T>.Fold(x0), Simd512<T>.Fold(x1), Simd512<T>.Fold(x2), Simd512<T>.Fold(x3));
                for (int c = whole; c < headDim; c++)
                {
                    dots[0] += q0[c] * key[k0 + c];
                    dots[1] += q1[c] * key[k1 + c];
                    dots[2] += q2[c] * key[k2 + c];
                    dots[3] += q3[c] * key[k3 + c];
                }

                (dots[0], dots[1], dots[2], dots[3]) = (scale * dots[0], scale * dots[1], scale * dots[2], scale * dots[3]);
            }
        }
    }

    /// <summary>One vector of heads: scores = exp(scores - max), the largest score, and the sum of all exponentials.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Softmax(T* scores, int count, T* max, double* weight)
    {
        Vector512<T> largest = Vector512.Create(T.NegativeInfinity);
        for (int j = 0; j < count; j++)
        {
            largest = Vector512.MaxNative(Vector512.Load(scores + j * lanes), largest);
        }

        Vector512<T> shift = Finite(largest);
        var sum = default(DoubleLanes);
        for (int j = 0; j < count; j++)
        {
            Vector512<T> e = VectorMath.Exp(Vector512.Load(scores + j * lanes) - shift);
            e.Store(scores + j * lanes);
            sum.Add(e);
        }

        largest.Store(max);
        sum.Store<T>(weight);
    }

    /// <summary>sums = scores^T values, four keys at a time. (heads, headDim) (count, lanes) (count, kvHeads * headDim)</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void AddValues(T* sums, T* scores, T* values, int count)
    {
        int whole = headDim & -Vector512<T>.Count;
        new Span<T>(sums, heads * headDim).Clear();
        for (int j = 0; j < count; j += 4)
        {
            // beyond the last key: its values once more, with the weight 0
            int last = Math.Min(3, count - 1 - j);
            T* p = scores + j * lanes;
            T* row = values + j * v.RowStride;
            for (int head = 0; head < heads; head++)
            {
                T* v0 = row + head / group * headDim, sum = sums + head * headDim;
                T* v1 = v0 + Math.Min(1, last) * v.RowStride, v2 = v0 + Math.Min(2, last) * v.RowStride, v3 = v0 + last * v.RowStride;
                T p0 = p[head], p1 = last > 0 ? p[head + lanes] : T.Zero, p2 = last > 1 ? p[head + 2 * lanes] : T.Zero, p3 = last > 2 ? p[head + 3 * lanes] : T.Zero;
                Vector512<T> w0 = Vector512.Create(p0), w1 = Vector512.Create(p1), w2 = Vector512.Create(p2), w3 = Vector512.Create(p3);
                for (int c = 0; c < whole; c += Vector512<T>.Count)
                {
                    Vector512<T> x = Simd512<T>.MultiplyAdd(w0, Vector512.Load(v0 + c), Vector512.Load(sum + c));
                    x = Simd512<T>.MultiplyAdd(w1, Vector512.Load(v1 + c), x);
                    x = Simd512<T>.MultiplyAdd(w2, Vector512.Load(v2 + c), x);
                    Simd512<T>.MultiplyAdd(w3, Vector512.Load(v3 + c), x).Store(sum + c);
                }

                for (int c = whole; c < headDim; c++)
                {
                    sum[c] += p0 * v0[c] + p1 * v1[c] + p2 * v2[c] + p3 * v3[c];
                }
            }
        }
    }

    /// <summary>One vector of heads: the largest score of all tasks; every task's own becomes the factor on its sums, the first task's weight the sum over all tasks.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void MergeSoftmax(T* max, double* weight, T* largest)
    {
        Vector512<T> now = Vector512.Create(T.NegativeInfinity);
        for (int task = 0; task < Tasks; task++)
        {
            now = Vector512.MaxNative(Vector512.Load(max + task * PartialCount), now);
        }

        Vector512<T> shift = Finite(now);
        var total = default(DoubleLanes);
        for (int task = 0; task < Tasks; task++)
        {
            Vector512<T> factor = VectorMath.Exp(Vector512.Load(max + task * PartialCount) - shift);
            factor.Store(max + task * PartialCount);
            var sum = DoubleLanes.Load<T>(weight + task * lanes);
            sum.Scale(factor);
            total.Add(sum);
        }

        now.Store(largest);
        total.Store<T>(weight);
    }

    /// <summary>One head: to = (sum over the tasks of factor * sums) * scale. (headDim)</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void MergeValues(T* to, T* sums, T* factors, T scale)
    {
        int c = 0;
        for (; c <= headDim - Vector512<T>.Count; c += Vector512<T>.Count)
        {
            Vector512<T> x = Vector512<T>.Zero;
            for (int task = 0; task < Tasks; task++)
            {
                x = Simd512<T>.MultiplyAdd(Vector512.Create(factors[task * PartialCount]), Vector512.Load(sums + task * PartialCount + c), x);
            }

            (x * Vector512.Create(scale)).Store(to + c);
        }

        for (; c < headDim; c++)
        {
            T x = T.Zero;
            for (int task = 0; task < Tasks; task++)
            {
                x += factors[task * PartialCount] * sums[task * PartialCount + c];
            }

            to[c] = x * scale;
        }
    }

    /// <summary>What is subtracted from scores: exp(-inf - 0) is the 0 that exp(-inf + inf) is not.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<T> Finite(Vector512<T> largest) =>
        Vector512.ConditionalSelect(Vector512.Equals(largest, Vector512.Create(T.NegativeInfinity)), Vector512<T>.Zero, largest);

    /// <summary>Values are used when all keys of the task have been read.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Prefetch(T* x)
    {
        if (Sse.IsSupported)
        {
            Sse.Prefetch1(x);
        }
    }
}
