using NativeEngine.Kernels;

namespace NativeEngine.Tests;

/// <summary>What a session does where memory runs out.</summary>
public sealed class SessionTests
{
    [Fact]
    public void Rows_are_halved_until_they_fit_and_stay_so()
    {
        var notices = new Notices();
        using Session session = new("cpu", threads: 1, reporter: notices);
        List<int> tried = [];
        Assert.Equal(3, session.Fit(12, Upto(3)));
        Assert.Equal([12, 6, 3], tried);
        Assert.Equal(2, session.Fit(8, Upto(3)));
        Assert.Equal(1, session.Fit(3, Upto(3)));
        Assert.Equal(["12 rows at a time do not fit the memory of cpu, half as many are tried: full", "6 rows at a time do not fit the memory of cpu, half as many are tried: full"], notices.All);

        Func<int, int> Upto(int most) => rows =>
        {
            tried.Add(rows);
            return rows <= most ? rows : throw new EngineException("NE7001", "full");
        };
    }

    [Fact]
    public void What_cannot_be_halved_fails_as_before()
    {
        using Session session = new("cpu", threads: 1);
        long activations = session.ActivationMemory;
        int tries = 0;
        Assert.Throws<OutOfMemoryException>(() => session.Fit<int>(1000, _ => throw new OutOfMemoryException($"{++tries}")));
        Assert.Equal(7, tries); // six halvings
        Assert.Equal(activations >> 6, session.ActivationMemory);
        Assert.Throws<OutOfMemoryException>(() => session.Fit<int>(1, _ => throw new OutOfMemoryException($"{++tries}")));
        Assert.Equal(8, tries);
    }

    [Fact]
    public void Other_errors_are_not_tried_again()
    {
        using Session session = new("cpu", threads: 1);
        int tries = 0;
        Assert.Throws<EngineException>(() => session.Fit<int>(8, _ => throw new EngineException("NE9001", $"{++tries}")));
        Assert.Equal(1, tries);
    }

    [Fact]
    public void Memory_that_no_tensor_owns_goes_back()
    {
        using Session session = new("cpu", threads: 1);
        session.Backend.Alloc(DType.F32, new Shape(1000)).Dispose();
        session.Backend.Trim();
        using Tensor x = session.Backend.Alloc(DType.F32, new Shape(1000));
        session.Backend.Trim(); // what a tensor owns stays
        session.Backend.Zero(x);
        Assert.Equal(0, x.AsSpan<float>()[999]);
    }

    private sealed class Notices : IReporter
    {
        public List<string> All { get; } = [];

        public void Phase(string name, long total, long done = 0) { }

        public void Step(long done, string? detail = null) { }

        public void Notice(string message) => All.Add(message);
    }
}
