namespace NativeEngine.Kernels;

/// <summary>Short forms of <see cref="IBackend.Upload"/> and <see cref="IBackend.Download"/>.</summary>
public static class HostTransfers
{
    /// <summary>A tensor on the device with <paramref name="values"/>, row after row.</summary>
    public static Tensor Upload<T>(this IBackend backend, Shape shape, ReadOnlySpan<T> values) where T : unmanaged
    {
        Tensor y = backend.Alloc(DTypes.Of<T>(), shape);
        backend.Upload(y, values);
        return y;
    }

    /// <summary>The elements of <paramref name="x"/>, row after row without gaps.</summary>
    public static T[] Download<T>(this IBackend backend, Tensor x) where T : unmanaged
    {
        T[] values = GC.AllocateUninitializedArray<T>(checked((int)x.Shape.Count));
        backend.Download<T>(values, x);
        return values;
    }
}
