namespace NativeEngine.Tune;

/// <summary>The prompt of Stanford Alpaca (Taori et al. 2023), as LLM-Pruner's post_training.py words it.</summary>
internal static class AlpacaTemplate
{
    /// <summary>Everything in front of the answer.</summary>
    public static string Prompt(InstructionRecord record) => record.Input.Length > 0
        ? "Below is an instruction that describes a task, paired with an input that provides further context. "
            + "Write a response that appropriately completes the request.\n\n"
            + $"### Instruction:\n{record.Instruction}\n\n### Input:\n{record.Input}\n\n### Response:\n"
        : "Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n"
            + $"### Instruction:\n{record.Instruction}\n\n### Response:\n";
}
