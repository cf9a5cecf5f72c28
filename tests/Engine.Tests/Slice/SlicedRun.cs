using NativeEngine.Checkpoints;
using NativeEngine.Evaluate;
using NativeEngine.Export;
using NativeEngine.Kernels;
using NativeEngine.Model;
using NativeEngine.Slice;
using NativeEngine.Spec;

namespace NativeEngine.Tests;

/// <summary>One slice of one model, written to a temporary folder in F32 and read back.</summary>
internal sealed class SlicedRun : IDisposable
{
    private readonly Session session;
    private readonly string folder = Path.Combine(Path.GetTempPath(), "ne-slice-" + Guid.NewGuid().ToString("N"));

    public SlicedRun(
        string model, TokenWindows calibration, Func<ModelSpec, ModelSpec> schedule,
        bool compat = true, Orientation orientation = Orientation.Pca, long seed = 42, Action<int, Tensor>? onComponents = null, string device = "cpu",
        EigenSolver eigen = EigenSolver.Exact, IReporter? reporter = null)
    {
        (Device, session) = (device, new Session(device, threads: 2, reporter));
        using CausalModel dense = CausalModel.Open(session.Backend, model);
        ModelSpec fused = Fusion.Fused(dense.Spec, compat);
        FusedParameters = (fused with { Shortcuts = false }).ParameterCount();
        Target = schedule(fused);
        using var slicer = new SliceGpt(session, dense, Target, orientation, seed, compat, eigen) { OnComponents = onComponents };
        using var writer = new ModelFolderWriter(session.Backend, dense, Target, DType.F32, "slicegpt", folder, overwrite: false);
        slicer.Run(calibration, writer.Write);
        writer.Commit([]);
        (Eigenvalues, EigenFallbacks) = (slicer.Eigenvalues, slicer.EigenFallbacks);
        Model = CausalModel.Open(session.Backend, folder);
    }

    public string Device { get; }

    /// <summary>Parameters after fusion, before shortcuts exist: what the reference calls original.</summary>
    public long FusedParameters { get; }

    public ModelSpec Target { get; }

    public IReadOnlyList<double[]> Eigenvalues { get; }

    public int EigenFallbacks { get; }

    public CausalModel Model { get; }

    public string Folder => folder;

    public double Perplexity(TokenWindows windows) => Math.Exp(PerplexityEvaluation.Mean(
        new PerplexityEvaluation(session, Model).Measure(windows, 8, PerplexityEvaluation.IgnoredId(Model.Spec.Ids, PerplexityProtocol.SliceGpt)), PerplexityProtocol.SliceGpt));

    /// <summary>Frobenius norm of every tensor as stored.</summary>
    public Dictionary<string, double> Frobenius() => Model.Checkpoint.Tensors.ToDictionary(t => t.Key, t =>
    {
        using Tensor value = session.Backend.Alloc(DType.F64, t.Value.Shape);
        Model.Checkpoint.Read(session.Backend, t.Value, value);
        return Math.Sqrt(session.Backend.Download<double>(value).Sum(v => v * v));
    });

    public void Dispose()
    {
        Model.Dispose();
        session.Dispose();
        Directory.Delete(folder, recursive: true);
    }
}
