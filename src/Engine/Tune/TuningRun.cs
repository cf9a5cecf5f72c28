using System.Diagnostics;
using NativeEngine.Model;

namespace NativeEngine.Tune;

/// <summary>
/// The loop of a run: steps until the plan or the patience ends, measurements on the held-out set where they are due, and the state saved
/// every ten minutes and on an interruption.
/// </summary>
internal sealed class TuningRun(Session session, CausalModel model, TuneOptions options, TrainingData data, BatchPlan plan, TuneState state, TuneCheckpoints checkpoints)
{
    private readonly LearningRateSchedule rates = new(options.Decay, options.LearningRate, options.Warmup, plan.Steps);
    private readonly Collator collator = new(options.MicroBatch, options.Cutoff, model.Spec.MaxPositions, options.Pack);
    private readonly Stopwatch training = new();
    private long tokens;

    /// <summary>Tokens of the examples, without padding; 0 where no step was left to do.</summary>
    public double TokensPerSecond => tokens == 0 ? 0 : tokens / training.Elapsed.TotalSeconds;

    private bool IsOver => state.Step >= plan.Steps || state.EvaluationsWithoutGain >= (options.Patience ?? int.MaxValue);

    /// <summary>Goes on from the state as it is to the end.</summary>
    public void Run()
    {
        using var trainer = new Trainer(session, model, options, state);
        int first = state.Step;
        session.Phase("tune", plan.Steps, first);
        try
        {
            EvaluateWhereDue(trainer); // a run that is resumed may have stopped in the middle of it
            while (!IsOver)
            {
                double loss = Step(trainer);
                EvaluateWhereDue(trainer);
                string measured = state.Evaluations is [.., { } e] ? FormattableString.Invariant($", held out {e.Loss:0.0000}") : "";
                session.Reporter.Step(state.Step, FormattableString.Invariant($"loss {loss:0.0000}{measured}, {TokensPerSecond:N0} tokens/s"));
                SaveWhereDue();
            }
        }
        catch (OperationCanceledException) when (state.Step > first)
        {
            checkpoints.Save(state); // of the last step that was completed
            throw;
        }
    }

    private double Step(Trainer trainer)
    {
        TrainingExample[] batch = [.. plan.Batch(state.Step).ToArray().Select(i => data.Train[i])];
        training.Start();
        double loss = trainer.Step(collator.Collate(batch), rates.At(state.Step));
        training.Stop();
        tokens += batch.Sum(e => (long)e.Ids.Length);
        return loss;
    }

    private void EvaluateWhereDue(Trainer trainer)
    {
        bool due = state.Step % options.EvalEvery == 0 || state.Step == plan.Steps;
        if (due && data.Eval.Count > 0 && !state.IsEvaluated)
        {
            session.Reporter.Step(state.Step, "measuring on the held-out set");
            state.AddEvaluation(trainer.Evaluate(collator.Collate(data.Eval)));
        }
    }

    private void SaveWhereDue()
    {
        if (checkpoints.IsDue)
        {
            session.Switch("write");
            checkpoints.Save(state);
        }
    }
}
