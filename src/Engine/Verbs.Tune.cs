using NativeEngine.Checkpoints;
using NativeEngine.Export;
using NativeEngine.Kernels;
using NativeEngine.Model;
using NativeEngine.Spec;
using NativeEngine.Tune;

namespace NativeEngine;

public static partial class Verbs
{
    /// <summary>Trains a LoRA adapter for a model: dense, pruned or sliced.</summary>
    public static TuneResult Tune(Session session, TuneOptions options)
    {
        options.Check();
        try
        {
            return Train(session, options);
        }
        catch (OperationCanceledException) when (TuneCheckpoints.Newest(options.Output) is string state)
        {
            session.Reporter.Notice($"the state of the run is in {state}; --resume goes on from there");
            throw;
        }
    }

    /// <summary>Adds an adapter to the weights of its model, W + s B A, and writes the model.</summary>
    public static MergeResult Merge(Session session, MergeOptions options)
    {
        using CausalModel model = Open(session, options.Model);
        using OutputClaim claim = OutputClaim.Take(options.Output, options.Overwrite, options.Adapter); // replacing the output must not take the adapter away
        using AdapterSet adapters = AdapterFolder.Read(session, options.Adapter, model.Spec, model.Checkpoint);
        using var writer = new ModelFolderWriter(session.Backend, model, model.Spec, options.Store, null, options.Output, options.Overwrite);
        session.Phase("merge", model.Spec.Layers.Count);
        writer.WriteAll(session, model, (p, value) =>
        {
            if (!p.IsBias && adapters[p.Layer, p.Role] is { } lora)
            {
                session.Backend.Gemm(value, lora.B, lora.A, alpha: adapters.Config.Scale, beta: 1);
            }
        });
        writer.Commit(EffectiveOptions.Of(options));
        return new MergeResult { Command = "merge", Model = options.Model, Device = session.Backend.Name, Output = options.Output, Parameters = model.Spec.ParameterCount() };
    }

    private static TuneResult Train(Session session, TuneOptions options)
    {
        using CausalModel model = Open(session, options.Model);
        using OutputClaim claim = OutputClaim.Take(options.Output, options.Overwrite, options.Model);
        IReadOnlyList<Role> roles = LoraTargetRoles.Of(options.Targets, model.Spec, session.Reporter);
        var data = new TrainingData(session, model.Spec, options);
        var plan = new BatchPlan(data.Train.Count, options.Batch, options.Epochs, options.Steps, options.Seed);
        using TuneState state = TuneState.Initial(session.Backend, model.Spec, new LoraConfig(options.Rank, options.Alpha, options.Dropout), roles, options.Seed);
        using var writer = new AdapterFolderWriter(session.Backend, state.Adapters, model.Spec, model.Checkpoint, options.Output, options.Overwrite);
        var checkpoints = new TuneCheckpoints(session, options.Model, options.Output, RunIdentity.Of(options, session.Backend.Name, model.Checkpoint, model.DType, data.Train, data.Eval));
        checkpoints.Begin(state, options.Resume, options.Overwrite);
        TuneNotices(session, options, model.Spec, data, plan, state);

        var run = new TuningRun(session, model, options, data, plan, state, checkpoints);
        run.Run();
        session.Switch("write");
        if (state.BestEvaluation is { Step: 0 })
        {
            session.Reporter.Notice("the loss on the held-out set never fell: the adapter that is written changes nothing");
        }

        writer.Write(state.Result);
        writer.AddFile(LossPlot.FileName, LossPlot.Draw(state.Losses, state.Evaluations));
        writer.Commit(EffectiveOptions.Of(options, session.DType), model.DType);
        checkpoints.Remove();
        return new TuneResult
        {
            Command = "tune",
            Model = options.Model,
            Device = session.Backend.Name,
            Output = options.Output,
            Steps = state.Step,
            Epochs = (double)state.Step / plan.StepsPerEpoch,
            Loss = state.Losses,
            EvalLoss = state.BestEvaluation?.Loss,
            Evaluations = data.Eval.Count > 0 ? state.Evaluations : null,
            StoppedEarly = state.Step < plan.Steps,
            TrainedParameters = state.Adapters.ParameterCount,
            Examples = data.Train.Count,
            TokensPerSecond = run.TokensPerSecond,
            Phases = session.Phases,
            Tokenizer = data.TokenizerName,
        };
    }

    /// <summary>What the run will do, before it takes its time.</summary>
    private static void TuneNotices(Session session, TuneOptions options, ModelSpec spec, TrainingData data, BatchPlan plan, TuneState state)
    {
        long trained = state.Adapters.ParameterCount;
        string targets = LoraTargetRoles.Format(state.Adapters.Maps.Keys.Select(map => map.Role));
        session.Reporter.Notice(FormattableString.Invariant(
            $"{trained:N0} parameters are trained, {(double)trained / spec.ParameterCount():0.## %} of the model: rank {options.Rank} for {targets} of {spec.Layers.Count} layers"));
        session.Reporter.Notice(FormattableString.Invariant(
            $"{plan}; {data.Train.Average(e => e.Ids.Length):0} tokens in an example on average{(data.Eval.Count > 0 ? $"; {data.Eval.Count} held out" : "")}"));
        if (state.Step > 0)
        {
            session.Reporter.Notice($"{state.Step} of {plan.Steps} steps are done");
        }

        if (options.Warmup >= plan.Steps)
        {
            session.Reporter.Notice($"the learning rate is still rising when the run ends: --warmup {options.Warmup} is no less than the number of steps, {plan.Steps}");
        }
    }
}
