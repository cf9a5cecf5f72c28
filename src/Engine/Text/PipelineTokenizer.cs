using System.Text;

namespace NativeEngine.Text;

/// <summary>The parts of a tokenizer, in the order in which text passes them.</summary>
internal sealed record TokenizerParts
{
    /// <summary>Every token with its id, added ones too.</summary>
    public required Vocabulary Vocabulary { get; init; }

    /// <summary>Tokens found before anything else, by their text.</summary>
    public required OrderedDictionary<string, AddedToken> AddedTokens { get; init; }

    /// <summary>Stages that change the text.</summary>
    public required List<TextStage> Normalizers { get; init; }

    /// <summary>Stages that cut it into pieces.</summary>
    public required List<TextStage> PreTokenizers { get; init; }

    /// <summary>Whether the pre-tokenizer is ByteLevel and nothing else.</summary>
    public bool PlainByteLevel { get; init; }

    /// <summary>Turns a piece into ids.</summary>
    public required BytePairEncoding Encoding { get; init; }

    /// <summary>Ids put in front of a text.</summary>
    public IReadOnlyList<int> Prefix { get; init; } = [];

    /// <summary>Ids put behind a text.</summary>
    public IReadOnlyList<int> Suffix { get; init; } = [];

    /// <summary>Steps from tokens to text; null joins tokens with spaces.</summary>
    public required List<Decoder>? Decoders { get; init; }
}

/// <summary>The pipeline of Hugging Face tokenizers: added tokens, normalizers, pre-tokenizers, byte-pair encoding; and decoders back.</summary>
internal sealed class PipelineTokenizer : Tokenizer
{
    private readonly TokenizerParts parts;
    private readonly AddedTokenMatcher rawTokens;
    private readonly AddedTokenMatcher normalizedTokens;
    private readonly HashSet<int> specialIds;
    private Workspace? idle;

    public PipelineTokenizer(TokenizerParts parts, SpecialIds special, string description) : base(parts.Vocabulary, special, description)
    {
        this.parts = parts;
        rawTokens = new AddedTokenMatcher(Patterns(t => !t.Normalized, Encoding.UTF8.GetBytes));
        normalizedTokens = new AddedTokenMatcher(Patterns(t => t.Normalized, NormalizedContent));
        specialIds = [.. parts.AddedTokens.Values.Where(t => t.Special).Select(t => t.Id)];
    }

    private protected override void EncodeText(ReadOnlySpan<byte> text, List<int> ids)
    {
        Workspace workspace = Interlocked.Exchange(ref idle, null) ?? new Workspace(parts.Encoding.NewWorkspace());
        rawTokens.Split(text, workspace.Segments);
        foreach (Segment segment in workspace.Segments)
        {
            if (segment.Id >= 0)
            {
                ids.Add(segment.Id);
            }
            else
            {
                Normalize(text[segment.Start..segment.End], segment.Start == 0, workspace, ids);
            }
        }

        idle = workspace;
    }

    private protected override string DecodeKnown(ReadOnlySpan<int> ids, bool skipSpecial)
    {
        var tokens = new List<string>(ids.Length);
        foreach (int id in ids)
        {
            if (!skipSpecial || !specialIds.Contains(id))
            {
                tokens.Add(Vocabulary[id]!);
            }
        }

        if (parts.Decoders is null)
        {
            return string.Join(' ', tokens);
        }

        foreach (Decoder decoder in parts.Decoders)
        {
            tokens = decoder.Decode(tokens);
        }

        return string.Concat(tokens);
    }

    private void Normalize(ReadOnlySpan<byte> text, bool atStart, Workspace workspace, List<int> ids)
    {
        workspace.Pieces.Reset(text, atStart);
        foreach (TextStage normalizer in parts.Normalizers)
        {
            normalizer.Apply(workspace.Pieces);
        }

        if (normalizedTokens.IsEmpty)
        {
            Merge(workspace, ids);
            return;
        }

        byte[] normalized = workspace.Pieces.Text.ToArray();
        normalizedTokens.Split(normalized, workspace.NormalizedSegments);
        foreach (Segment segment in workspace.NormalizedSegments)
        {
            if (segment.Id >= 0)
            {
                ids.Add(segment.Id);
            }
            else
            {
                workspace.Pieces.Reset(normalized.AsSpan(segment.Start..segment.End), atStart && segment.Start == 0);
                Merge(workspace, ids);
            }
        }
    }

    private void Merge(Workspace workspace, List<int> ids)
    {
        foreach (TextStage stage in parts.PreTokenizers)
        {
            stage.Apply(workspace.Pieces);
        }

        for (int i = 0; i < workspace.Pieces.Count; i++)
        {
            parts.Encoding.Encode(workspace.Pieces[i], workspace.Encoding, ids);
        }
    }

    private IEnumerable<(byte[] Bytes, AddedToken Token)> Patterns(Func<AddedToken, bool> which, Func<string, byte[]> content) =>
        parts.AddedTokens.Values.Where(which).OrderBy(t => t.Special ? 0 : 1).Select(t => (content(t.Content), t)).Where(p => p.Item1.Length > 0);

    private byte[] NormalizedContent(string content)
    {
        var pieces = new Pieces();
        pieces.Reset(Encoding.UTF8.GetBytes(content), atStart: true);
        foreach (TextStage normalizer in parts.Normalizers)
        {
            normalizer.Apply(pieces);
        }

        return pieces.Text.ToArray();
    }

    /// <summary>Buffers of one call; kept for the next one.</summary>
    private sealed class Workspace(BytePairEncoding.Workspace encoding)
    {
        public BytePairEncoding.Workspace Encoding => encoding;

        public Pieces Pieces { get; } = new();

        public List<Segment> Segments { get; } = [];

        public List<Segment> NormalizedSegments { get; } = [];
    }
}
