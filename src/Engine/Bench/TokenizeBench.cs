using System.Diagnostics;
using System.Text;
using NativeEngine.Text;

namespace NativeEngine.Bench;

/// <summary>One figure of <c>bench tokenize</c>.</summary>
/// <param name="Tokenizer">which rules and which file</param>
/// <param name="Mode">"whole": the file as one string; "lines": line by line</param>
/// <param name="MbPerSecond">10^6 bytes of UTF-8 per second, one thread, the best repetition</param>
/// <param name="Tokens">ids produced</param>
public sealed record TokenizeRow(string Tokenizer, string Mode, double MbPerSecond, long Tokens);

/// <summary>Result of <c>bench tokenize</c>.</summary>
public sealed record TokenizeBenchResult : RunResult
{
    /// <summary>Bytes of the text.</summary>
    public required long Bytes { get; init; }

    /// <summary>One entry per tokenizer and mode.</summary>
    public required IReadOnlyList<TokenizeRow> Rows { get; init; }
}

/// <summary>Measures how fast a model's tokenizers encode.</summary>
public static class TokenizeBench
{
    /// <summary>Encodes <paramref name="file"/> <paramref name="repetitions"/> times per tokenizer and mode, each time with an empty word cache.</summary>
    /// <exception cref="EngineException">NE3159: the text is empty; else the tokenizer or the text cannot be read</exception>
    public static TokenizeBenchResult Run(string model, string file, IReporter reporter, int repetitions = 5)
    {
        long start = Stopwatch.GetTimestamp();
        byte[] utf8 = Corpus.ReadBytes(file);
        if (utf8.Length == 0)
        {
            throw new EngineException("NE3159", "the file is empty: there is nothing to time") { File = file, Key = "--file", Found = "0 bytes" };
        }

        string text = Encoding.UTF8.GetString(utf8);
        string[] lines = text.Split('\n');
        TokenizerChoice[] choices = [TokenizerChoice.Auto, TokenizerChoice.File, TokenizerChoice.Slow];
        var rows = new List<TokenizeRow>();
        reporter.Phase("tokenize", choices.Length * repetitions);
        foreach (TokenizerChoice choice in choices)
        {
            (double Seconds, long Tokens) whole = (double.PositiveInfinity, 0);
            (double Seconds, long Tokens) byLine = whole;
            string description = "";
            for (int i = 0; i < repetitions; i++)
            {
                Tokenizer tokenizer = Tokenizer.Load(model, choice, SilentReporter.Instance);
                description = tokenizer.Description;
                whole = Best(whole, () => tokenizer.Encode(text, addSpecial: false).Length);
                tokenizer = Tokenizer.Load(model, choice, SilentReporter.Instance);
                byLine = Best(byLine, () => lines.Sum(line => (long)tokenizer.Encode(line, addSpecial: false).Length));
                reporter.Step((rows.Count / 2 * repetitions) + i + 1, description);
            }

            rows.Add(new TokenizeRow(description, "whole", utf8.Length / 1e6 / whole.Seconds, whole.Tokens));
            rows.Add(new TokenizeRow(description, "lines", utf8.Length / 1e6 / byLine.Seconds, byLine.Tokens));
        }

        return new TokenizeBenchResult
        {
            Command = "bench tokenize",
            Model = model,
            Bytes = utf8.Length,
            Rows = rows,
            Seconds = Stopwatch.GetElapsedTime(start).TotalSeconds,
            PeakRssBytes = Process.GetCurrentProcess().PeakWorkingSet64,
        };
    }

    private static (double Seconds, long Tokens) Best((double Seconds, long Tokens) best, Func<long> encode)
    {
        long start = Stopwatch.GetTimestamp();
        long tokens = encode();
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        return (double.Min(seconds, best.Seconds), tokens);
    }
}
