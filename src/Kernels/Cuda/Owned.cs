namespace NativeEngine.Kernels.Cuda;

/// <summary>What an object has made so far, given back in reverse order: at its end, or by its constructor when that fails half-way.</summary>
internal sealed class Owned : IDisposable
{
    private readonly Stack<IDisposable> items = [];

    /// <summary>Takes <paramref name="item"/> over.</summary>
    public T Add<T>(T item) where T : IDisposable
    {
        items.Push(item);
        return item;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        while (items.TryPop(out IDisposable? item))
        {
            item.Dispose();
        }
    }
}
