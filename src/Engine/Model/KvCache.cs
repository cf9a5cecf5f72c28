using NativeEngine.Kernels;
using NativeEngine.Spec;

namespace NativeEngine.Model;

/// <summary>Keys and values of the tokens seen so far, per layer.</summary>
internal sealed class KvCache : IDisposable
{
    private readonly IBackend backend;
    private readonly (Tensor K, Tensor V)[] layers;

    /// <summary>Room for <paramref name="capacity"/> tokens of each of <paramref name="sequences"/> sequences.</summary>
    public KvCache(IBackend backend, ModelSpec spec, DType dtype, int sequences, int capacity)
    {
        this.backend = backend;
        using Owned made = new();
        layers = made.HandOver<(Tensor, Tensor)[]>([.. spec.Layers.Select(s => (Room(s), Room(s)))]);
        Tensor Room(LayerShape s) => made.Add(backend.Alloc(dtype, new Shape(sequences, capacity, s.KeyWidth)));
    }

    /// <summary>Stores the keys and values of <paramref name="batch"/> in layer <paramref name="l"/> and returns all of them. (B,T,D) in, (B,C,D) out</summary>
    public (Tensor K, Tensor V) Append(int l, Tensor k, Tensor v, TokenBatch batch)
    {
        (Tensor cacheK, Tensor cacheV) = layers[l];
        long capacity = cacheK.Shape[1];
        for (int b = 0; b < batch.Sequences; b++)
        {
            long to = b * capacity + batch.Start, from = (long)b * batch.Length;
            backend.Copy(cacheK.RowRange(to, batch.Length), k.RowRange(from, batch.Length));
            backend.Copy(cacheV.RowRange(to, batch.Length), v.RowRange(from, batch.Length));
        }

        return (cacheK, cacheV);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach ((Tensor k, Tensor v) in layers)
        {
            k.Dispose();
            v.Dispose();
        }
    }
}
