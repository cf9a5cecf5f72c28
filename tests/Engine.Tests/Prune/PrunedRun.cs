using NativeEngine.Checkpoints;
using NativeEngine.Evaluate;
using NativeEngine.Export;
using NativeEngine.Kernels;
using NativeEngine.Model;
using NativeEngine.Prune;

namespace NativeEngine.Tests;

/// <summary>A plan carried out: every tensor cut to what it keeps, written to a temporary folder in F32 and read back.</summary>
internal sealed class PrunedRun : IDisposable
{
    private readonly Session session = new("cpu", threads: 2);

    public PrunedRun(string model, PrunePlan plan)
    {
        using CausalModel dense = CausalModel.Open(session.Backend, model);
        using var writer = new ModelFolderWriter(session.Backend, dense, plan.Apply(), DType.F32, "llm-pruner", Folder, overwrite: false, plan.KeptLayers);
        foreach (KeptTensor t in plan.Tensors())
        {
            using Tensor whole = session.Backend.Alloc(DType.F32, t.Dense.Shape), cut = session.Backend.Alloc(DType.F32, t.Pruned.Shape);
            dense.Checkpoint.Read(session.Backend, dense.Checkpoint.Tensors[t.Dense.Name], whole);
            Cut(cut, whole, t);
            writer.Write(t.Pruned.Role, t.Pruned.Layer, t.Pruned.IsBias, cut);
        }

        writer.Commit([]);
        Model = CausalModel.Open(session.Backend, Folder);
    }

    public string Folder { get; } = Path.Combine(Path.GetTempPath(), "ne-prune-" + Guid.NewGuid().ToString("N"));

    public CausalModel Model { get; }

    public double Perplexity(TokenWindows windows) =>
        Math.Exp(PerplexityEvaluation.Mean(new PerplexityEvaluation(session, Model).Measure(windows, 8, null), PerplexityProtocol.LlmPruner));

    /// <summary>The scores of <paramref name="groups"/> of what is left.</summary>
    public IReadOnlyList<ScoredGroup> Score(Importance importance, IReadOnlyList<Group> groups, TokenWindows examples)
    {
        List<LabelledBatch> batches = LlmPruner.Batches(session.Backend, Model.Spec, examples);
        IReadOnlyList<ScoredGroup> scores = new GroupScorer(session, Model, importance, groups).Score(batches);
        batches.ForEach(b => b.Dispose());
        return scores;
    }

    public void Dispose()
    {
        Model.Dispose();
        session.Dispose();
        Directory.Delete(Folder, recursive: true);
    }

    private static void Cut(Tensor cut, Tensor whole, KeptTensor t)
    {
        bool vector = t.Dense.Shape.Rank == 1; // the elements of a vector are its outputs
        IReadOnlyList<int> rows = (vector ? null : t.Cut.Outputs) ?? [.. Enumerable.Range(0, (int)whole.Rows)];
        IReadOnlyList<int> columns = (vector ? t.Cut.Outputs : t.Cut.Inputs) ?? [.. Enumerable.Range(0, (int)whole.Columns)];
        Assert.Equal((cut.Rows, cut.Columns), (rows.Count, columns.Count));
        for (int r = 0; r < rows.Count; r++)
        {
            for (int c = 0; c < columns.Count; c++)
            {
                cut.Row<float>(r)[c] = whole.Row<float>(rows[r])[columns[c]];
            }
        }
    }
}
