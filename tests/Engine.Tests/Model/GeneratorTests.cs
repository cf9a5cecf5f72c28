using System.Text.Json;
using NativeEngine.Model;

namespace NativeEngine.Tests;

/// <summary>Greedy continuations of transformers' generate() (golden/generate).</summary>
public sealed class GeneratorTests
{
    private const double SmallestGap = 1e-3; // two logits closer than this may swap (golden/generate/README.md)

    public static TheoryData<string> Models => ["tiny-llama", "tiny-llama3", "tiny-opt", "tiny-phi"];

    [SkippableTheory]
    [MemberData(nameof(Models))]
    public void Greedy_ids_match(string name) => Compare(name, "greedy", 1);

    [SkippableTheory]
    [MemberData(nameof(Models))]
    public void A_repetition_penalty_matches(string name) => Compare(name, "repetition_penalty_1.1", 1.1);

    [SkippableTheory]
    [MemberData(nameof(Models))]
    public void Generation_stops_at_the_end_of_text(string name)
    {
        JsonElement golden = Golden.Json("generate", name, "generate.json");
        using var session = new Session("cpu", threads: 2);
        using CausalModel model = CausalModel.Open(session.Backend, Golden.Model(name));
        using var generator = new Generator(session, model);
        foreach ((JsonElement prompt, JsonElement expected) in golden.GetProperty("prompts").EnumerateArray().Zip(golden.GetProperty("eos_greedy").EnumerateArray()))
        {
            int eos = expected.GetProperty("eos_token_id").GetInt32();
            int[] ids = [.. generator.Greedy(Ints(prompt), 40, [eos]).Ids];
            Assert.Equal(Ints(expected.GetProperty("tokens")), ids);
        }
    }

    [SkippableFact]
    public void The_cache_ends_where_the_positions_end()
    {
        using var session = new Session("cpu", threads: 2);
        using CausalModel model = CausalModel.Open(session.Backend, Golden.Model("tiny-llama"));
        using var generator = new Generator(session, model);
        int[] prompt = [.. Enumerable.Range(5, model.Spec.MaxPositions - 3)];
        Assert.Equal(3, generator.Greedy(prompt, 40, []).Ids.Count);
        EngineException e = Assert.Throws<EngineException>(() => generator.Greedy([.. Enumerable.Range(5, model.Spec.MaxPositions)], 1, []));
        Assert.Equal(ExitCode.InvalidInput, e.Exit);
    }

    private static void Compare(string name, string key, double penalty)
    {
        JsonElement golden = Golden.Json("generate", name, "generate.json");
        using var session = new Session("cpu", threads: 2);
        using CausalModel model = CausalModel.Open(session.Backend, Golden.Model(name));
        using var generator = new Generator(session, model);
        JsonElement prompts = golden.GetProperty("prompts"), answers = golden.GetProperty(key);
        Assert.Equal(prompts.GetArrayLength(), answers.GetArrayLength());
        foreach ((JsonElement prompt, JsonElement expected) in prompts.EnumerateArray().Zip(answers.EnumerateArray()))
        {
            int[] tokens = Ints(expected.GetProperty("tokens"));
            double[] gaps = [.. expected.GetProperty("top1_top2_gap_per_step").EnumerateArray().Select(e => e.GetDouble())];
            int certain = Array.FindIndex(gaps, g => g < SmallestGap) is int i and >= 0 ? i : tokens.Length;
            Assert.True(certain > 0, "no step is certain");
            IReadOnlyList<int> found = generator.Greedy(Ints(prompt), tokens.Length, [], penalty).Ids;
            Assert.Equal(tokens[..certain], found.Take(certain));
        }
    }

    private static int[] Ints(JsonElement array) => [.. array.EnumerateArray().Select(e => e.GetInt32())];
}
