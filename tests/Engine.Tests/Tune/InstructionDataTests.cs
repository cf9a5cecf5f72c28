using NativeEngine.Text;
using NativeEngine.Tune;

namespace NativeEngine.Tests.Tune;

/// <summary>Instruction records as examples, against the token ids of LLM-Pruner's post_training.py.</summary>
public sealed class InstructionDataTests
{
    private static readonly InstructionRecord Record = new("Add.", "1, 2", "3");

    [Fact]
    public void Template_has_an_input_only_where_the_record_has_one()
    {
        Assert.Equal(
            "Below is an instruction that describes a task, paired with an input that provides further context. Write a response that appropriately completes the request.\n\n"
            + "### Instruction:\nAdd.\n\n### Input:\n1, 2\n\n### Response:\n",
            AlpacaTemplate.Prompt(Record));
        Assert.Equal(
            "Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n### Instruction:\nAdd.\n\n### Response:\n",
            AlpacaTemplate.Prompt(Record with { Input = "" }));
    }

    [SkippableFact]
    public void Examples_are_those_of_the_reference()
    {
        GoldenTensors golden = Golden.Tensors("llmpruner", "tiny-llama", "lora_tokens.safetensors");
        TrainingExample[] examples = AlpacaExamples.First32(trainOnInputs: false);
        Assert.Equal(golden.Ints("record_offsets"), examples.Aggregate((int[])[0], (offsets, e) => [.. offsets, offsets[^1] + e.Ids.Length]));
        Assert.Equal(golden.Ints("record_ids"), examples.SelectMany(e => e.Ids));
        Assert.Equal(golden.Ints("user_prompt_length"), examples.Select(e => e.PromptLength));
        Assert.Equal(golden.Ints("record_labels_masked"), examples.SelectMany(e => e.Ids.Select((id, i) => i < e.PromptLength ? -100 : id)));
    }

    [SkippableFact]
    public void Prompts_are_trained_on_when_asked_for()
    {
        TrainingExample[] examples = AlpacaExamples.First32(trainOnInputs: true);
        Assert.Equal(Golden.Tensors("llmpruner", "tiny-llama", "lora_tokens.safetensors").Ints("record_ids"), examples.SelectMany(e => e.Ids));
        Assert.All(examples, e => Assert.Equal((0, e.Ids.Length - 1), (e.PromptLength, e.TargetCount)));
    }

    [Fact]
    public void An_answer_ends_with_eos_unless_the_cutoff_ends_it()
    {
        Tokenizer tokenizer = Sample();
        int[] whole = new InstructionData(tokenizer, 1000, false).Encode(Record).Ids;
        Assert.Equal((tokenizer.BosId, tokenizer.EosId), (whole[0], whole[^1]));
        Assert.Equal(whole[..^1], tokenizer.Encode(AlpacaTemplate.Prompt(Record) + "3", addSpecial: true));

        // At the cutoff, and beyond it, nothing follows the text; a text that ends with EOS gets no second one.
        Assert.Equal(whole[..^1], new InstructionData(tokenizer, whole.Length - 1, false).Encode(Record).Ids);
        Assert.Equal(whole[..^2], new InstructionData(tokenizer, whole.Length - 2, false).Encode(Record).Ids);
        Assert.Single(new InstructionData(tokenizer, 1000, false).Encode(Record with { Output = "3</s>" }).Ids, id => id == tokenizer.EosId);
    }

    [Fact]
    public void A_prompt_that_fills_the_cutoff_leaves_no_targets()
    {
        TrainingExample example = new InstructionData(Sample(), 20, false).Encode(Record);
        Assert.Equal((20, 20, 0), (example.Ids.Length, example.PromptLength, example.TargetCount));
    }

    private static Tokenizer Sample() => Tokenizer.Load(Path.Combine(Testing.Shared.Root, "samples", "sample-llama"), TokenizerChoice.Slow, SilentReporter.Instance);
}
