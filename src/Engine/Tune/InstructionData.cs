using NativeEngine.Text;

namespace NativeEngine.Tune;

/// <summary>
/// Turns instruction records into training examples, as LLM-Pruner's post_training.py does: prompt and answer are one text, the prompt's tokens
/// are not trained on.
/// </summary>
/// <param name="tokenizer">of the model</param>
/// <param name="cutoff">longest example, in tokens</param>
/// <param name="trainOnInputs">train on the prompt's tokens too</param>
internal sealed class InstructionData(Tokenizer tokenizer, int cutoff, bool trainOnInputs)
{
    /// <summary>
    /// The example of <paramref name="record"/>. An answer that the cutoff leaves whole ends with EOS; <see cref="TrainingExample.TargetCount"/> is 0
    /// where the prompt fills the cutoff.
    /// </summary>
    public TrainingExample Encode(InstructionRecord record)
    {
        string prompt = AlpacaTemplate.Prompt(record);
        int[] whole = Encode(prompt + record.Output), ids = whole.Length <= cutoff ? whole : whole[..cutoff];
        if (ids.Length < cutoff && tokenizer.EosId is int eos && ids[^1] != eos)
        {
            ids = [.. ids, eos];
        }

        // The prompt is encoded by itself, as in the reference: where its last token would merge with the answer, that token counts as prompt.
        return new TrainingExample(ids, trainOnInputs ? 0 : Math.Min(Encode(prompt).Length, ids.Length)) { IsCut = whole.Length > cutoff };
    }

    /// <summary>The ids of a text, BOS first where the tokenizer adds one, never an EOS that the text does not hold.</summary>
    private int[] Encode(string text)
    {
        int[] ids = tokenizer.Encode(text, addSpecial: false);
        return tokenizer.AddsBos ? [tokenizer.BosId!.Value, .. ids] : ids;
    }
}
