namespace NativeEngine;

/// <summary>The engine's calls: one options record in, one result record out. The command line and the C ABI are two skins over these.</summary>
public static class Verbs
{
    /// <summary>Reads the header of every shard and reports shapes, parameters and cost. Reads no weights.</summary>
    public static InspectResult Inspect(Session session, string model) => throw new InvalidOperationException("not written yet");

    /// <summary>Encodes a text or a file.</summary>
    public static TokenizeResult Tokenize(Session session, TokenizeOptions options) => throw new InvalidOperationException("not written yet");

    /// <summary>Measures perplexity.</summary>
    public static PerplexityResult Perplexity(Session session, PerplexityOptions options) => throw new InvalidOperationException("not written yet");

    /// <summary>Slices a model (SliceGPT).</summary>
    public static SliceResult Slice(Session session, SliceOptions options) => throw new InvalidOperationException("not written yet");

    /// <summary>Continues a prompt.</summary>
    public static GenerateResult Generate(Session session, GenerateOptions options) => throw new InvalidOperationException("not written yet");

    /// <summary>Writes the model as a stock Hugging Face folder.</summary>
    public static ExportResult Export(Session session, ExportOptions options) => throw new InvalidOperationException("not written yet");
}
