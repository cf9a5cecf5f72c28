using NativeEngine.Model;
using NativeEngine.Spec;
using NativeEngine.Testing;
using NativeEngine.Tune;

namespace NativeEngine.Tests.Tune;

/// <summary>Packed examples do not see each other: the loss is the one of padded rows.</summary>
public sealed class PackingTests
{
    [SkippableTheory]
    [InlineData("tiny-llama")]
    [InlineData("tiny-opt")]
    [InlineData("tiny-phi")]
    public void Packing_keeps_the_loss(string name)
    {
        using var session = new Session(threads: 2);
        using CausalModel model = CausalModel.Open(session.Backend, Golden.Model(name));
        using var state = new TuneState(RandomAdapters.Create(session.Backend, model.Spec, new LoraConfig(2, 0.5), LoraTargetRoles.Of(null, model.Spec, SilentReporter.Instance)));
        using var trainer = new Trainer(session, model, new TuneOptions("", "", new TextSource("")), state);
        var random = new Random(3);
        TrainingExample[] batch = [.. Enumerable.Range(0, 12).Select(_ => Example(random, model.Spec.Vocab))];
        double padded = trainer.Evaluate(new Collator(3, 64, model.Spec.MaxPositions, pack: false).Collate(batch));
        double packed = trainer.Evaluate(new Collator(3, 64, model.Spec.MaxPositions, pack: true).Collate(batch));
        Golden.Close(padded, packed, Tolerances.PackedLoss, 0, "loss");
    }

    private static TrainingExample Example(Random random, int vocab)
    {
        int length = random.Next(2, 64);
        return new TrainingExample([.. Enumerable.Range(0, length).Select(_ => random.Next(vocab))], random.Next(length));
    }
}
