using System.Numerics;
using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace NativeEngine.Kernels.Cpu;

/// <summary>
/// Attention of a block of queries over blocks of keys with a running softmax (Milakov and Gimelshein, "Online normalizer
/// calculation for softmax"; Dao et al., "FlashAttention"). Scores lie transposed, one row per key and one column per query:
/// the softmax runs down the columns without a sum across lanes, and both products read them in place.
/// </summary>
internal sealed unsafe class AttentionBlocks<T>(
    AttentionLayout<T> layout, Tensor y, Tensor? logSumExp, Tensor q, Tensor k, Tensor v, Tensor? mask, Tensor? first, Tensor packed)
    where T : unmanaged, IFloatingPointIeee754<T>
{
    private const int QueryBlock = AttentionLayout<T>.QueryBlock;

    private readonly GemmTiles<T> tiles = layout.Tiles;
    private readonly int headDim = layout.Dims.HeadDim, paddedDim = layout.PaddedDim, keys = layout.Dims.Keys;

    /// <summary>Packs the keys and values of the kv heads from .. end - 1, counted over all sequences.</summary>
    public void Pack(long from, long end)
    {
        for (long head = from; head < end; head++)
        {
            (long batch, long kvHead) = Math.DivRem(head, layout.Dims.KvHeads);
            T* kb = (T*)k.Address + batch * k.Shape[1] * k.RowStride + kvHead * headDim;
            T* vb = (T*)v.Address + batch * v.Shape[1] * v.RowStride + kvHead * headDim;
            T* panels = Packed(head), values = panels + layout.PackedKeys;
            for (long panel = 0; panel < layout.Panels; panel++)
            {
                long key = panel * layout.PanelKeys;
                int rows = (int)Math.Min(layout.PanelKeys, keys - key);
                GemmPacking.Columns(panels + panel * layout.PanelSize, tiles.PanelA, rows, kb + key * k.RowStride, k.RowStride, headDim);
            }

            for (long key = 0; key < keys; key++)
            {
                var padded = new Span<T>(values + key * paddedDim, paddedDim);
                new ReadOnlySpan<T>(vb + key * v.RowStride, headDim).CopyTo(padded);
                padded[headDim..].Clear();
            }
        }
    }

    /// <summary>Tasks from .. end - 1; a task is a block of queries of one head of one sequence.</summary>
    public void Attend(long from, long end)
    {
        for (long task = from; task < end; task++)
        {
            (long head, long block) = Math.DivRem(task, layout.QueryBlocks);
            (long batch, long queryHead) = Math.DivRem(head, layout.Dims.Heads);

            // the last queries see the most keys: starting with them keeps the threads busy to the end
            Attend(batch, queryHead, (layout.QueryBlocks - 1 - block) * QueryBlock);
        }
    }

    private void Attend(long batch, long head, long firstQuery)
    {
        int queries = (int)Math.Min(QueryBlock, layout.Queries - firstQuery);
        long kvHead = head / (layout.Dims.Heads / layout.Dims.KvHeads);
        T* panels = Packed(batch * layout.Dims.KvHeads + kvHead), values = panels + layout.PackedKeys;
        ReadOnlySpan<int> shown = mask is null ? default : mask.Row<int>(batch);
        ReadOnlySpan<int> firstKeys = first is null ? default : first.Row<int>(batch).Slice((int)firstQuery, queries);

        T* scores = GemmScratch.Current.A<T>(QueryBlock * (layout.BlockKeys + headDim + paddedDim)); // (keys of a block, QueryBlock)
        T* packedQ = scores + QueryBlock * layout.BlockKeys; // panels of (headDim, columns of a tile)
        T* sums = packedQ + QueryBlock * headDim; // (QueryBlock, paddedDim)
        T* max = stackalloc T[QueryBlock], decay = stackalloc T[QueryBlock];
        double* weight = stackalloc double[QueryBlock];
        new Span<T>(max, QueryBlock).Fill(T.NegativeInfinity);
        new Span<double>(weight, QueryBlock).Clear();
        PackQueries(packedQ, (T*)q.Address + (batch * layout.Queries + firstQuery) * q.RowStride + head * headDim, queries);

        long seenByFirst = keys - layout.Queries + firstQuery + 1, seenByLast = seenByFirst + queries - 1;
        long start = FirstBlock(firstKeys, seenByLast);
        for (long key = start; key < seenByLast; key += layout.BlockKeys)
        {
            int count = (int)Math.Min(layout.BlockKeys, seenByLast - key);
            Scores(scores, panels + key / layout.PanelKeys * layout.PanelSize, count, packedQ, queries);
            Hide(scores, count, key, seenByFirst, shown);
            HideBefore(scores, count, key, firstKeys);
            for (int column = 0; column < queries; column += Vector512<T>.Count)
            {
                Softmax(scores + column, count, max + column, decay + column, weight + column);
            }

            for (int i = 0; i < queries && key > start; i++)
            {
                var row = new Span<T>(sums + i * paddedDim, paddedDim);
                RowMath.Scale(row, row, decay[i]);
            }

            AddValues(sums, scores, count, values + key * paddedDim, queries, key == start ? T.Zero : T.One);
        }

        for (int i = 0; i < queries; i++)
        {
            Span<T> yi = y.Row<T>(batch * layout.Queries + firstQuery + i).Slice((int)head * headDim, headDim);
            RowMath.Scale(yi, new(sums + i * paddedDim, headDim), T.CreateTruncating(weight[i] == 0 ? 0 : 1 / weight[i]));
        }

        if (logSumExp is not null)
        {
            Span<T> logs = logSumExp.Row<T>(batch * layout.Dims.Heads + head).Slice((int)firstQuery, queries);
            for (int i = 0; i < queries; i++)
            {
                logs[i] = T.CreateTruncating(double.CreateTruncating(max[i]) + Math.Log(weight[i]));
            }
        }
    }

    /// <summary>Where the keys that any query of a block sees begin, rounded down to a panel; a block that sees none gets its last panel.</summary>
    private long FirstBlock(ReadOnlySpan<int> firstKeys, long seenByLast)
    {
        long key = firstKeys.IsEmpty ? 0 : Math.Clamp(TensorPrimitives.Min(firstKeys), 0, seenByLast - 1);
        return key / layout.PanelKeys * layout.PanelKeys;
    }

    private T* Packed(long kvHead) => (T*)packed.Address + kvHead * layout.PackedCount;

    private void PackQueries(T* packedQ, T* x, int queries)
    {
        for (int i = 0; i < queries; i += tiles.Columns)
        {
            GemmPacking.Columns(packedQ + i * headDim, tiles.Columns, Math.Min(tiles.Columns, queries - i), x + i * q.RowStride, q.RowStride, headDim);
        }
    }

    /// <summary>scores = scale k q^T. (count, queries)</summary>
    private void Scores(T* scores, T* panels, int count, T* packedQ, int queries)
    {
        T scale = T.CreateTruncating(layout.Dims.Scale);
        for (int key = 0; key < count; key += layout.PanelKeys, panels += layout.PanelSize)
        {
            int rows = Math.Min(layout.PanelKeys, count - key);
            for (int i = 0; i < queries; i += tiles.Columns)
            {
                tiles.Run(rows, Registers(queries - i), headDim, panels, tiles.PanelA, packedQ + i * headDim, tiles.Columns,
                    scale, T.Zero, scores + key * QueryBlock + i, QueryBlock);
            }
        }
    }

    /// <summary>The scores of keys that are padding, or that lie behind a query, become negative infinity.</summary>
    private static void Hide(T* scores, int count, long firstKey, long seenByFirst, ReadOnlySpan<int> shown)
    {
        for (int j = 0; j < count; j++)
        {
            long key = firstKey + j;
            bool padding = !shown.IsEmpty && shown[(int)key] == 0;
            long hidden = padding ? QueryBlock : Math.Max(0, key - seenByFirst + 1);
            new Span<T>(scores + j * QueryBlock, (int)hidden).Fill(T.NegativeInfinity);
        }
    }

    /// <summary>The scores of keys in front of the first one that a query sees become negative infinity.</summary>
    private static void HideBefore(T* scores, int count, long firstKey, ReadOnlySpan<int> firstKeys)
    {
        for (int i = 0; i < firstKeys.Length; i++)
        {
            for (int j = 0; j < Math.Min(count, firstKeys[i] - firstKey); j++)
            {
                scores[j * QueryBlock + i] = T.NegativeInfinity;
            }
        }
    }

    /// <summary>
    /// One register of queries: scores = exp(scores - max) with the largest score up to this block; weight, the sum of all
    /// exponentials, follows the new maximum; decay is the factor on what was summed before.
    /// </summary>
    [MethodImpl(InnerLoop.Options)]
    private static void Softmax(T* scores, int count, T* max, T* decay, double* weight)
    {
        Vector512<T> before = Vector512.Load(max), now = before;
        for (int j = 0; j < count; j++)
        {
            now = Vector512.MaxNative(Vector512.Load(scores + j * QueryBlock), now);
        }

        // a query that has seen no key yet: exp(-inf - 0) is the 0 that exp(-inf + inf) is not
        Vector512<T> shift = Vector512.ConditionalSelect(Vector512.Equals(now, Vector512.Create(T.NegativeInfinity)), Vector512<T>.Zero, now);
        Vector512<T> factor = VectorMath.Exp(before - shift);
        var sum = DoubleLanes.Load<T>(weight);
        sum.Scale(factor);
        for (int j = 0; j < count; j++)
        {
            Vector512<T> e = VectorMath.Exp(Vector512.Load(scores + j * QueryBlock) - shift);
            e.Store(scores + j * QueryBlock);
            sum.Add(e);
        }

        now.Store(max);
        factor.Store(decay);
        sum.Store<T>(weight);
    }

    /// <summary>sums = beta sums + scores^T values. (queries, paddedDim) (count, queries) (count, paddedDim)</summary>
    private void AddValues(T* sums, T* scores, int count, T* values, int queries, T beta)
    {
        for (int column = 0; column < paddedDim; column += tiles.Columns)
        {
            for (int i = 0; i < queries; i += tiles.Rows)
            {
                tiles.Run(Math.Min(tiles.Rows, queries - i), Registers(paddedDim - column), count, scores + i, QueryBlock,
                    values + column, paddedDim, T.One, beta, sums + i * paddedDim + column, paddedDim);
            }
        }
    }

    /// <summary>Registers of a tile that hold <paramref name="columns"/>, at most two.</summary>
    private int Registers(int columns) => Math.Min(2, (columns + tiles.Vector - 1) / tiles.Vector);
}
