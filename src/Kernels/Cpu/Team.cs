namespace NativeEngine.Kernels.Cpu;

/// <summary>
/// The back-end's threads. Ops cut their work into pieces that do not depend on the number of threads, so results do not
/// either. An idle thread spins for some microseconds, because decoding hands out work that often, and then sleeps.
/// </summary>
internal sealed class Team : IDisposable
{
    private const int SpinsWhileIdle = 2000;

    [ThreadStatic]
    private static bool insideBody;

    private readonly Lock oneJobAtATime = new();
    private readonly object wake = new();
    private readonly Thread[] workers;
    private readonly int spins;
    private volatile Job? current;
    private volatile bool stopping;
    private int sleeping;
    private bool started;

    /// <summary>A team of <paramref name="threads"/> threads, the caller of <see cref="For(long, Action{long})"/> among them; the others start with the first job.</summary>
    public Team(int threads)
    {
        Threads = threads;
        workers = new Thread[threads - 1];
        spins = threads <= Environment.ProcessorCount ? SpinsWhileIdle : 0;
    }

    /// <summary>Threads that work, the caller among them.</summary>
    public int Threads { get; }

    /// <summary>
    /// Runs body(0) .. body(count - 1), in any order, and returns when all are done. The first exception that a body throws
    /// is rethrown here, and pieces that have not begun are dropped. A call from inside a body, or while another thread
    /// uses the team, runs inline.
    /// </summary>
    public void For(long count, Action<long> body)
    {
        if (Threads > 1 && count > 1 && !insideBody && oneJobAtATime.TryEnter())
        {
            try
            {
                Share(new Job(count, body));
            }
            finally
            {
                oneJobAtATime.Exit();
            }

            return;
        }

        for (long i = 0; i < count; i++)
        {
            body(i);
        }
    }

    /// <summary>Runs body(from, to) over consecutive ranges of at most <paramref name="chunk"/> that cover 0 .. count.</summary>
    public void ForRanges(long count, long chunk, Action<long, long> body)
    {
        if (count <= chunk)
        {
            if (count > 0)
            {
                body(0, count);
            }

            return;
        }

        For((count + chunk - 1) / chunk, i => body(i * chunk, Math.Min(count, (i + 1) * chunk)));
    }

    public void Dispose()
    {
        stopping = true;
        lock (wake)
        {
            Monitor.PulseAll(wake);
        }

        foreach (Thread? worker in workers)
        {
            worker?.Join();
        }
    }

    private void Share(Job job)
    {
        ObjectDisposedException.ThrowIf(stopping, this);
        if (!started)
        {
            Start();
        }

        current = job;
        Interlocked.MemoryBarrier(); // the job is visible before sleepers are counted
        if (Volatile.Read(ref sleeping) > 0)
        {
            lock (wake)
            {
                Monitor.PulseAll(wake);
            }
        }

        insideBody = true;
        job.Work();
        insideBody = false;
        job.WaitForOthers(spins);
        current = null;
    }

    private void Start()
    {
        started = true;
        for (int i = 0; i < workers.Length; i++)
        {
            workers[i] = new Thread(Serve) { IsBackground = true, Name = "NativeEngine worker" };
            workers[i].Start();
        }
    }

    private void Serve()
    {
        insideBody = true;
        Job? done = null;
        while (!stopping)
        {
            Job? job = NextJob(done);
            job?.Work();
            done = job ?? done;
        }
    }

    /// <summary>The current job if it is another one than <paramref name="done"/>; null after a sleep, so that the thread spins again for what comes next.</summary>
    private Job? NextJob(Job? done)
    {
        for (int i = 0; i < spins; i++)
        {
            if (current is { } job && job != done)
            {
                return job;
            }

            Thread.SpinWait(1);
        }

        lock (wake)
        {
            Interlocked.Increment(ref sleeping);
            if (!stopping && (current is null || current == done))
            {
                Monitor.Wait(wake);
            }

            Interlocked.Decrement(ref sleeping);
            return null;
        }
    }

    /// <summary>One call of <see cref="For(long, Action{long})"/>: threads draw the next piece from a counter.</summary>
    private sealed class Job(long count, Action<long> body)
    {
        private readonly object idle = new();
        private long next;
        private int working;
        private Exception? failure;

        public void Work()
        {
            Interlocked.Increment(ref working);
            try
            {
                for (long i = Interlocked.Increment(ref next) - 1; i < count; i = Interlocked.Increment(ref next) - 1)
                {
                    body(i);
                }
            }
            catch (Exception e)
            {
                Interlocked.CompareExchange(ref failure, e, null);
                Interlocked.Exchange(ref next, count);
            }

            if (Interlocked.Decrement(ref working) == 0)
            {
                lock (idle)
                {
                    Monitor.PulseAll(idle);
                }
            }
        }

        public void WaitForOthers(int spins)
        {
            for (int i = 0; i < 10 * spins && Volatile.Read(ref working) != 0; i++)
            {
                Thread.SpinWait(1);
            }

            if (Volatile.Read(ref working) != 0)
            {
                lock (idle)
                {
                    while (working != 0)
                    {
                        Monitor.Wait(idle);
                    }
                }
            }

            if (failure is not null)
            {
                System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(failure);
            }
        }
    }
}
