using NativeEngine.Kernels.Cpu;

namespace NativeEngine.Kernels.Tests;

public sealed class TeamTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(8)]
    public void Every_piece_runs_once(int threads)
    {
        using var team = new Team(threads);
        for (int count = 0; count < 200; count++)
        {
            int[] runs = new int[count];
            team.For(count, i => Interlocked.Increment(ref runs[i]));
            Assert.All(runs, r => Assert.Equal(1, r));
        }
    }

    [Theory]
    [InlineData(0, 4)]
    [InlineData(3, 4)]
    [InlineData(4, 4)]
    [InlineData(9, 4)]
    public void Ranges_cover_the_count(long count, long chunk)
    {
        using var team = new Team(3);
        int[] runs = new int[count];
        team.ForRanges(count, chunk, (from, to) =>
        {
            Assert.InRange(to - from, 1, chunk);
            for (long i = from; i < to; i++)
            {
                Interlocked.Increment(ref runs[i]);
            }
        });
        Assert.All(runs, r => Assert.Equal(1, r));
    }

    [Fact]
    public void An_exception_reaches_the_caller_and_the_team_lives_on()
    {
        using var team = new Team(2);
        for (int round = 0; round < 20; round++)
        {
            Assert.Throws<InvalidDataException>(() => team.For(100, i =>
            {
                if (i == 7)
                {
                    throw new InvalidDataException();
                }
            }));
        }

        long sum = 0;
        team.For(10, i => Interlocked.Add(ref sum, i));
        Assert.Equal(45, sum);
    }

    [Fact]
    public void A_nested_call_runs_inline()
    {
        using var team = new Team(4);
        team.For(8, _ =>
        {
            int thread = Environment.CurrentManagedThreadId;
            team.For(8, _ => Assert.Equal(thread, Environment.CurrentManagedThreadId));
        });
    }

    [Fact]
    public void Callers_on_several_threads_do_not_wait_for_each_other_for_ever()
    {
        using var team = new Team(2);
        long sum = 0;
        Thread[] callers = [.. Enumerable.Range(0, 4).Select(_ => new Thread(() =>
        {
            for (int round = 0; round < 200; round++)
            {
                team.For(5, i => Interlocked.Add(ref sum, i));
            }
        }))];
        foreach (Thread caller in callers)
        {
            caller.Start();
        }

        foreach (Thread caller in callers)
        {
            caller.Join();
        }

        Assert.Equal(4 * 200 * 10, sum);
    }

    [Fact]
    public void Sleeping_threads_wake_up_again()
    {
        using var team = new Team(2);
        for (int round = 0; round < 3; round++)
        {
            using var both = new Barrier(2);
            team.For(2, _ => Assert.True(both.SignalAndWait(TimeSpan.FromSeconds(30)), "the second thread did not come"));
            Thread.Sleep(30);
        }
    }

    [Fact]
    public void A_disposed_team_refuses_work()
    {
        var team = new Team(2);
        team.For(2, _ => { });
        team.Dispose();
        Assert.Throws<ObjectDisposedException>(() => team.For(2, _ => { }));
    }
}
