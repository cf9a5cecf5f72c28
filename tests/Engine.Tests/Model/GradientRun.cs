using NativeEngine.Checkpoints;
using NativeEngine.Kernels;
using NativeEngine.Model;
using NativeEngine.Spec;

namespace NativeEngine.Tests;

/// <summary>A model and the gradients of its loss by parameter name. Parts of a stacked map are taken apart again.</summary>
internal sealed class GradientRun : IDisposable
{
    private readonly Session session;
    private readonly DType dtype;

    public GradientRun(string folder, DType dtype = DType.F32, int threads = 2, long weightMemory = long.MaxValue, string device = "cpu")
    {
        session = new Session(device, threads);
        this.dtype = dtype;
        Model = CausalModel.Open(session.Backend, folder, dtype, weightMemory);
    }

    public CausalModel Model { get; }

    public ModelSpec Spec => Model.Spec;

    public IBackend Backend => session.Backend;

    public long ActivationMemory { get; init; } = long.MaxValue;

    /// <summary>Factor on the loss, by which gradients are divided again.</summary>
    public double LossScale { get; init; } = 1;

    /// <summary>Sums of the losses of each sequence, and how many targets there were.</summary>
    public IReadOnlyList<double> Losses { get; private set; } = [];

    /// <summary>Mean loss of the last call.</summary>
    public double MeanLoss { get; private set; }

    /// <summary>Every position predicts the next token, but for those that <paramref name="ignored"/> names and pads.</summary>
    public LabelledBatch Batch(TokenWindows w, int ignored = 0, int[]? first = null, ulong? dropout = null)
    {
        int[] targets = new int[w.Ids.Length];
        for (int i = 0; i < targets.Length; i++)
        {
            int t = i % w.Width;
            bool last = t == w.Width - 1 || (first is not null && first[i + 1] != first[i]);
            bool pad = w.Mask is not null && (w.Mask[i] == 0 || (!last && w.Mask[i + 1] == 0));
            targets[i] = last || pad || t + 1 < ignored ? -1 : w.Ids[i + 1];
        }

        return new LabelledBatch(Backend, new TokenBatch(Backend, Spec, w.Ids, w.Width, w.Mask, first: first) { Dropout = dropout }, targets);
    }

    /// <summary>Gradients of all parameters; <paramref name="squares"/> adds those of the maps' weights under "squares NAME".</summary>
    public Dictionary<string, double[]> Gradients(IReadOnlyList<LabelledBatch> batches, bool squares = false)
    {
        using var pass = new GradientPass(session, Model, dtype, ActivationMemory);
        using var sink = new Collector(this, squares);
        Losses = pass.Run(batches, sink, lossScale: LossScale);
        MeanLoss = Losses.Sum() / batches.Sum(b => b.TargetCounts.Sum());
        return sink.Finish();
    }

    /// <summary>The mean loss and whatever adapters collect.</summary>
    public double Loss(IReadOnlyList<LabelledBatch> batches)
    {
        using var pass = new GradientPass(session, Model, dtype, ActivationMemory);
        return pass.Run(batches, new AdapterGradients()).Sum() / batches.Sum(b => b.TargetCounts.Sum());
    }

    /// <summary>The parameter called <paramref name="name"/>, to be changed in place; the model must be resident and in F64 or F32.</summary>
    public Tensor Parameter(string name)
    {
        Parameter p = Spec.Parameters().Single(p => p.Name == name);
        if (p.Layer >= 0)
        {
            return Model.Layer(p.Layer).Tensors().Single(t => t.Role == p.Role && t.IsBias == p.IsBias).Value;
        }

        OuterWeights o = Model.Outer;
        return (p.Role, p.IsBias) switch
        {
            (Role.Embed, _) => o.Embed,
            (Role.Position, _) => o.Position!,
            (Role.NormFinal, false) => o.NormFinal.Gain!,
            (Role.NormFinal, true) => o.NormFinal.Bias!,
            (_, false) => o.Head.Weight,
            _ => o.Head.Bias!,
        };
    }

    public void Dispose()
    {
        Model.Dispose();
        session.Dispose();
    }

    private sealed class Collector(GradientRun run, bool squares) : IGradientSink, IDisposable
    {
        private readonly Dictionary<string, double[]> found = [];

        public int FirstLayer => 0;

        public OuterGradients? Outer { get; } = OuterGradients.Zeros(run.Backend, run.Model.Outer, run.Spec.TiedHead, run.dtype.Accumulator());

        public IReadOnlyList<StationGradients> Begin(int l, LayerWeights weights) => [.. weights.Stations.Select(s =>
        {
            StationGradients g = StationGradients.Zeros(run.Backend, s, run.dtype.Accumulator());
            foreach (LinearLayout map in s.Layout.Maps)
            {
                LinearGradient linear = g[map.Slot]!;
                g[map.Slot] = squares ? linear with { Squares = run.Backend.Alloc(run.dtype.Accumulator(), linear.Weight.Shape) } : linear;
                if (squares)
                {
                    run.Backend.Zero(g[map.Slot]!.Squares!);
                }
            }

            return g;
        })];

        public void End(int l, LayerWeights weights, IReadOnlyList<StationGradients> gradients)
        {
            for (int i = 0; i < gradients.Count; i++)
            {
                StationLayout layout = weights.Stations[i].Layout;
                using StationGradients g = gradients[i];
                Add(layout.NormRole, l, false, g.NormGain);
                Add(layout.NormRole, l, true, g.NormBias);
                Add(layout.ShortcutRole, l, false, g.Shortcut);
                foreach (LinearLayout map in layout.Maps)
                {
                    foreach (LinearPart part in map.Parts)
                    {
                        LinearGradient linear = g[map.Slot]!;
                        Add(part.Role, l, false, linear.Weight.RowRange(part.From, part.Rows));
                        Add(part.Role, l, true, linear.Bias?.ColumnRange(part.From, part.Rows));
                        Add(part.Role, l, false, linear.Squares?.RowRange(part.From, part.Rows), "squares ");
                    }
                }
            }
        }

        public Dictionary<string, double[]> Finish()
        {
            OuterGradients o = Outer!;
            Add(Role.Embed, -1, false, o.Embed);
            Add(Role.Position, -1, false, o.Position);
            Add(Role.NormFinal, -1, false, o.NormGain);
            Add(Role.NormFinal, -1, true, o.NormBias);
            if (!run.Spec.TiedHead)
            {
                Add(Role.Head, -1, false, o.Head);
            }

            Add(Role.Head, -1, true, o.HeadBias);
            return found;
        }

        public void Dispose() => Outer?.Dispose();

        private void Add(Role role, int layer, bool isBias, Tensor? value, string prefix = "")
        {
            if (value is not null)
            {
                using Tensor wide = run.Backend.Alloc(DType.F64, new Shape(value.Rows, value.Columns));
                run.Backend.Copy(wide, value);
                found.Add(prefix + run.Spec.Names.Tensor(role, layer, isBias), Array.ConvertAll(run.Backend.Download<double>(wide), v => v / run.LossScale));
            }
        }
    }
}
