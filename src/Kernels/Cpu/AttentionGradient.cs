using System.Numerics;
using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace NativeEngine.Kernels.Cpu;

/// <summary>
/// Gradient of attention, block by block (Dao, "FlashAttention-2", section 2.3.2). With p = exp(scores - logSumExp) and
/// d = sum(dy y) of every query: dv = p^T dy, ds = p (dy v^T - d), dq = scale ds k, dk = scale ds^T q. A task is a kv head of
/// a sequence: the queries that read it follow each other on one thread, so dk and dv are summed in a fixed order. p and ds
/// lie one row per query: the sums over queries read them in place, and for the sum over keys a panel of ds is packed while
/// it is in the cache.
/// </summary>
internal sealed unsafe class AttentionGradient<T>(
    GemmTiles<T> tiles, Tensor dq, Tensor dk, Tensor dv, Tensor dy, Tensor y, Tensor logSumExp, Tensor q, Tensor k, Tensor v, Tensor? mask, Tensor? first, AttentionDims dims)
    where T : unmanaged, IFloatingPointIeee754<T>
{
    private readonly int headDim = dims.HeadDim, keys = dims.Keys, group = dims.Heads / dims.KvHeads;
    private readonly int paddedDim = (dims.HeadDim + tiles.Vector - 1) / tiles.Vector * tiles.Vector;
    private readonly T scale = T.CreateTruncating(dims.Scale);

    /// <summary>Queries that are worked on together: whole panels.</summary>
    private readonly int queryBlock = 72 / tiles.Rows * tiles.Rows;

    /// <summary>Keys that are worked on together: whole panels of keys both as columns of p and as rows of dk, and whole vectors.</summary>
    private readonly int keyBlock = WholeSteps(256, tiles.Rows * Math.Max(tiles.Columns, Vector512<T>.Count) / 2);

    // The kv head at work. Panels of (headDim, columns of a tile); rows of paddedDim; 0 or, where the mask hides the key, negative infinity.
    private long batch, kvHead;
    private T* packedK, packedV, rowsK, sumsK, sumsV, hidden;

    // Its block of queries at work. Panels of (headDim, rows of a tile); rows of paddedDim.
    private long head;
    private int firstQuery, queries;
    private T* packedQ, packedDy, rowsQ, rowsDy, sumsQ, d;

    // The block of keys under these queries: (queryBlock, keyBlock), and a panel of (keyBlock, rows of a tile).
    private T* p, ds, packedDs;

    /// <summary>Tasks from .. end - 1: dk and dv of a kv head, and dq of the query heads that read it.</summary>
    public void Run(long from, long end)
    {
        TakeScratch();
        for (long task = from; task < end; task++)
        {
            (batch, kvHead) = Math.DivRem(task, dims.KvHeads);
            PackKeys();
            for (head = kvHead * group; head < (kvHead + 1) * group; head++)
            {
                for (firstQuery = 0; firstQuery < keys; firstQuery += queryBlock)
                {
                    queries = Math.Min(queryBlock, keys - firstQuery);
                    PackQueries();
                    AddQueries();
                }
            }

            StoreRows(dk, kvHead, 0, sumsK, keys);
            StoreRows(dv, kvHead, 0, sumsV, keys);
        }
    }

    private void TakeScratch()
    {
        long keyPanels = (long)(keys + tiles.Columns - 1) / tiles.Columns * tiles.Columns * headDim, keyRows = (long)keys * paddedDim;
        long queryPanels = (long)queryBlock / tiles.Rows * tiles.PanelA * headDim, queryRows = (long)queryBlock * paddedDim;
        long scores = (long)queryBlock * keyBlock, scorePanel = (long)tiles.PanelA * keyBlock, perKey = keys + Vector512<T>.Count;
        T* free = GemmScratch.Current.A<T>(2 * keyPanels + 3 * keyRows + 2 * queryPanels + 3 * queryRows + 2 * scores + scorePanel + perKey + queryBlock);
        T* Take(long count)
        {
            free += count;
            return free - count;
        }

        packedK = Take(keyPanels);
        packedV = Take(keyPanels);
        rowsK = Take(keyRows);
        sumsK = Take(keyRows);
        sumsV = Take(keyRows);
        packedQ = Take(queryPanels);
        packedDy = Take(queryPanels);
        rowsQ = Take(queryRows);
        rowsDy = Take(queryRows);
        sumsQ = Take(queryRows);
        p = Take(scores);
        ds = Take(scores);
        packedDs = Take(scorePanel);
        hidden = mask is null ? null : Take(perKey);
        d = Take(queryBlock);
    }

    private void PackKeys()
    {
        PackPanels(packedK, tiles.Columns, tiles.Columns, k, kvHead, 0, keys);
        PackPanels(packedV, tiles.Columns, tiles.Columns, v, kvHead, 0, keys);
        PadRows(rowsK, k, kvHead, 0, keys);
        Clear(sumsK, (long)keys * paddedDim);
        Clear(sumsV, (long)keys * paddedDim);
        for (int j = 0; j < keys && mask is not null; j++)
        {
            hidden[j] = mask.Row<int>(batch)[j] == 0 ? T.NegativeInfinity : T.Zero;
        }
    }

    private void PackQueries()
    {
        PackPanels(packedQ, tiles.Rows, tiles.PanelA, q, head, firstQuery, queries);
        PackPanels(packedDy, tiles.Rows, tiles.PanelA, dy, head, firstQuery, queries);
        PadRows(rowsQ, q, head, firstQuery, queries);
        PadRows(rowsDy, dy, head, firstQuery, queries);
        Clear(sumsQ, (long)queries * paddedDim);
        for (int i = 0; i < queries; i++)
        {
            d[i] = RowMath.Dot(Row(dy, head, firstQuery + i), Row(y, head, firstQuery + i), headDim);
        }
    }

    /// <summary>dq of the block of queries, and what the block adds to dk and dv.</summary>
    private void AddQueries()
    {
        ReadOnlySpan<T> logs = logSumExp.Row<T>(batch * dims.Heads + head).Slice(firstQuery, queries);
        ReadOnlySpan<int> firstKeys = first is null ? default : first.Row<int>(batch).Slice(firstQuery, queries);
        int end = firstQuery + queries;
        int start = firstKeys.IsEmpty ? 0 : WholeSteps(Math.Clamp(TensorPrimitives.Min(firstKeys), 0, end), tiles.Columns);
        for (int key = start; key < end; key += keyBlock)
        {
            int count = Math.Min(keyBlock, end - key);
            for (int i = 0; i < queries; i += tiles.Rows)
            {
                // the last query of a panel sees the most keys
                int rows = Math.Min(tiles.Rows, queries - i), seen = Math.Min(count, firstQuery + i + rows - key);
                if (seen > 0)
                {
                    Scores(i, rows, key, seen);
                    for (int r = i; r < i + rows; r++)
                    {
                        Weigh(r, key, firstKeys.IsEmpty ? 0 : firstKeys[r], logs[r]);
                    }

                    AddToQueries(i, rows, key, seen);
                }
            }

            AddToKeys(sumsV, p, rowsDy, key, count, T.One);
            AddToKeys(sumsK, ds, rowsQ, key, count, scale);
        }

        StoreRows(dq, head, firstQuery, sumsQ, queries);
    }

    /// <summary>p = scale q k^T and ds = dy v^T for a panel of queries.</summary>
    private void Scores(int i, int rows, int key, int seen)
    {
        long queryPanel = (long)i / tiles.Rows * tiles.PanelA * headDim;
        for (int j = 0; j < seen; j += tiles.Columns)
        {
            long keyPanel = (long)(key + j) * headDim;
            int at = i * keyBlock + j, registers = Registers(seen - j);
            tiles.Run(rows, registers, headDim, packedQ + queryPanel, tiles.PanelA, packedK + keyPanel, tiles.Columns, scale, T.Zero, p + at, keyBlock);
            tiles.Run(rows, registers, headDim, packedDy + queryPanel, tiles.PanelA, packedV + keyPanel, tiles.Columns, T.One, T.Zero, ds + at, keyBlock);
        }
    }

    /// <summary>One query: what <see cref="Scores"/> left becomes p and ds, 0 for keys that it does not see.</summary>
    private void Weigh(int i, int key, int firstKey, T log)
    {
        int own = Math.Max(0, firstQuery + i + 1 - key), to = Math.Min(keyBlock, own);
        int from = T.IsNegativeInfinity(log) ? to : Math.Clamp(firstKey, key, key + to) - key;
        T* pi = p + i * keyBlock, dsi = ds + i * keyBlock;
        Weigh(pi, dsi, from & -Vector512<T>.Count, to, hidden == null ? null : hidden + key, log, d[i]);

        // a panel of keys that begins with one that the query sees may go on with others
        int end = Math.Min(keyBlock, own + tiles.Rows);
        Clear(pi, from);
        Clear(dsi, from);
        Clear(pi + to, end - to);
        Clear(dsi + to, end - to);
    }

    [MethodImpl(InnerLoop.Options)]
    private static void Weigh(T* p, T* ds, int from, int to, T* hidden, T log, T d)
    {
        Vector512<T> shift = Vector512.Create(log), center = Vector512.Create(d);
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
        GemmPacking.Columns(packedDs, tiles.PanelA, rows, ds + i * keyBlock, keyBlock, seen);
        for (int column = 0; column < paddedDim; column += tiles.Columns)
        {
            tiles.Run(rows, Registers(paddedDim - column), seen, packedDs, tiles.PanelA, rowsK + (long)key * paddedDim + column, paddedDim,
                scale, T.One, sumsQ + i * paddedDim + column, paddedDim);
        }
    }

    /// <summary>sums += alpha weights^T x for a block of keys. (keys, paddedDim) (queries, keyBlock) (queries, paddedDim)</summary>
    private void AddToKeys(T* sums, T* weights, T* x, int key, int count, T alpha)
    {
        for (int column = 0; column < paddedDim; column += tiles.Columns)
        {
            for (int j = 0; j < count; j += tiles.Rows)
            {
                // queries in front of the first of these keys see none of them
                int i = Math.Max(0, key + j - firstQuery);
                tiles.Run(Math.Min(tiles.Rows, count - j), Registers(paddedDim - column), queries - i, weights + i * keyBlock + j, keyBlock,
                    x + i * paddedDim + column, paddedDim, alpha, T.One, sums + (long)(key + j) * paddedDim + column, paddedDim);
            }
        }
    }

    /// <summary>Position <paramref name="position"/> of one head of the sequence at work.</summary>
    private T* Row(Tensor x, long head, long position) => (T*)x.Address + (batch * keys + position) * x.RowStride + head * headDim;

    /// <summary>Panels of <paramref name="width"/> positions.</summary>
    private void PackPanels(T* panels, int width, int stride, Tensor x, long head, int from, int count)
    {
        for (int i = 0; i < count; i += width, panels += stride * headDim)
        {
            GemmPacking.Columns(panels, stride, Math.Min(width, count - i), Row(x, head, from + i), x.RowStride, headDim);
        }
    }

    /// <summary>Rows behind each other, padded with zeros to whole registers.</summary>
    private void PadRows(T* padded, Tensor x, long head, int from, int count)
    {
        for (int i = 0; i < count; i++, padded += paddedDim)
        {
            Copy(padded, Row(x, head, from + i), headDim);
            Clear(padded + headDim, paddedDim - headDim);
        }
    }

    private void StoreRows(Tensor x, long head, int from, T* padded, int count)
    {
        for (int i = 0; i < count; i++, padded += paddedDim)
        {
            Copy(Row(x, head, from + i), padded, headDim);
        }
    }

    private static void Copy(T* y, T* x, long count) => NativeMemory.Copy(x, y, (nuint)(count * sizeof(T)));

    private static void Clear(T* x, long count) => NativeMemory.Clear(x, (nuint)(count * sizeof(T)));

    private static int WholeSteps(int x, int step) => x / step * step;

    /// <summary>Registers of a tile that hold <paramref name="columns"/>, at most two.</summary>
    private int Registers(int columns) => Math.Min(2, (columns + tiles.Vector - 1) / tiles.Vector);
}
