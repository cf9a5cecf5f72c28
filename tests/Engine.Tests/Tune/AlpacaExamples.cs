using NativeEngine.Text;
using NativeEngine.Tune;

namespace NativeEngine.Tests.Tune;

/// <summary>The examples of golden/llmpruner/tiny-llama/lora.json.</summary>
internal static class AlpacaExamples
{
    public static TrainingExample[] First32(bool trainOnInputs)
    {
        var data = new InstructionData(Tokenizer.Load(Golden.Model("tiny-llama"), TokenizerChoice.Slow, SilentReporter.Instance), 256, trainOnInputs);
        return [.. InstructionFile.Read(Testing.Shared.Path("data", "alpaca.json")).Take(32).Select(data.Encode)];
    }
}
