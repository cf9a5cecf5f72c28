using NativeEngine.Checkpoints;
using NativeEngine.Kernels;
using NativeEngine.Model;
using NativeEngine.Spec;

namespace NativeEngine.Slice;

/// <summary>Takes a finished tensor of the sliced model; it must be done with it when it returns.</summary>
internal delegate void SliceSink(Role role, int layer, bool isBias, Tensor value);

/// <summary>
/// SliceGPT (Ashkboos et al. 2024, algorithm 1), one layer in memory at a time and one forward per layer.
/// <code>
///  X  (N,D)  signal on the residual, all calibration tokens        W  (out,in)  a linear map
///  q  (D,D)  principal components of X as rows, largest first      S  (in,out)  shortcut around a station
///  k         components kept
///
///  for every station s (attention, then MLP; or both at once in a parallel block):
///    W_in &lt;- W_in q^T[:, :k]        S &lt;- q[:k] S                  rotate and slice what reads the residual
///    x = X q^T[:, :k]               X &lt;- s(x)                     forward, in the basis behind the station
///    q, k &lt;- pca(X), width kept there
///    W_out &lt;- q[:k] W_out           S &lt;- S q^T[:, :k]             rotate and slice what writes the residual
/// </code>
/// The reference runs each layer twice, because it slices attention before it measures the MLP's input. That input is linear in
/// what the first run produced, x_mlp = X q^T[:, :k], so one run is enough. Weights are F32 and rotate in F64, whatever the model computes in:
/// a forward in a 16-bit type gets rounded copies.
/// </summary>
internal sealed class SliceGpt : IDisposable
{
    private readonly Session session;
    private readonly IBackend backend;
    private readonly CausalModel model;
    private readonly ModelSpec fused, target;
    private readonly Fusion? fusion;
    private readonly Rotate rotate;
    private readonly Forward forward;
    private readonly NumpyRandom? random;
    private readonly SpectralProjector? projector;
    private readonly List<double[]> eigenvalues = [];
    private int solved;

    /// <summary>Prepares to slice <paramref name="model"/> to the widths of <paramref name="target"/>.</summary>
    /// <param name="session">device, progress, seconds by phase</param>
    /// <param name="model">dense, or sliced before</param>
    /// <param name="target">from <see cref="SliceSchedule"/></param>
    /// <param name="orientation">basis of each slice</param>
    /// <param name="seed">of a random orientation</param>
    /// <param name="compat">quirks S1 and S2 of the reference</param>
    /// <param name="eigen">a projector for a random orientation alone</param>
    public SliceGpt(
        Session session, CausalModel model, ModelSpec target, Orientation orientation, long seed, bool compat, EigenSolver eigen = EigenSolver.Exact)
    {
        SliceOptions.CheckEigen(orientation, eigen);
        (this.session, this.model, this.target) = (session, model, target);
        backend = session.Backend;
        fused = Fusion.Fused(model.Spec, compat);
        fusion = model.Spec.Shortcuts ? null : new Fusion(backend, model.Spec, compat);
        rotate = new Rotate(backend);
        forward = new Forward(backend, fused, model.DType);
        random = orientation == Orientation.Pca ? null
            : seed is >= 0 and <= uint.MaxValue ? new NumpyRandom((uint)seed)
            : throw new EngineException("NE2023", $"a random orientation cannot be drawn from seed {seed}") { Key = "--seed", Expected = $"0 to {uint.MaxValue}" };
        projector = eigen == EigenSolver.Projector ? new SpectralProjector(backend, (ulong)seed) : null;
    }

    /// <summary>Eigenvalues of every PCA so far that the exact solver did, descending, damping included: the first layer's input, then behind every station.</summary>
    public IReadOnlyList<double[]> Eigenvalues => eigenvalues;

    /// <summary>How often the exact solver had to do what the projector could not.</summary>
    public int EigenFallbacks { get; private set; }

    /// <summary>Called with the number of each PCA and its components, which it may replace: a recorded run is replayed in its own basis.</summary>
    internal Action<int, Tensor>? OnComponents { get; init; }

