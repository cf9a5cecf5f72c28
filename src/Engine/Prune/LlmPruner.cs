using NativeEngine.Checkpoints;
using NativeEngine.Kernels;
using NativeEngine.Model;

namespace NativeEngine.Prune;

/// <summary>
/// LLM-Pruner (Ma et al. 2023): score the structures of every group, cut the lowest, and where asked score what is left and cut again.
/// <code>
///  for every step:  g = gradient of the mean loss over the examples        h = mean of the squared gradients of each example
///                   s = |w g|, |w^2 h|, |w g - w^2 h / 2| or w g           summed over the row or column of each member
///                   score of a structure = reduction over the members, summed over its channels
///                   plan &lt;- plan, then the lowest structures
/// </code>
/// Nothing is cut in place: the plan is data, and each step reads the dense checkpoint through it.
/// </summary>
internal sealed class LlmPruner(Session session, CausalModel model, PruneSchedule schedule, Selection selection, Importance importance)
{
    /// <summary>Called with the scores of every step and what they led to; tests look on.</summary>
    internal Action<IReadOnlyList<ScoredGroup>, PrunePlan>? OnStep { get; init; }

    /// <summary>Decides what to cut in <paramref name="iterations"/> steps; <paramref name="calibration"/> is read where gradients are needed. Error: NE7004 it is more than memory holds.</summary>
    public PrunePlan Run(TokenWindows? calibration, int iterations)
    {
        var plan = new PrunePlan(model.Spec, []);
        using KeptGradients? kept = importance is { Compat: true, NeedsGradients: true } && iterations > 1 ? new KeptGradients(session.Backend) : null;
        if (importance.NeedsGradients)
        {
            CheckMemory(calibration!);
        }

        session.Phase("prune", iterations);
        for (int step = 1; step <= iterations; step++)
        {
            if (plan.Groups.Count > 0)
            {
                model.Evict(); // the memory is for what is left of it
            }

            using CausalModel? cut = plan.Groups.Count > 0 ? model.Cut(plan) : null;
            CausalModel current = cut ?? model;
            IReadOnlyList<Group> groups = schedule.Groups(current.Spec);
            IReadOnlyList<ScoredGroup> scores = Score(current, groups, calibration, kept);
            PrunePlan chosen = selection.Step(current.Spec, scores, step, iterations);
            OnStep?.Invoke(scores, chosen);
            foreach (Group group in groups.Where(g => chosen.Groups.Any(c => c.Kind == g.Kind && c.Layer == g.Layer)))
            {
                kept?.Drop(current.Spec, group);
            }

            plan = plan.Then(chosen);
            session.Reporter.Step(step, $"step {step}");
        }

        return plan;
    }

    /// <summary>Windows as batches in which every token predicts the next one of its window, pads excepted.</summary>
    public static List<LabelledBatch> Batches(IBackend backend, Spec.ModelSpec spec, TokenWindows windows) =>
        Batches(backend, spec, windows, SequencesAtOnce(backend, windows));

    private static List<LabelledBatch> Batches(IBackend backend, Spec.ModelSpec spec, TokenWindows windows, int perBatch)
    {
        using Owned made = new();
        List<LabelledBatch> batches = [];
        for (int r = 0; r < windows.Rows; r += perBatch)
        {
            TokenWindows part = windows.RowRange(r, Math.Min(perBatch, windows.Rows - r));
            batches.Add(made.Add(new LabelledBatch(backend, TokenBatch.Of(backend, spec, part), part.NextIds())));
        }

        return made.HandOver(batches);
    }

    private static int SequencesAtOnce(IBackend backend, TokenWindows windows) => Math.Max(1, backend.BatchRows / windows.Width);

    private IReadOnlyList<ScoredGroup> Score(CausalModel current, IReadOnlyList<Group> groups, TokenWindows? calibration, KeptGradients? kept)
    {
        if (!importance.NeedsGradients)
        {
            return With([]);
        }

        // Gradients that were kept from the step before are added to while a step runs: it cannot be begun again.
        return kept is null ? session.Fit(SequencesAtOnce(session.Backend, calibration!), OnBatches) : OnBatches(SequencesAtOnce(session.Backend, calibration!));

        IReadOnlyList<ScoredGroup> OnBatches(int sequences)
        {
            List<LabelledBatch> batches = Batches(session.Backend, current.Spec, calibration!, sequences);
            try
            {
                return With(batches);
            }
            finally
            {
                batches.ForEach(b => b.Dispose());
            }
        }

        IReadOnlyList<ScoredGroup> With(IReadOnlyList<LabelledBatch> batches) => new GroupScorer(session, current, importance, groups, kept).Score(batches);
    }

    /// <summary>A gradient is complete once all examples have passed its layer, so all of them keep their residuals at the same time.</summary>
    private void CheckMemory(TokenWindows calibration)
    {
        int first = Math.Max(0, schedule.Groups(model.Spec).Min(g => g.Layer));
        long bytes = calibration.Ids.LongLength * GradientPass.ResidualBytesPerToken(model.Spec, model.DType, first), memory = session.Backend.MemoryBytes;
        if (bytes > memory)
        {
            throw new EngineException("NE7004", "out of memory for the residual streams of the calibration text")
            {
                Key = "--samples, --seqlen",
                Found = $"{bytes} bytes for {calibration.Rows} windows of {calibration.Width} tokens",
                Expected = $"at most {memory} bytes",
                Hint = "use fewer windows or shorter ones",
            };
        }
    }
}
