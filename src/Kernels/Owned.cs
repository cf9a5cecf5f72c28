namespace NativeEngine.Kernels;

/// <summary>
/// What has been made so far, given back in reverse order: at the end of the object that holds it, or where making the next thing fails. A method that
/// makes several and returns them declares it with <c>using</c>, and hands them over as the last thing that it does.
/// </summary>
public sealed class Owned : IDisposable
{
    private readonly Stack<IDisposable> items = [];

    /// <summary>Takes <paramref name="item"/> over; null is nothing.</summary>
    public T Add<T>(T item) where T : IDisposable?
    {
        if (item is not null)
        {
            items.Push(item);
        }

        return item;
    }

    /// <summary>Everything belongs to <paramref name="owner"/> from now on.</summary>
    public T HandOver<T>(T owner)
    {
        items.Clear();
        return owner;
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
