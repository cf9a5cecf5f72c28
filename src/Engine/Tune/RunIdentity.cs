using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using NativeEngine.Checkpoints;
using NativeEngine.Kernels;

namespace NativeEngine.Tune;

/// <summary>What decides the numbers of a run, by name: version, options, and hashes of the inputs. A run goes on only where all of it is the same.</summary>
internal sealed class RunIdentity
{
    /// <summary>Where things are and what becomes of the output decide no number; inputs count by their content.</summary>
    private static readonly HashSet<string> WithoutEffect = ["command", "model", "out", "data", "eval_data", "overwrite"];

    internal RunIdentity(IReadOnlyDictionary<string, string> facts) => Facts = facts;

    /// <summary>Name and value of every fact.</summary>
    public IReadOnlyDictionary<string, string> Facts { get; }

    /// <summary>The identity of a run of <paramref name="options"/> on <paramref name="device"/>; of the model as <see cref="ModelFingerprint"/> sees it. Errors: NE5002, NE5004.</summary>
    /// <param name="options">its options</param>
    /// <param name="device">its device, such as "cpu": another one adds up in another order</param>
    /// <param name="weights">the weights of the model</param>
    /// <param name="dtype">what the model computes in</param>
    /// <param name="train">the training set</param>
    /// <param name="eval">the held-out set</param>
    public static RunIdentity Of(
        TuneOptions options, string device, Checkpoint weights, DType dtype, IReadOnlyList<TrainingExample> train, IReadOnlyList<TrainingExample> eval)
    {
        Dictionary<string, string> facts = new()
        {
            ["engine version"] = typeof(RunIdentity).Assembly.GetName().Version!.ToString(3),
            ["type"] = $"{dtype}",
            ["device"] = Device(device),
            ["AdamW"] = FormattableString.Invariant($"{options.Beta1}, {options.Beta2}, {options.Epsilon}"), // no options of the command line
        };
        foreach ((string name, JsonNode? value) in EffectiveOptions.Of(options))
        {
            if (!WithoutEffect.Contains(name))
            {
                facts[name] = value!.ToString();
            }
        }

        foreach ((string part, string sha256) in ModelFingerprint.Parts(weights))
        {
            facts[$"sha256 of the model's {part}"] = sha256;
        }

        facts["sha256 of the data"] = HashFile(options.Data.Path);
        if (options.EvalData is { Path: var path })
        {
            facts["sha256 of the evaluation data"] = HashFile(path);
        }

        // The files may be the same and the tokenizer another one.
        facts["sha256 of the examples"] = Hash(train, eval);
        return new RunIdentity(facts);
    }

    /// <summary>What is not as in <paramref name="saved"/>, such as "lr: 0.0003 before, 0.0001 now".</summary>
    public IReadOnlyList<string> Differences(RunIdentity saved) =>
    [
        .. Facts.Keys.Union(saved.Facts.Keys)
            .Select(name => (Name: name, Before: saved.Facts.GetValueOrDefault(name, "nothing"), Now: Facts.GetValueOrDefault(name, "nothing")))
            .Where(fact => fact.Before != fact.Now)
            .Select(fact => $"{fact.Name}: {fact.Before} before, {fact.Now} now"),
    ];

    /// <summary>The width of the host's vectors decides in what order it adds up.</summary>
    private static string Device(string name) => name != "cpu" ? name : Vector512.IsHardwareAccelerated ? "cpu, 512 bits" : Vector256.IsHardwareAccelerated ? "cpu, 256 bits" : "cpu, 128 bits";

    private static string Hash(params ReadOnlySpan<IReadOnlyList<TrainingExample>> sets)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (IReadOnlyList<TrainingExample> examples in sets)
        {
            foreach (TrainingExample example in examples)
            {
                hash.AppendData(MemoryMarshal.AsBytes<int>([example.Ids.Length, example.PromptLength]));
                hash.AppendData(MemoryMarshal.AsBytes<int>(example.Ids));
            }

            hash.AppendData(MemoryMarshal.AsBytes<int>([-1]));
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private static string HashFile(string source)
    {
        string path = TokenFile.TryParse(source, out string tokens, out _, out _) ? tokens : source;
        try
        {
            using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
            return Convert.ToHexStringLower(SHA256.HashData(file));
        }
        catch (Exception e) when (Errors.IsIo(e))
        {
            throw Errors.Reading(path, e);
        }
    }
}
