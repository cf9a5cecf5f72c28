using NativeEngine.Checkpoints;
using NativeEngine.Spec;

namespace NativeEngine.Text;

/// <summary>Turns a <see cref="TextSource"/> into token windows for one model, and says what it had to leave out.</summary>
internal sealed class WindowReader(Session session, ModelSpec spec, string folder, TokenizerChoice? choice, TokenizerChoice otherwise = TokenizerChoice.Auto)
{
    private Tokenizer? tokenizer;

    /// <summary>Which tokenizer was used; "none" as long as only token files were read.</summary>
    public string TokenizerName => tokenizer?.Description ?? "none";

    /// <summary>The tokenizer, read when first needed.</summary>
    public Tokenizer Tokenizer => tokenizer ??= Text.Tokenizer.Load(folder, choice, session.Reporter, otherwise);

    /// <summary>
    /// Windows without overlap from the start of the text, its special tokens once in front, the tail dropped; or the rows of a token file.
    /// <paramref name="option"/> asked for <paramref name="seqLen"/>.
    /// </summary>
    public TokenWindows Evaluation(TextSource source, int seqLen, int? maxChunks, string option = "--seqlen")
    {
        if (FromFile(source, maxChunks, option) is { } windows)
        {
            return windows;
        }

        seqLen = Fit(seqLen, option);
        int[] ids = Encode(source);
        int rows = Math.Min(ids.Length / seqLen, maxChunks ?? int.MaxValue);
        if (rows == 0)
        {
            throw new EngineException("NE3175", $"the text has {ids.Length} tokens, a window needs {seqLen}") { File = source.Path, Key = option, Hint = $"use a longer text or a smaller {option}" };
        }

        return Checked(new TokenWindows(ids[..(rows * seqLen)], null, rows, seqLen), source);
    }

    /// <summary>Windows drawn without overlap from anywhere in the text, BOS in front where the tokenizer adds one; or the rows of a token file.</summary>
    public TokenWindows Calibration(TextSource source, int samples, int seqLen, long seed)
    {
        if (FromFile(source, samples) is { } windows)
        {
            if (windows.Rows < samples)
            {
                session.Reporter.Notice($"{source.Path} holds {windows.Rows} of the {samples} windows asked for: all are used");
            }

            return windows;
        }

        seqLen = Fit(seqLen);
        IReadOnlyList<int[]> drawn = CalibrationWindows.Draw(Tokenizer, Corpus.Read(source), samples, seqLen, seed, session.Reporter);
        return Checked(new TokenWindows([.. drawn.SelectMany(w => w)], null, drawn.Count, seqLen), source);
    }

    /// <summary>
    /// For training: windows one after the other of at most <paramref name="cutoff"/> tokens, the tail included, BOS in front of each where the
    /// tokenizer adds one; or the rows of a token file, without the tokens that its mask hides.
    /// </summary>
    public IReadOnlyList<int[]> Training(TextSource source, int cutoff)
    {
        if (FromFile(source, null, "--cutoff") is { } windows)
        {
            return [.. Enumerable.Range(0, windows.Rows).Select(r => Shown(windows, r))];
        }

        int[] prefix = Tokenizer is { AddsBos: true, BosId: int bos } ? [bos] : [];
        int[] ids = Tokenizer.Encode(Corpus.Read(source), addSpecial: false);
        CheckIds(ids, source.Path);
        return [.. ids.Chunk(Fit(cutoff, "--cutoff") - prefix.Length).Select(chunk => (int[])[.. prefix, .. chunk])];
    }

    /// <summary>Throws NE3178 when an id has no row in the embedding.</summary>
    public void CheckIds(ReadOnlySpan<int> ids, string path)
    {
        int largest = 0;
        foreach (int id in ids)
        {
            largest = Math.Max(largest, id);
        }

        if (largest >= spec.Vocab)
        {
            throw new EngineException("NE3178", $"token id {largest} is outside the embedding")
            {
                File = path,
                Found = largest.ToString(),
                Expected = $"0 to {spec.Vocab - 1}",
                Hint = "the tokenizer and the weights are not of the same model",
            };
        }
    }

    /// <summary>Tokens per window, no more than the model has positions; <paramref name="option"/> asked for <paramref name="tokens"/>.</summary>
    public int Fit(int tokens, string option = "--seqlen")
    {
        RequirePositions(spec);
        if (tokens < 2)
        {
            throw new EngineException("NE2024", "a window of one token predicts nothing") { Key = option, Found = tokens.ToString(), Expected = $"2 to {spec.MaxPositions}" };
        }

        if (tokens > spec.MaxPositions)
        {
            session.Reporter.Notice($"windows of {spec.MaxPositions} tokens, not {tokens}: the model has no more positions");
        }

        return Math.Min(tokens, spec.MaxPositions);
    }

    /// <summary>Throws NE4062 for a model that sees one token alone, so that none can follow.</summary>
    public static void RequirePositions(ModelSpec spec)
    {
        if (spec.MaxPositions < 2)
        {
            throw new EngineException("NE4062", "the model has one position: no token can follow another") { Key = "max_position_embeddings", Found = $"{spec.MaxPositions}", Expected = "2 or more" };
        }
    }

    private static int[] Shown(TokenWindows windows, int row)
    {
        int from = row * windows.Width;
        int[] ids = windows.Ids[from..(from + windows.Width)];
        return windows.Mask is null ? ids : [.. ids.Where((_, i) => windows.Mask[from + i] != 0)];
    }

    private TokenWindows? FromFile(TextSource source, int? rows, string option = "--seqlen")
    {
        if (!TokenFile.TryParse(source.Path, out string path, out string name, out string? mask))
        {
            return null;
        }

        TokenWindows all = TokenFile.Read(path, name, mask);
        int n = Math.Min(all.Rows, rows ?? all.Rows), count = n * all.Width;
        if (all.Width > spec.MaxPositions)
        {
            throw new EngineException("NE3176", $"the windows have {all.Width} tokens, the model has {spec.MaxPositions} positions") { File = path, Key = name };
        }

        if (n == 0 || all.Width < 2)
        {
            throw new EngineException("NE3177", "there is no window of two tokens or more") { File = path, Key = name };
        }

        session.Reporter.Notice($"{path}: used as it is, windows x tokens: {n} x {all.Width}; {option} does not apply");
        return Checked(new TokenWindows(all.Ids[..count], all.Mask?[..count], n, all.Width), source);
    }

    private int[] Encode(TextSource source) => Tokenizer.Encode(Corpus.Read(source), addSpecial: true);

    private TokenWindows Checked(TokenWindows windows, TextSource source)
    {
        CheckIds(windows.Ids, source.Path);
        return windows;
    }
}
