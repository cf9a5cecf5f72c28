using System.Buffers;
using System.Text;

namespace NativeEngine.Text;

/// <summary>
/// The Python class LlamaTokenizer of transformers 4.41: added tokens are cut out, the rest goes through sentencepiece. Legacy puts a
/// space in front of every stretch of text, the newer behaviour only in front of the whole.
/// </summary>
internal sealed class SlowLlamaTokenizer : Tokenizer
{
    private readonly SentencePieceProcessor processor;
    private readonly bool legacy;
    private readonly bool addPrefixSpace;
    private readonly AddedTokenMatcher addedTokens;
    private readonly HashSet<int> addedIds;
    private readonly HashSet<int> specialIds;
    private readonly byte[] unknownText;
    private readonly int unknownLength; // pieces that the text of the unknown token splits into
    private Workspace? idle;

    public SlowLlamaTokenizer(
        SentencePieceModel model,
        Vocabulary vocabulary,
        IReadOnlyList<AddedToken> added,
        bool legacy,
        bool addPrefixSpace,
        SpecialIds special,
        string description)
        : base(vocabulary, special, description)
    {
        processor = new SentencePieceProcessor(model, model.AddDummyPrefix && legacy);
        this.legacy = legacy;
        this.addPrefixSpace = addPrefixSpace;
        addedTokens = new AddedTokenMatcher(added.Select(t => (Encoding.UTF8.GetBytes(t.Content), t)));
        addedIds = [.. added.Select(t => t.Id)];
        specialIds = [.. added.Where(t => t.Special).Select(t => t.Id)];
        unknownText = Encoding.UTF8.GetBytes(model.UnknownPiece);
        var ids = new List<int>();
        processor.Encode(unknownText, processor.NewWorkspace(), ids);
        unknownLength = ids.Count;
    }

    private protected override void EncodeText(ReadOnlySpan<byte> text, List<int> ids)
    {
        Workspace workspace = Interlocked.Exchange(ref idle, null) ?? new Workspace(processor.NewWorkspace());
        int before = ids.Count;
        if (!legacy && text.Length > 0)
        {
            text = WithPrefixSpace(text);
        }

        addedTokens.Split(text, workspace.Segments);
        foreach (Segment segment in workspace.Segments)
        {
            if (segment.Id >= 0)
            {
                ids.Add(segment.Id);
            }
            else
            {
                EncodeStretch(text[segment.Start..segment.End], workspace, ids);
            }
        }

        bool loneSpace = !legacy && ids.Count > before + 1 && Vocabulary[ids[before]] == "▁" && specialIds.Contains(ids[before + 1]);
        if (loneSpace)
        {
            ids.RemoveAt(before);
        }

        idle = workspace;
    }

    private protected override string DecodeKnown(ReadOnlySpan<int> ids, bool skipSpecial)
    {
        // Added tokens that are not special stand apart, with spaces around them.
        var parts = new List<string>();
        var current = new List<int>();
        foreach (int id in ids)
        {
            if (skipSpecial && specialIds.Contains(id))
            {
                continue;
            }

            if (!addedIds.Contains(id) || specialIds.Contains(id))
            {
                current.Add(id);
                continue;
            }

            if (current.Count > 0 && Join(current) is { Length: > 0 } text)
            {
                parts.Add(text);
            }

            current.Clear();
            parts.Add(Vocabulary[id]!);
        }

        if (current.Count > 0)
        {
            parts.Add(Join(current));
        }

        return string.Join(' ', parts);
    }

    private byte[] WithPrefixSpace(ReadOnlySpan<byte> text)
    {
        var output = new ArrayBufferWriter<byte>(text.Length + 3);
        if (addPrefixSpace)
        {
            output.Write(Utf8.Space);
        }

        ReplaceNormalizer.Replace(text, Utf8.Space, " "u8, output);
        return output.WrittenSpan.ToArray();
    }

    private void EncodeStretch(ReadOnlySpan<byte> text, Workspace workspace, List<int> ids)
    {
        if (legacy || !(text.StartsWith(Utf8.Space) || text.StartsWith(" "u8)))
        {
            processor.Encode(text, workspace.Processor, ids);
            return;
        }

        // Sentencepiece may strip a space at the start, so the reference puts the unknown token there and takes it off again.
        int before = ids.Count;
        processor.Encode([.. unknownText, .. text], workspace.Processor, ids);
        ids.RemoveRange(before, ids.Count - before >= unknownLength ? unknownLength : 0);
    }

    /// <summary>The method convert_tokens_to_string, with its habits around special tokens.</summary>
    private string Join(List<int> ids)
    {
        var text = new StringBuilder();
        var pieces = new List<string>();
        bool afterSpecial = false;
        for (int i = 0; i < ids.Count; i++)
        {
            string token = Vocabulary[ids[i]]!;
            if (specialIds.Contains(ids[i]))
            {
                text.Append(!afterSpecial && i != 0 && legacy ? " " : "").Append(processor.Decode(pieces)).Append(token);
                pieces.Clear();
                afterSpecial = true;
                continue;
            }

            bool space = token.StartsWith('▁');
            text.Append(afterSpecial && i == 1 && addPrefixSpace && !space ? " " : "");
            pieces.Add(i == 0 && addPrefixSpace && space ? token[1..] : token);
            afterSpecial = false;
        }

        return text.Append(processor.Decode(pieces)).ToString();
    }

    /// <summary>Buffers of one call; kept for the next one.</summary>
    private sealed class Workspace(SentencePieceProcessor.Workspace processor)
    {
        public SentencePieceProcessor.Workspace Processor => processor;

        public List<Segment> Segments { get; } = [];
    }
}

/// <summary>The library sentencepiece itself, with the beginning of a text as its only special token.</summary>
internal sealed class SentencePieceTokenizer(SentencePieceModel model, SpecialIds special, string description)
    : Tokenizer(model.Vocabulary, special, description)
{
    private readonly SentencePieceProcessor processor = new(model, model.AddDummyPrefix);

    private protected override void EncodeText(ReadOnlySpan<byte> text, List<int> ids) => processor.Encode(text, processor.NewWorkspace(), ids);

    private protected override string DecodeKnown(ReadOnlySpan<int> ids, bool skipSpecial)
    {
        var pieces = new List<string>(ids.Length);
        foreach (int id in ids)
        {
            pieces.Add(Vocabulary[id]!);
        }

        return processor.Decode(pieces);
    }
}
