namespace NativeEngine.Kernels;

/// <summary>Short forms of <see cref="IBackend.Upload"/> and <see cref="IBackend.Download"/>.</summary>
public static class HostTransfers
{
    /// <summary>A tensor on the device with <paramref name="values"/>, row after row.</summary>
    public static Tensor Upload<T>(this IBackend backend, Shape shape, ReadOnlySpan<T> values) where T : unmanaged
    {
        using Owned made = new();
        Tensor y = made.Add(backend.Alloc(DTypes.Of<T>(), shape));
        backend.Upload(y, values);
        return made.HandOver(y);
    }

    /// <summary>The elements of <paramref name="x"/>, row after row without gaps.</summary>
    public static T[] Download<T>(this IBackend backend, Tensor x) where T : unmanaged
    {
        T[] values = GC.AllocateUninitializedArray<T>(checked((int)x.Shape.Count));
        backend.Download<T>(values, x);
        return values;
    }

    /// <summary>The elements of <paramref name="x"/> as F32, row after row without gaps.</summary>
    public static float[] ToSingle(this IBackend backend, Tensor x)
    {
        using Tensor? converted = x.DType == DType.F32 ? null : backend.Alloc(DType.F32, x.Shape);
        if (converted is not null)
        {
            backend.Copy(converted, x);
        }

        return backend.Download<float>(converted ?? x);
    }
}
