using NativeEngine.Checkpoints;
using NativeEngine.Kernels;
using NativeEngine.Model;

namespace NativeEngine.Tests;

/// <summary>A model and what tests ask of it: log-probabilities, logits, hidden states.</summary>
internal sealed class ForwardRun : IDisposable
{
    private readonly Session session;
    private readonly IBackend backend;
    private readonly DType dtype;
    private readonly Forward forward;

    public ForwardRun(string folder, DType dtype = DType.F32, int threads = 2, long weightMemory = long.MaxValue, string device = "cpu")
    {
        session = new Session(device, threads);
        (backend, this.dtype) = (session.Backend, dtype);
        Model = CausalModel.Open(backend, folder, dtype, weightMemory);
        forward = new Forward(backend, Model.Spec, dtype);
    }

    public CausalModel Model { get; }

    /// <summary>log p of token t + 1 at position t; width - 1 per row, row after row.</summary>
    public double[] LogProbs(TokenWindows windows)
    {
        using Tensor x = Hidden(windows, Model.Spec.Layers.Count);
        int[] next = [.. windows.Ids.Select((_, i) => i % windows.Width == windows.Width - 1 ? -1 : windows.Ids[i + 1])];
        using Tensor targets = backend.Upload<int>(new Shape(next.Length), next), y = backend.Alloc(DType.F64, new Shape(next.Length));
        forward.TokenLogProbs(y, Model.Outer, x, targets);
        return [.. backend.Download<double>(y).Where((_, i) => i % windows.Width != windows.Width - 1)];
    }

    /// <summary>Logits at every position. (N,V)</summary>
    public double[] Logits(TokenWindows windows)
    {
        using Tensor x = Hidden(windows, Model.Spec.Layers.Count);
        using Tensor logits = backend.Alloc(dtype, new Shape(x.Rows, Model.Spec.Vocab)), wide = backend.Alloc(DType.F64, logits.Shape);
        forward.Logits(logits, Model.Outer, x);
        backend.Copy(wide, logits);
        return backend.Download<double>(wide);
    }

    /// <summary>The residual stream behind the first <paramref name="layers"/> layers. (N,D)</summary>
    public Tensor Hidden(TokenWindows windows, int layers)
    {
        using var batch = new TokenBatch(backend, Model.Spec, windows.Ids, windows.Width, windows.Mask);
        Tensor x = forward.Embed(Model.Outer, batch);
        for (int l = 0; l < layers; l++)
        {
            LayerWeights layer = Model.Layer(l);
            x = forward.Layer(layer, l, x, batch);
            Model.Release(layer);
        }

        return x;
    }

    public void Dispose()
    {
        forward.Dispose();
        Model.Dispose();
        session.Dispose();
    }
}
