using System.Buffers;
using System.Text;

namespace NativeEngine.Text;

/// <summary>Encodes and decodes as the library sentencepiece does: no special token is recognised inside text.</summary>
internal sealed class SentencePieceProcessor
{
    private readonly SentencePieceModel model;
    private readonly bool addDummyPrefix;
    private readonly SentencePieceNormalizer normalizer;
    private readonly SentencePieceEncoding encoding;

    /// <param name="model">the pieces</param>
    /// <param name="addDummyPrefix">put a space in front of the text, whatever the model says</param>
    public SentencePieceProcessor(SentencePieceModel model, bool addDummyPrefix)
    {
        this.model = model;
        this.addDummyPrefix = addDummyPrefix;
        var userDefined = new Utf8Trie();
        for (int id = 0; id < model.Pieces.Count; id++)
        {
            if (model.Pieces[id].Type == PieceType.UserDefined)
            {
                userDefined.TryAdd(Encoding.UTF8.GetBytes(model.Pieces[id].Text), id);
            }
        }

        normalizer = new SentencePieceNormalizer(model, addDummyPrefix, userDefined);
        encoding = SentencePieceEncoding.Build(model, userDefined);
    }

    public Workspace NewWorkspace() => new(encoding.NewWorkspace());

    public void Encode(ReadOnlySpan<byte> text, Workspace workspace, List<int> ids)
    {
        normalizer.Normalize(text, workspace.Normalized);
        encoding.Encode(workspace.Normalized.WrittenSpan, workspace.Encoding, ids);
    }

    /// <summary>The text of a list of pieces.</summary>
    public string Decode(IEnumerable<string> pieces)
    {
        var text = new StringBuilder();
        var bytes = new ArrayBufferWriter<byte>();
        bool atStart = true; // the next piece may lose the space that was put in front
        bool lostSpace = false;
        foreach (string piece in pieces)
        {
            int? id = model.Vocabulary.Id(piece);
            if (id is int known && model.Pieces[known].Type == PieceType.Byte)
            {
                bytes.Write([ByteToken.Value(piece)!.Value]);
                continue;
            }

            Flush(bytes, text);
            atStart &= !lostSpace && text.Length == 0;
            lostSpace = false;
            if (id is int control && model.IsControl(control))
            {
                continue;
            }

            if (id == model.UnknownId)
            {
                text.Append(model.UnknownSurface);
                continue;
            }

            bool lose = atStart && id is not null && (addDummyPrefix || model.RemoveExtraWhitespaces) && piece.StartsWith('▁');
            lostSpace = lose && !model.RemoveExtraWhitespaces;
            text.Append(id is null ? piece : piece[(lose ? 1 : 0)..].Replace('▁', ' '));
        }

        Flush(bytes, text);
        return text.ToString();
    }

    /// <summary>Bytes that are not UTF-8 become one U+FFFD each.</summary>
    private static void Flush(ArrayBufferWriter<byte> bytes, StringBuilder text)
    {
        for (ReadOnlySpan<byte> rest = bytes.WrittenSpan; rest.Length > 0;)
        {
            bool valid = Rune.DecodeFromUtf8(rest, out Rune rune, out int length) == OperationStatus.Done;
            text.Append(valid ? rune.ToString() : "\uFFFD");
            rest = rest[(valid ? length : 1)..];
        }

        bytes.ResetWrittenCount();
    }

    /// <summary>Buffers that live from one text to the next; for one thread.</summary>
    internal sealed class Workspace(BytePairEncoding.Workspace encoding)
    {
        public BytePairEncoding.Workspace Encoding => encoding;

        public ArrayBufferWriter<byte> Normalized { get; } = new();
    }
}
