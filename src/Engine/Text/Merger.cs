namespace NativeEngine.Text;

/// <summary>
/// Applies merge rules to a sequence of symbols: always the rule of the smallest rank, the leftmost of equals.
/// Short words by repeated scanning, long ones with a queue of candidates in O(n log n).
/// </summary>
internal sealed class Merger(MergeTable table)
{
    private const int ScanLimit = 40;
    private readonly Merge[] candidates = new Merge[ScanLimit];
    private int[] previous = [];
    private int[] next = [];
    private Merge[] pairs = [];
    private ulong[] heap = [];
    private int heapCount;

    /// <summary>Merges in place and returns how many symbols are left.</summary>
    public int Merge(Span<int> symbols) => symbols.Length <= ScanLimit ? MergeByScanning(symbols) : MergeByQueue(symbols);

    private int MergeByScanning(Span<int> symbols)
    {
        int count = symbols.Length;
        Span<Merge> pair = candidates; // pair[i] joins symbols i and i + 1
        for (int i = 0; i + 1 < count; i++)
        {
            pair[i] = table.Find(symbols[i], symbols[i + 1]);
        }

        while (count > 1)
        {
            int best = 0;
            for (int i = 1; i + 1 < count; i++)
            {
                if (pair[i].Rank < pair[best].Rank)
                {
                    best = i;
                }
            }

            if (pair[best].Symbol < 0)
            {
                break;
            }

            symbols[best] = pair[best].Symbol;
            symbols[(best + 2)..count].CopyTo(symbols[(best + 1)..]);
            pair[(best + 1)..(count - 1)].CopyTo(pair[best..]);
            count--;
            if (best > 0)
            {
                pair[best - 1] = table.Find(symbols[best - 1], symbols[best]);
            }

            if (best + 1 < count)
            {
                pair[best] = table.Find(symbols[best], symbols[best + 1]);
            }
        }

        return count;
    }

    private int MergeByQueue(Span<int> symbols)
    {
        int count = symbols.Length;
        Reserve(count);
        heapCount = 0;
        for (int i = 0; i < count; i++)
        {
            (previous[i], next[i]) = (i - 1, i + 1 < count ? i + 1 : -1);
            pairs[i] = i + 1 < count ? table.Find(symbols[i], symbols[i + 1]) : Text.Merge.None;
            if (pairs[i].Symbol >= 0)
            {
                heap[heapCount++] = Entry(i);
            }
        }

        for (int i = heapCount / 2 - 1; i >= 0; i--)
        {
            SiftDown(i);
        }

        while (heapCount > 0)
        {
            int left = (int)(uint)heap[0];
            int rank = (int)(heap[0] >> 32);
            heap[0] = heap[--heapCount];
            SiftDown(0);
            if (pairs[left].Rank != rank)
            {
                continue; // one of the two has been merged with another neighbour since
            }

            int right = next[left];
            symbols[left] = pairs[left].Symbol;
            pairs[right] = Text.Merge.None;
            next[left] = next[right];
            if (next[left] >= 0)
            {
                previous[next[left]] = left;
            }

            Consider(symbols, left);
            if (previous[left] >= 0)
            {
                Consider(symbols, previous[left]);
            }
        }

        int kept = 0;
        for (int i = 0; i >= 0; i = next[i])
        {
            symbols[kept++] = symbols[i];
        }

        return kept;
    }

    private void Consider(Span<int> symbols, int left)
    {
        pairs[left] = next[left] >= 0 ? table.Find(symbols[left], symbols[next[left]]) : Text.Merge.None;
        if (pairs[left].Symbol >= 0)
        {
            heap[heapCount++] = Entry(left);
            SiftUp(heapCount - 1);
        }
    }

    private ulong Entry(int left) => ((ulong)(uint)pairs[left].Rank << 32) | (uint)left;

    private void SiftUp(int child)
    {
        ulong entry = heap[child];
        while (child > 0 && heap[(child - 1) / 2] > entry)
        {
            heap[child] = heap[(child - 1) / 2];
            child = (child - 1) / 2;
        }

        heap[child] = entry;
    }

    private void SiftDown(int parent)
    {
        ulong entry = heap[parent];
        for (int child = 2 * parent + 1; child < heapCount; child = 2 * parent + 1)
        {
            if (child + 1 < heapCount && heap[child + 1] < heap[child])
            {
                child++;
            }

            if (heap[child] >= entry)
            {
                break;
            }

            heap[parent] = heap[child];
            parent = child;
        }

        heap[parent] = entry;
    }

    private void Reserve(int count)
    {
        if (pairs.Length < count)
        {
            int size = int.Max(count, 2 * pairs.Length);
            (previous, next, pairs) = (new int[size], new int[size], new Merge[size]);
            heap = new ulong[checked(2 * size)]; // a merge takes one candidate out and adds at most two
        }
    }
}
