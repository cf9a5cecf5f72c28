using System.Buffers;

namespace NativeEngine.Text;

/// <summary>
/// Text on its way from one stage to the next: UTF-8 bytes and where they are cut. A stage either cuts the bytes anew
/// or writes new ones; both are double-buffered, so that no stage allocates.
/// </summary>
internal sealed class Pieces
{
    private ArrayBufferWriter<byte> text = new(), newText = new();
    private List<(int Start, int End)> cuts = [], newCuts = [];

    /// <summary>Whether the first piece begins where the whole input begins.</summary>
    public bool AtStart { get; private set; }

    /// <summary>Working space of the splitters.</summary>
    public List<(int Start, int End, bool IsMatch)> Matches { get; } = [];

    public int Count => cuts.Count;

    public ReadOnlySpan<byte> Text => text.WrittenSpan;

    public ReadOnlySpan<byte> this[int piece] => text.WrittenSpan[cuts[piece].Start..cuts[piece].End];

    /// <summary>Starts over with one piece.</summary>
    public void Reset(ReadOnlySpan<byte> segment, bool atStart)
    {
        AtStart = atStart;
        text.ResetWrittenCount();
        text.Write(segment);
        cuts.Clear();
        cuts.Add((0, segment.Length));
    }

    /// <summary>Cuts every piece. <paramref name="split"/> calls <see cref="Cut"/> with offsets inside the piece it is given.</summary>
    public void Split(Action<Pieces, int> split)
    {
        newCuts.Clear();
        for (int i = 0; i < cuts.Count; i++)
        {
            split(this, i);
        }

        (cuts, newCuts) = (newCuts, cuts);
    }

    /// <summary>Within <see cref="Split"/>: makes the bytes from start to end of a piece a new piece. Empty ones vanish.</summary>
    public void Cut(int piece, int start, int end)
    {
        if (start < end)
        {
            int origin = cuts[piece].Start;
            newCuts.Add((origin + start, origin + end));
        }
    }

    /// <summary>Writes every piece anew.</summary>
    public void Rewrite(Action<Pieces, int, ArrayBufferWriter<byte>> write)
    {
        newText.ResetWrittenCount();
        newCuts.Clear();
        for (int i = 0; i < cuts.Count; i++)
        {
            int start = newText.WrittenCount;
            write(this, i, newText);
            newCuts.Add((start, newText.WrittenCount));
        }

        (text, newText) = (newText, text);
        (cuts, newCuts) = (newCuts, cuts);
    }
}

/// <summary>A normalizer or pre-tokenizer: changes the text or its cuts.</summary>
internal abstract class TextStage
{
    public abstract void Apply(Pieces pieces);
}
