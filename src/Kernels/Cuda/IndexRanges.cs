using System.Numerics.Tensors;
using System.Runtime.InteropServices;

namespace NativeEngine.Kernels.Cuda;

/// <summary>
/// What is known of the integers on the device, because they were uploaded: an op that checks its indices then need not wait for the device.
/// Forgotten when their memory is written or given back.
/// </summary>
internal sealed class IndexRanges
{
    private readonly Dictionary<nint, Known> ranges = [];

    /// <summary>Takes note of what is uploaded to <paramref name="y"/>.</summary>
    public void Note<T>(Tensor y, ReadOnlySpan<T> values) where T : unmanaged
    {
        Forget(y.Address, y.Bytes);
        if (y.DType != DType.I32 || !y.IsContiguous || typeof(T) != typeof(int) || values.IsEmpty)
        {
            return;
        }

        ReadOnlySpan<int> integers = MemoryMarshal.Cast<T, int>(values);
        bool ascends = true;
        for (int i = 1; i < integers.Length; i++)
        {
            ascends &= integers[i] > integers[i - 1];
        }

        ranges[y.Address] = new Known(y.Bytes, TensorPrimitives.Min(integers), TensorPrimitives.Max(integers), ascends);
    }

    /// <summary>Nothing is known of these bytes any more.</summary>
    public void Forget(nint address, long bytes)
    {
        foreach ((nint start, Known known) in ranges)
        {
            if (start < address + (nint)bytes && address < start + (nint)known.Bytes)
            {
                ranges.Remove(start);
            }
        }
    }

    /// <summary>True when all of <paramref name="x"/> are known to lie in <paramref name="from"/> .. <paramref name="end"/> - 1.</summary>
    public bool Within(Tensor x, long from, long end) => Find(x) is { } known && known.Least >= from && known.Largest < end;

    /// <summary>True when <paramref name="x"/> is known to ascend strictly.</summary>
    public bool Ascends(Tensor x) => Find(x) is { Ascends: true };

    /// <summary>What holds for all of an upload holds for a part of it.</summary>
    private Known? Find(Tensor x)
    {
        if (ranges.TryGetValue(x.Address, out Known whole) && x.Bytes <= whole.Bytes)
        {
            return whole;
        }

        foreach ((nint start, Known known) in ranges)
        {
            if (start <= x.Address && x.Address + (nint)x.Bytes <= start + (nint)known.Bytes)
            {
                return known;
            }
        }

        return null;
    }

    private readonly record struct Known(long Bytes, int Least, int Largest, bool Ascends);
}
