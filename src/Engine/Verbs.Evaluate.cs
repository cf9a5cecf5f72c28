using System.Buffers.Binary;
using System.Diagnostics;
using System.Security.Cryptography;
using NativeEngine.Checkpoints;
using NativeEngine.Evaluate;
using NativeEngine.Model;
using NativeEngine.Text;

namespace NativeEngine;

public static partial class Verbs
{
    private const int EvaluationBatch = 8;

    /// <summary>Measures perplexity.</summary>
    public static PerplexityResult Perplexity(Session session, PerplexityOptions options)
    {
        using CausalModel model = Open(session, options.Model);
        bool slicegpt = options.Protocol == PerplexityProtocol.SliceGpt;
        var reader = new WindowReader(session, model.Spec, options.Model, options.Tokenizer, slicegpt ? TokenizerChoice.Auto : TokenizerChoice.Slow);
        int seqLen = options.SeqLen ?? (options.Protocol == PerplexityProtocol.LlmPruner ? 128 : 2048);
        TokenWindows windows = reader.Evaluation(options.Text, seqLen, options.MaxChunks);
        long start = Stopwatch.GetTimestamp();
        IReadOnlyList<PerplexityEvaluation.WindowNll> nll = new PerplexityEvaluation(session, model)
            .Measure(windows, options.Batch, PerplexityEvaluation.IgnoredId(model.Spec.Ids, options.Protocol));
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        double mean = PerplexityEvaluation.Mean(nll, options.Protocol);
        return new PerplexityResult
        {
            Command = "eval perplexity",
            Model = options.Model,
            Device = session.Backend.Name,
            Perplexity = Finite(Math.Exp(mean)),
            MeanNll = Finite(mean),
            Chunks = windows.Rows,
            Tokens = (long)windows.Rows * windows.Width,
            TokensPerSecond = (long)windows.Rows * windows.Width / seconds,
            Protocol = options.Protocol switch
            {
                PerplexityProtocol.SliceGpt => "slicegpt",
                PerplexityProtocol.LlmPruner => "llm-pruner",
                _ => "sparsegpt",
            },
            Tokenizer = reader.TokenizerName,
        };
    }

    /// <summary>Encodes a text or a file.</summary>
    public static TokenizeResult Tokenize(Session session, TokenizeOptions options)
    {
        Tokenizer tokenizer = Tokenizer.Load(options.Model, options.Tokenizer, session.Reporter);
        int[] ids = options.Text is null
            ? tokenizer.EncodeUtf8(Corpus.ReadBytes(options.File!), addSpecial: !options.NoSpecial)
            : tokenizer.Encode(options.Text, addSpecial: !options.NoSpecial);
        var result = new TokenizeResult
        {
            Command = "tokenize",
            Model = options.Model,
            Tokenizer = tokenizer.Description,
            Text = options.Decode ? tokenizer.Decode(ids, skipSpecial: options.NoSpecial) : null,
        };
        if (options.Text is not null)
        {
            return result with { Ids = ids };
        }

        var bytes = new byte[ids.Length * sizeof(int)];
        for (int i = 0; i < ids.Length; i++)
        {
            BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(i * sizeof(int)), ids[i]);
        }

        return result with { Count = ids.Length, Sha256 = Convert.ToHexStringLower(SHA256.HashData(bytes)) };
    }

    /// <summary>Continues a prompt, greedily.</summary>
    public static GenerateResult Generate(Session session, GenerateOptions options)
    {
        using CausalModel model = Open(session, options.Model);
        WindowReader.RequirePositions(model.Spec);
        Tokenizer? tokenizer = options.PromptIds is null || TokenizerFolder.Exists(options.Model)
            ? Tokenizer.Load(options.Model, options.Tokenizer, session.Reporter)
            : null;
        IReadOnlyList<int> prompt = options.PromptIds ?? tokenizer!.Encode(options.Prompt ?? "", addSpecial: true);
        using var generator = new Generator(session, model);
        StreamingDecoder? stream = tokenizer is null || options.OnText is null ? null : new StreamingDecoder(tokenizer, skipSpecial: true);
        GeneratedTokens generated = generator.Greedy(prompt, options.MaxNewTokens, options.IgnoreEos ? [] : EndIds(model, tokenizer), options.RepetitionPenalty, id => options.OnText?.Invoke(stream?.Push(id) ?? ""));
        options.OnText?.Invoke(stream?.Finish() ?? "");
        return new GenerateResult
        {
            Command = "generate",
            Model = options.Model,
            Device = session.Backend.Name,
            Text = tokenizer?.Decode([.. generated.Ids], skipSpecial: true),
            Ids = generated.Ids,
            TokensPerSecond = generated.TokensPerSecond,
            PromptSeconds = generated.PromptSeconds,
        };
    }

    /// <summary>What config.json and generation_config.json say ends a text, or else the tokenizer.</summary>
    private static IReadOnlyList<int> EndIds(CausalModel model, Tokenizer? tokenizer) =>
        model.Spec.Ids.Eos.Count > 0 ? model.Spec.Ids.Eos : tokenizer?.EosId is int eos ? [eos] : [];

    private static double? Finite(double value) => double.IsFinite(value) ? value : null;
}
