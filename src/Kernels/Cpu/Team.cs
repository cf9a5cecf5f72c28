namespace NativeEngine.Kernels.Cpu;

/// <summary>The back-end's threads. Work is cut into the same pieces whatever their number, so results do not depend on it.</summary>
internal sealed class Team(int threads) : IDisposable
{
    /// <summary>Threads that work, the caller among them.</summary>
    public int Threads { get; } = threads;

    /// <summary>Runs body(0) .. body(count - 1), in any order, and returns when all are done.</summary>
    public void For(long count, Action<long> body)
    {
        if (Threads == 1 || count <= 1)
        {
            for (long i = 0; i < count; i++)
            {
                body(i);
            }

            return;
        }

        Parallel.For(0, count, new ParallelOptions { MaxDegreeOfParallelism = Threads }, body);
    }

    public void Dispose() { }
}
