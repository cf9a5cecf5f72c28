using NativeEngine.Checkpoints;
using NativeEngine.Evaluate;
using NativeEngine.Export;
using NativeEngine.Model;
using NativeEngine.Slice;
using NativeEngine.Spec;
using NativeEngine.Text;

namespace NativeEngine;

public static partial class Verbs
{
    /// <summary>Slices a model (SliceGPT) and, where asked, measures it before and after.</summary>
    public static SliceResult Slice(Session session, SliceOptions options)
    {
        options.Check();
        using CausalModel model = Open(session, options.Model);
        using OutputClaim claim = OutputClaim.Take(options.Output, options.Overwrite, options.Model);
        ModelSpec target = Target(model.Spec, options);
        var windows = new WindowReader(session, model.Spec, options.Model, options.Tokenizer);
        TokenWindows calibration = windows.Calibration(options.Calibration, options.Samples, options.SeqLen, options.Seed);
        TokenWindows? eval = options.Eval is null ? null : windows.Evaluation(options.Eval, options.EvalSeqLen, null, "--eval-seqlen");

        Say(session, SliceNotices.Of(model.Spec, target, options, calibration));

        // Begun first, so that an output that cannot be written is known before the hours of work.
        using var writer = new ModelFolderWriter(session.Backend, model, target, options.Store, "slicegpt", options.Output, options.Overwrite);
        double? dense = eval is null ? null : SliceGptPerplexity(session, options.Model, eval);
        int fallbacks;
        using (var slicer = new SliceGpt(session, model, target, options.Orientation, options.Seed, options.CompatSliceGpt, options.Eigen))
        {
            slicer.Run(calibration, writer.Write);
            fallbacks = slicer.EigenFallbacks;
        }

        session.Switch("write");
        writer.Commit(EffectiveOptions.Of(options, session.DType));
        double? sliced = eval is null ? null : SliceGptPerplexity(session, options.Output, eval);
        return new SliceResult
        {
            Command = "slice",
            Model = options.Model,
            Device = session.Backend.Name,
            Output = options.Output,
            Sparsity = options.Schedule is null ? SliceSchedule.Sparsity(target) : null,
            ParametersBefore = model.Spec.ParameterCount(),
            ParametersAfter = target.ParameterCount(),
            Samples = calibration.Rows,
            SeqLen = calibration.Width,
            Eigen = options.Eigen,
            EigenFallbacks = fallbacks,
            Layers = target.Layers,
            Perplexity = eval is null ? null : new SlicePerplexity(dense, sliced),
            Phases = session.Phases,
            Tokenizer = windows.TokenizerName,
        };
    }

    private static ModelSpec Target(ModelSpec dense, SliceOptions options)
    {
        ModelSpec fused = Fusion.Fused(dense, options.CompatSliceGpt);
        bool nothing = options is { Schedule: null, Sparsity: 0, CompatSliceGpt: false }; // the reference rounds even then
        return options.RotateOnly || nothing ? fused
            : options.Schedule is not null ? SliceSchedule.FromFile(fused, options.Schedule)
            : SliceSchedule.Constant(fused, options.Sparsity, options.Round, options.SliceHead);
    }

    /// <summary>Opens the model for this alone: weights that stay in memory for an evaluation must not stay for the slicing.</summary>
    private static double? SliceGptPerplexity(Session session, string folder, TokenWindows windows)
    {
        using CausalModel model = Open(session, folder);
        int? ignored = PerplexityEvaluation.IgnoredId(model.Spec.Ids, PerplexityProtocol.SliceGpt);
        return Finite(Math.Exp(PerplexityEvaluation.Mean(new PerplexityEvaluation(session, model).Measure(windows, EvaluationBatch, ignored), PerplexityProtocol.SliceGpt)));
    }
}