    /// <summary>Slices the model on <paramref name="calibration"/> and hands every finished tensor to <paramref name="sink"/>.</summary>
    public void Run(TokenWindows calibration, SliceSink sink)
    {
        int layers = fused.Layers.Count;
        session.Switch("load");
        using OuterWeights outer = LoadOuter();
        int width = fused.Layers.Aggregate(fused.EmbedWidth, (w, s) => Math.Max(w, Math.Max(s.AttentionOutput, s.MlpOutput)));
        using Tensor signal = backend.Alloc(model.DType, new Shape((long)calibration.Rows * calibration.Width, width));

        session.Reporter.Phase("slice", layers);
        Tensor q = Embeddings(outer, calibration, signal, sink);
        int current = fused.EmbedWidth, kept = target.EmbedWidth;
        for (int l = 0; l < layers; l++)
        {
            session.Cancel.ThrowIfCancellationRequested();
            session.Switch("load");
            LayerWeights layer = LoadLayer(l);
            for (int i = 0; i < layer.Stations.Count; i++)
            {
                bool last = i == layer.Stations.Count - 1;
                (int next, int keep) = last
                    ? (fused.Layers[l].MlpOutput, target.Layers[l].MlpOutput)
                    : (fused.Layers[l].AttentionOutput, target.Layers[l].AttentionOutput);
                q = Visit(layer.Stations[i], layer.Shape, l, calibration, signal, q, current, kept, next, keep);
                (current, kept) = (next, keep);
            }

            session.Switch("write");
            using (layer)
            {
                foreach ((Role role, bool isBias, Tensor value) in layer.Tensors())
                {
                    sink(role, l, isBias, value);
                }
            }

            session.Reporter.Step(l + 1, $"layer {l}");
        }

        session.Switch("rotate");
        using Linear head = rotate.Input(outer.Head, q.RowRange(0, target.HeadWidth))!;
        q.Dispose();
        session.Switch("write");
        sink(Role.Head, -1, false, head.Weight);
        if (head.Bias is not null)
        {
            sink(Role.Head, -1, true, head.Bias);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => forward.Dispose();

    /// <summary>Fills the signal with the embeddings, then rotates and slices them. Returns the components.</summary>
    private Tensor Embeddings(OuterWeights outer, TokenWindows calibration, Tensor signal, SliceSink sink)
    {
        using var pca = new Pca(backend, fused.EmbedWidth);
        using var unrounded = new Forward(backend, fused, outer.Embed.DType);
        EachBatch(calibration, (batch, at) =>
        {
            using Tensor x = unrounded.Embed(outer, batch);
            Store(x, batch, signal.RowRange(at, x.Rows), pca);
        });
        Tensor q = Solve(pca, target.EmbedWidth);
        session.Switch("rotate");
        Tensor kept = q.RowRange(0, target.EmbedWidth);
        using Tensor embed = rotate.Right(outer.Embed, kept);
        using Tensor? position = outer.Position is null ? null : rotate.Right(outer.Position, kept);
        session.Switch("write");
        sink(Role.Embed, -1, false, embed);
        if (position is not null)
        {
            sink(Role.Position, -1, false, position);
        }

        return q;
    }

    /// <summary>The body of the loop: takes the components <paramref name="q"/> in front of a station, returns those behind it.</summary>
    private Tensor Visit(
        Station s, LayerShape shape, int l, TokenWindows calibration, Tensor signal, Tensor q, int current, int kept, int next, int keep)
    {
        session.Switch("rotate");
        Tensor qk = q.RowRange(0, kept);
        s.Qkv = rotate.Input(s.Qkv, qk);
        s.MlpIn = rotate.Input(s.MlpIn, qk);
        s.Shortcut = s.Shortcut is null ? Narrow(qk, DType.F32) : rotate.Left(qk, s.Shortcut);
        using Tensor basis = Narrow(qk, model.DType);
        q.Dispose();
        if (projector is not null && s.MlpDown is not null && l == fused.Layers.Count - 1 && keep == next)
        {
            return Identity(next); // nothing is cut behind the last station, so any basis will do there
        }

        using Station? rounded = model.DType == DType.F32 ? null : s.Copy(backend, model.DType);

        using var pca = new Pca(backend, next);
        EachBatch(calibration, (batch, at) =>
        {
            Tensor rows = signal.RowRange(at, (long)batch.Sequences * batch.Length);
            using Tensor x = backend.Alloc(model.DType, new Shape(rows.Rows, kept)), y = backend.Alloc(model.DType, new Shape(rows.Rows, next));
            backend.Gemm(x, rows.ColumnRange(0, current), basis, transposeB: true);
            forward.Run(rounded ?? s, shape, l, y, x, batch);
            Store(y, batch, rows, pca);
        });
        Tensor behind = Solve(pca, keep);
        session.Switch("rotate");
        qk = behind.RowRange(0, keep);
        s.AttnOut = rotate.Output(s.AttnOut, qk);
        s.MlpDown = rotate.Output(s.MlpDown, qk);
        s.Shortcut = rotate.Right(s.Shortcut, qk);
        return behind;
    }

    /// <summary>Shows the calibration windows to <paramref name="visit"/> batch by batch, with the row of the signal at which each begins.</summary>
    private void EachBatch(TokenWindows windows, Action<TokenBatch, long> visit)
    {
        for (int first = 0; first < windows.Rows;)
        {
            session.Cancel.ThrowIfCancellationRequested();
            session.Switch("forward");
            first += session.Fit(Math.Max(1, backend.BatchRows / windows.Width), sequences =>
            {
                int rows = Math.Min(sequences, windows.Rows - first);
                using TokenBatch batch = TokenBatch.Of(backend, model.Spec, windows.RowRange(first, rows));
                visit(batch, (long)first * windows.Width);
                return rows;
            });
        }
    }

    /// <summary>
    /// Adds a batch's rows of the signal to the covariance, padding as zeros, and puts them in their place: last, because until then the batch
    /// can be begun again.
    /// </summary>
    private void Store(Tensor x, TokenBatch batch, Tensor signal, Pca pca)
    {
        if (batch.Mask is not null)
        {
            backend.ZeroMasked(x, batch.Mask.Reshape(new Shape(x.Rows)));
        }

        session.Switch("covariance");
        pca.Add(x);
        backend.Copy(signal.ColumnRange(0, x.Columns), x);
    }

    /// <summary>The components; a random orientation mixes the ones that are kept, and a projector finds them mixed, and no others.</summary>
    private Tensor Solve(Pca pca, int kept)
    {
        session.Switch("eigen");
        solved++;
        if (projector is not null)
        {
            (Tensor? rows, _, _, string? problem) = pca.Subspace(projector, kept);
            if (rows is not null)
            {
                return rows;
            }

            EigenFallbacks++;
            session.Reporter.Notice($"the exact eigensolver does PCA {solved}, because the projector fails: {problem}");
        }

        (Tensor q, double[] values) = pca.Solve();
        OnComponents?.Invoke(eigenvalues.Count, q);
        eigenvalues.Add(values);
        if (random is not null)
        {
            Mix(q.RowRange(0, kept), random);
        }

        return q;
    }

    /// <summary>q &lt;- R^T q, R the orthogonal factor of a matrix of uniform numbers (numpy.random.rand, then QR).</summary>
    private void Mix(Tensor q, NumpyRandom random)
    {
        var square = new Shape(q.Rows, q.Rows);
        var numbers = new double[square.Count];
        foreach (ref double v in numbers.AsSpan())
        {
            v = random.NextDouble();
        }

        using Tensor uniform = backend.Upload<double>(square, numbers), r = backend.Alloc(DType.F64, square), mixed = backend.Alloc(DType.F64, q.Shape);
        backend.Qr(r, uniform);
        backend.Gemm(mixed, r, q, transposeA: true);
        backend.Copy(q, mixed);
    }

    private Tensor Identity(int width)
    {
        Tensor identity = backend.Alloc(DType.F64, new Shape(width, width));
        using Tensor ones = backend.Upload<double>(new Shape(width, 1), [.. Enumerable.Repeat(1.0, width)]);
        backend.Zero(identity);
        backend.Copy(identity.Diagonal(), ones);
        return identity;
    }

    private Tensor Narrow(Tensor wide, DType dtype)
    {
        Tensor narrow = backend.Alloc(dtype, new Shape(wide.Rows, wide.Columns));
        backend.Copy(narrow, wide);
        return narrow;
    }

    private OuterWeights LoadOuter()
    {
        OuterWeights outer = model.LoadOuter(untie: true);
        return fusion?.Outer(outer) ?? outer;
    }

    private LayerWeights LoadLayer(int l)
    {
        LayerWeights layer = model.LoadLayer(l);
        fusion?.Layer(layer);
        return layer;
    }
}
