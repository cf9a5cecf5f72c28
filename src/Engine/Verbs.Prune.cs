using NativeEngine.Checkpoints;
using NativeEngine.Evaluate;
using NativeEngine.Export;
using NativeEngine.Model;
using NativeEngine.Prune;
using NativeEngine.Spec;
using NativeEngine.Text;

namespace NativeEngine;

public static partial class Verbs
{
    private const int InfluenceBatch = 8;

    /// <summary>Prunes a model (LLM-Pruner): decides what goes, writes the decision or the pruned model and, where asked, measures it before and after.</summary>
    public static PruneResult Prune(Session session, PruneOptions options)
    {
        options.Check();
        Say(session, IdleOptions.Notices(options));
        using CausalModel model = Open(session, options.Model);
        var windows = new WindowReader(session, model.Spec, options.Model, options.Tokenizer, options.Compat ? TokenizerChoice.Slow : TokenizerChoice.Auto);
        TokenWindows? eval = options.Eval is null ? null : windows.Evaluation(options.Eval, options.EvalSeqLen, null, "--eval-seqlen");

        using OutputClaim? claim = options.Output is null ? null : OutputClaim.Take(options.Output, options.Overwrite, options.Model);

        if (options.Plan is not null)
        {
            PrunePlanFile.Check(options.Plan, options.Overwrite);
        }

        (PrunePlan plan, double? ratio) = options.ApplyPlan is null
            ? Decide(session, model, windows, options)
            : (PrunePlanFile.Read(options.ApplyPlan, model.Spec, model.Checkpoint, session.Reporter), null);
        ModelSpec pruned = plan.Apply();
        Say(session, Alignment.Notices(model.Spec, pruned));
        if (options.Plan is not null)
        {
            PrunePlanFile.Write(options.Plan, plan, model.Checkpoint, options.Overwrite);
        }

        PrunePerplexity? perplexity = null;
        if (options.Output is not null)
        {
            double? dense = eval is null ? null : PrunerPerplexity(session, model, eval);
            model.Evict(); // the pruned model may need the memory
            session.Phase("write", pruned.Layers.Count);
            PrunedFolder.Write(session, model, plan, options.Store, options.Output, options.Overwrite, EffectiveOptions.Of(options, session.DType));
            if (eval is not null)
            {
                using CausalModel written = Open(session, options.Output);
                perplexity = new PrunePerplexity(dense, PrunerPerplexity(session, written, eval));
            }
        }

        return new PruneResult
        {
            Command = "prune",
            Model = options.Model,
            Device = session.Backend.Name,
            Output = options.Output,
            Plan = options.Plan,
            Ratio = ratio,
            ParametersBefore = model.Spec.ParameterCount(),
            ParametersAfter = pruned.ParameterCount(),
            Groups = plan.Groups,
            Layers = pruned.Layers,
            Perplexity = perplexity,
            WhyNotStock = ConfigWriter.WhyNotStock(pruned),
            NeedsHeadDim = ConfigWriter.NeedsHeadDim(pruned),
            Phases = session.Phases,
            Tokenizer = windows.TokenizerName,
        };
    }

    private static (PrunePlan Plan, double? Ratio) Decide(Session session, CausalModel model, WindowReader windows, PruneOptions options)
    {
        var schedule = new PruneSchedule(model.Spec, options.Scope, options.AttentionLayers, options.MlpLayers, options.Compat ? options.Round ?? 1 : options.Round);
        PruneTarget target = options.KeepLayers is int layers ? schedule.KeepLayers(layers)
            : options.TargetParameters is { } parameters ? schedule.Parameters(parameters)
            : schedule.Ratio(options.Ratio);
        Ranking ranking = !options.Global || options.Scope != PruneScope.Block ? Ranking.Local : options.Compat ? Ranking.GlobalThreshold : Ranking.Global;
        var selection = new Selection(schedule, target, ranking);
        if (options.Scope == PruneScope.Layer)
        {
            double[] scores = options.LayerScore == LayerScore.Influence
                ? new BlockInfluence(session, model).Measure(Calibration(), InfluenceBatch)
                : [.. Enumerable.Range(0, model.Spec.Layers.Count).Select(l => (double)-l)];
            return Decided(selection.Step(model.Spec, [new ScoredGroup(schedule.Groups(model.Spec).Single(), scores)]));
        }

        var importance = new Importance(options.Importance, options.Taylor, options.Grouping, options.Seed, options.Compat);
        if (options.Scope == PruneScope.Channel && importance.NeedsSquares)
        {
            throw new EngineException("NE4061", "second-order importance is not defined for residual columns")
            {
                Key = "--taylor",
                Found = options.Taylor == TaylorOrder.ParamMix ? "param_mix" : "param_second",
                Expected = "param_first, vectorize",
                Hint = "embeddings and norms belong to the group and have no gradient per example, in the reference neither (L9)",
            };
        }

        int iterations = Math.Clamp(ranking == Ranking.Local ? schedule.StructuresToCut(target) : schedule.Structures, 1, options.Iterations);
        if (iterations < options.Iterations)
        {
            session.Reporter.Notice($"--iterations {iterations}, not {options.Iterations}: there are no more structures to cut");
        }

        return Decided(new LlmPruner(session, model, schedule, selection, importance).Run(importance.NeedsGradients ? Calibration() : null, iterations));

        TokenWindows Calibration() => windows.Calibration(
            options.Calibration ?? throw new EngineException("NE2038", "this importance is measured on text, and none was given") { Key = "--calibration", Hint = "name a text, or use --importance l1, l2 or random" },
            options.Samples, options.SeqLen, options.Seed);

        (PrunePlan, double?) Decided(PrunePlan plan)
        {
            Say(session, Shortfall.Notices(schedule, target, ranking, plan));
            return (plan, target.Ratio);
        }
    }

    private static void Say(Session session, IEnumerable<string> notices)
    {
        foreach (string notice in notices)
        {
            session.Reporter.Notice(notice);
        }
    }

    private static double? PrunerPerplexity(Session session, CausalModel model, TokenWindows windows) =>
        Finite(Math.Exp(PerplexityEvaluation.Mean(new PerplexityEvaluation(session, model).Measure(windows, EvaluationBatch, null), PerplexityProtocol.LlmPruner)));

    /// <summary>The groups of module sides that pruning cuts together. Reads no weights.</summary>
    public static GroupsResult Groups(Session session, GroupsOptions options)
    {
        options.Check();
        using CausalModel model = Open(session, options.Model);
        return new GroupsResult
        {
            Command = "groups",
            Model = options.Model,
            Groups = [.. new DependencyGraph(model.Spec).InScope(options.Scope).Select(g => new GroupResult(
                g.Root.Module,
                g.Kind!.Value,
                g.Count,
                [.. g.Members.Select(m => new GroupMember(m.Module, m.Dimension == Dimension.Out ? "out" : "in", m.Size))]))],
        };
    }
}
