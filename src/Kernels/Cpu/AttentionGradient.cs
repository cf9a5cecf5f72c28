using System.Numerics;
using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace NativeEngine.Kernels.Cpu;

/// <summary>
/// Gradient of attention for one kv head of one sequence, block by block (Dao, "FlashAttention-2", section 2.3.2): with
/// p = exp(scores - logSumExp) and d = sum(dy y) of every query, dv = p^T dy, ds = p (dy v^T - d), dk = scale ds^T q and
/// dq = scale ds k. The blocks of queries of all heads that read the kv head follow each other on one thread, so dk and dv are
/// summed in a fixed order. p and ds lie one row per query: the products over queries read them in place, and for the product
/// over keys a panel of queries is packed while it is in the cache.
/// </summary>
internal sealed unsafe class AttentionGradient<T>(
    GemmTiles<T> tiles, Tensor dq, Tensor dk, Tensor dv, Tensor dy, Tensor y, Tensor logSumExp, Tensor q, Tensor k, Tensor v, Tensor? mask, Tensor? first, AttentionDims dims, long batch, long kvHead)
    where T : unmanaged, IFloatingPointIeee754<T>
{
    /// <summary>About as many queries, and as many keys, are worked on together.</summary>
    private const int Block = 256;

    private readonly int headDim = dims.HeadDim, keys = dims.Keys;
    private readonly int paddedDim = (dims.HeadDim + tiles.Vector - 1) / tiles.Vector * tiles.Vector;

    /// <summary>Whole panels of queries.</summary>
    private readonly int queryBlock = Block / 2 / tiles.Rows * tiles.Rows;

    /// <summary>Whole panels of keys, as columns of scores and as rows of dk and dv.</summary>
    private readonly int keyBlock = Block / (tiles.Rows * tiles.Columns / 2) * (tiles.Rows * tiles.Columns / 2);

    private readonly T scale = T.CreateTruncating(dims.Scale);

    // Of all keys: panels of (headDim, columns of a tile); rows of paddedDim; 0, or negative infinity where the mask hides the key.
    private T* packedK, packedV, rowsK, sumsK, sumsV, hidden;

    // Of a block of queries: panels of (headDim, rows of a tile); rows of paddedDim; (queryBlock, keyBlock); a panel of (keyBlock, rows of a tile).
    private T* packedQ, packedDy, rowsQ, rowsDy, sumsQ, p, ds, panel;

    /// <summary>Assigns dk and dv of the kv head and dq of the query heads that read it.</summary>
    public void Run()
    {
        TakeScratch();
        PackKeys();
        int group = dims.Heads / dims.KvHeads;
        for (long head = kvHead * group; head < (kvHead + 1) * group; head++)
        {
            for (int query = 0; query < keys; query += queryBlock)
            {
                Queries(head, query);
            }
        }

        StoreRows(dk, kvHead, 0, sumsK, keys);
        StoreRows(dv, kvHead, 0, sumsV, keys);
    }

    private void TakeScratch()
    {
        long panelsOfKeys = (long)(keys + tiles.Columns - 1) / tiles.Columns * tiles.Columns * headDim, rowsOfKeys = (long)keys * paddedDim;
        long panelsOfQueries = (long)queryBlock / tiles.Rows * tiles.PanelA * headDim, rowsOfQueries = (long)queryBlock * paddedDim;
        long scores = (long)queryBlock * keyBlock, panelOfScores = (long)keyBlock * tiles.PanelA, masked = keys + Vector512<T>.Count;
        T* free = GemmScratch.Current.A<T>(
            2 * panelsOfKeys + 3 * rowsOfKeys + 2 * panelsOfQueries + 3 * rowsOfQueries + 2 * scores + panelOfScores + masked);
        T* Take(long count)
        {
            free += count;
            return free - count;
        }

        packedK = Take(panelsOfKeys);
        packedV = Take(panelsOfKeys);
        rowsK = Take(rowsOfKeys);
        sumsK = Take(rowsOfKeys);
        sumsV = Take(rowsOfKeys);
        packedQ = Take(panelsOfQueries);
        packedDy = Take(panelsOfQueries);
        rowsQ = Take(rowsOfQueries);
        rowsDy = Take(rowsOfQueries);
        sumsQ = Take(rowsOfQueries);
        p = Take(scores);
        ds = Take(scores);
        panel = Take(panelOfScores);
        hidden = Take(masked);
    }

    private void PackKeys()
    {
        T* kb = Head(k, kvHead, 0), vb = Head(v, kvHead, 0);
        PackPanels(packedK, tiles.Columns, tiles.Columns, kb, k.RowStride, keys);
        PackPanels(packedV, tiles.Columns, tiles.Columns, vb, v.RowStride, keys);
        PadRows(rowsK, kb, k.RowStride, keys);
        Clear(sumsK, (long)keys * paddedDim);
        Clear(sumsV, (long)keys * paddedDim);
        if (mask is not null)
        {
            ReadOnlySpan<int> shown = mask.Row<int>(batch);
            for (int j = 0; j < keys; j++)
            {
                hidden[j] = shown[j] == 0 ? T.NegativeInfinity : T.Zero;
            }
        }
    }

    /// <summary>One block of queries of one head: its dq, and what it adds to dk and dv.</summary>
    private void Queries(long head, int firstQuery)
    {
        int queries = Math.Min(queryBlock, keys - firstQuery);
        T* qb = Head(q, head, firstQuery), dyb = Head(dy, head, firstQuery);
        PackPanels(packedQ, tiles.Rows, tiles.PanelA, qb, q.RowStride, queries);
        PackPanels(packedDy, tiles.Rows, tiles.PanelA, dyb, dy.RowStride, queries);
        PadRows(rowsQ, qb, q.RowStride, queries);
        PadRows(rowsDy, dyb, dy.RowStride, queries);
        Clear(sumsQ, (long)queries * paddedDim);

        ReadOnlySpan<T> logs = logSumExp.Row<T>(batch * dims.Heads + head).Slice(firstQuery, queries);
        ReadOnlySpan<int> firstKeys = first is null ? default : first.Row<int>(batch).Slice(firstQuery, queries);
        Span<T> d = stackalloc T[queryBlock];
        for (int i = 0; i < queries; i++)
        {
            d[i] = TensorPrimitives.Dot(new ReadOnlySpan<T>(dyb + i * dy.RowStride, headDim), new(Head(y, head, firstQuery + i), headDim));
        }

        int end = firstQuery + queries;
        int start = firstKeys.IsEmpty ? 0 : Math.Clamp(TensorPrimitives.Min(firstKeys), 0, end) / tiles.Columns * tiles.Columns;
        for (int key = start; key < end; key += keyBlock)
        {
            int count = Math.Min(keyBlock, end - key);
            for (int i = 0; i < queries; i += tiles.Rows)
            {
                // of the keys in this block, query i of the panel sees those up to its own position
                int rows = Math.Min(tiles.Rows, queries - i), seen = Math.Min(count, firstQuery + i + rows - key);
                if (seen > 0)
                {
                    Scores(i, rows, key, seen);
                    for (int r = i; r < i + rows; r++)
                    {
                        int from = firstKeys.IsEmpty ? 0 : Math.Clamp(firstKeys[r] - key, 0, count);
                        int to = T.IsNegativeInfinity(logs[r]) ? 0 : Math.Clamp(firstQuery + r + 1 - key, 0, count);
                        Weigh(r, key, Math.Min(from, to), to, Math.Min(keyBlock, Math.Max(0, firstQuery + r + 1 - key) + tiles.Rows), logs[r], d[r]);
                    }

                    AddToQueries(i, rows, key, seen);
                }
            }

            AddToKeys(sumsV, p, rowsDy, key, count, firstQuery, queries, T.One);
            AddToKeys(sumsK, ds, rowsQ, key, count, firstQuery, queries, scale);
        }

        StoreRows(dq, head, firstQuery, sumsQ, queries);
    }

    /// <summary>p = scale q k^T and ds = dy v^T for a panel of queries.</summary>
    private void Scores(int i, int rows, int key, int seen)
    {
        T* panelQ = packedQ + i / tiles.Rows * tiles.PanelA * headDim, panelDy = packedDy + (panelQ - packedQ);
        for (int j = 0; j < seen; j += tiles.Columns)
        {
            long keyPanel = (long)(key + j) * headDim;
            int at = i * keyBlock + j, registers = Registers(seen - j);
            tiles.Run(rows, registers, headDim, panelQ, tiles.PanelA, packedK + keyPanel, tiles.Columns, scale, T.Zero, p + at, keyBlock);
            tiles.Run(rows, registers, headDim, panelDy, tiles.PanelA, packedV + keyPanel, tiles.Columns, T.One, T.Zero, ds + at, keyBlock);
        }
    }

    /// <summary>The scores of query i become p and ds for the keys from .. to - 1 of the block, and 0 for the others up to end.</summary>
    private void Weigh(int i, int key, int from, int to, int end, T logSumExp, T d)
    {
        T* pi = p + i * keyBlock, dsi = ds + i * keyBlock;
        Weigh(pi, dsi, from & -Vector512<T>.Count, to, mask is null ? null : hidden + key, logSumExp, d);
        new Span<T>(pi, from).Clear();
        new Span<T>(dsi, from).Clear();
        new Span<T>(pi + to, end - to).Clear();
        new Span<T>(dsi + to, end - to).Clear();
    }

    [MethodImpl(InnerLoop.Options)]
    private static void Weigh(T* p, T* ds, int from, int to, T* hidden, T logSumExp, T d)
    {
        Vector512<T> shift = Vector512.Create(logSumExp), center = Vector512.Create(d);
        for (int j = from; j < to; j += Vector512<T>.Count)
        {
            Vector512<T> s = Vector512.Load(p + j);
            Vector512<T> e = VectorMath.Exp((hidden == null ? s : s + Vector512.Load(hidden + j)) - shift);
            e.Store(p + j);
            (e * (Vector512.Load(ds + j) - center)).Store(ds + j);
        }
    }

    /// <summary>sumsQ += scale ds k for a panel of queries.</summary>
    private void AddToQueries(int i, int rows, int key, int seen)
    {
        GemmPacking.Columns(panel, tiles.PanelA, rows, ds + i * keyBlock, keyBlock, seen);
        for (int column = 0; column < paddedDim; column += tiles.Columns)
        {
            tiles.Run(rows, Registers(paddedDim - column), seen, panel, tiles.PanelA, rowsK + (long)key * paddedDim + column, paddedDim,
                scale, T.One, sumsQ + i * paddedDim + column, paddedDim);
        }
    }

    /// <summary>sums += alpha weights^T x for a block of keys. (keys, paddedDim) (queries, keyBlock) (queries, paddedDim)</summary>
    private void AddToKeys(T* sums, T* weights, T* x, int key, int count, int firstQuery, int queries, T alpha)
    {
        for (int column = 0; column < paddedDim; column += tiles.Columns)
        {
            for (int j = 0; j < count; j += tiles.Rows)
            {
                // the queries in front of the first of these keys do not see them
                int i = Math.Max(0, key + j - firstQuery);
                tiles.Run(Math.Min(tiles.Rows, count - j), Registers(paddedDim - column), queries - i, weights + i * keyBlock + j, keyBlock,
                    x + i * paddedDim + column, paddedDim, alpha, T.One, sums + (long)(key + j) * paddedDim + column, paddedDim);
            }
        }
    }

    /// <summary>Position <paramref name="row"/> of one head of this sequence.</summary>
    private T* Head(Tensor x, long head, long row) => (T*)x.Address + (batch * keys + row) * x.RowStride + head * headDim;

    /// <summary>Rows of one head as panels of <paramref name="width"/> rows.</summary>
    private void PackPanels(T* panels, int width, int stride, T* x, long ldx, int rows)
    {
        for (int i = 0; i < rows; i += width, panels += stride * headDim)
        {
            GemmPacking.Columns(panels, stride, Math.Min(width, rows - i), x + i * ldx, ldx, headDim);
        }
    }

    /// <summary>Rows of one head, each padded with zeros.</summary>
    private void PadRows(T* padded, T* x, long ldx, int rows)
    {
        for (int i = 0; i < rows; i++, padded += paddedDim, x += ldx)
        {
            new ReadOnlySpan<T>(x, headDim).CopyTo(new(padded, headDim));
            new Span<T>(padded + headDim, paddedDim - headDim).Clear();
        }
    }

    private void StoreRows(Tensor to, long head, long firstRow, T* padded, int rows)
    {
        for (int i = 0; i < rows; i++, padded += paddedDim)
        {
            new ReadOnlySpan<T>(padded, headDim).CopyTo(new(Head(to, head, firstRow + i), headDim));
        }
    }

    private static void Clear(T* x, long count) => System.Runtime.InteropServices.NativeMemory.Clear(x, (nuint)(count * sizeof(T)));

    /// <summary>Registers of a tile that hold <paramref name="columns"/>, at most two.</summary>
    private int Registers(int columns) => Math.Min(2, (columns + tiles.Vector - 1) / tiles.Vector);
}
