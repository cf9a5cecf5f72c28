using System.Runtime.InteropServices;
using System.Text;

namespace NativeEngine.Text;

/// <summary>
/// Gives out text as ids arrive, and nothing that a later id could still change: up to the last space, to the end of a line, or to an
/// ideograph. The pieces are those of TextStreamer in transformers.
/// </summary>
internal sealed class StreamingDecoder(Tokenizer tokenizer, bool skipSpecial)
{
    private const int MaxPending = 128;
    private const int Kept = 16;
    private readonly List<int> pending = [];
    private int printed; // characters of the pending text that have been given out

    /// <summary>Takes the next id and returns the text that has become certain, which may be empty.</summary>
    public string Push(int id)
    {
        pending.Add(id);
        string text = tokenizer.Decode(CollectionsMarshal.AsSpan(pending), skipSpecial);
        if (text.EndsWith('\n'))
        {
            return Flush(text);
        }

        int end = EndsWithIdeograph(text) ? text.Length : text.LastIndexOf(' ') + 1;
        string ready = end > printed ? text[printed..end] : "";
        printed += ready.Length;
        DropPrinted(text);
        return ready;
    }

    /// <summary>The rest of the text; the decoder then starts over.</summary>
    public string Finish() => Flush(tokenizer.Decode(CollectionsMarshal.AsSpan(pending), skipSpecial));

    private string Flush(string text)
    {
        string rest = text[int.Min(printed, text.Length)..];
        pending.Clear();
        printed = 0;
        return rest;
    }

    /// <summary>Forgets ids whose text is out, so that a long line does not take quadratic time.</summary>
    private void DropPrinted(string text)
    {
        int drop = pending.Count - Kept;
        if (pending.Count < MaxPending)
        {
            return;
        }

        string tail = tokenizer.Decode(CollectionsMarshal.AsSpan(pending)[drop..], skipSpecial);
        int head = text.Length - tail.Length;
        if (head <= printed && text.EndsWith(tail, StringComparison.Ordinal))
        {
            pending.RemoveRange(0, drop);
            printed -= head;
        }
    }

    private static bool EndsWithIdeograph(string text)
    {
        Rune.DecodeLastFromUtf16(text, out Rune last, out _);
        return last.Value is (>= 0x4E00 and <= 0x9FFF) or (>= 0x3400 and <= 0x4DBF) or (>= 0x20000 and <= 0x2A6DF) or (>= 0x2A700 and <= 0x2CEAF)
            or (>= 0xF900 and <= 0xFAFF) or (>= 0x2F800 and <= 0x2FA1F);
    }
}
