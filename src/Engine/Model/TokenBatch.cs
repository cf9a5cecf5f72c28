using NativeEngine.Checkpoints;
using NativeEngine.Kernels;
using NativeEngine.Spec;

namespace NativeEngine.Model;

/// <summary>Sequences of equal length on the device: ids, their positions, and which of them are padding. N = Sequences * Length.</summary>
internal sealed class TokenBatch : IDisposable
{
    /// <summary>Puts <paramref name="ids"/> (row after row) on the device; their first position is <paramref name="start"/>.</summary>
    /// <param name="backend">device</param>
    /// <param name="spec">decides how positions treat padding</param>
    /// <param name="ids">Sequences * Length ids</param>
    /// <param name="length">tokens per sequence</param>
    /// <param name="mask">1 for tokens, 0 for padding; empty when there is none</param>
    /// <param name="start">tokens that precede each sequence (in a cache)</param>
    /// <param name="first">where the document of each token begins in its sequence, when several are packed into one; empty when none are</param>
    public TokenBatch(
        IBackend backend, ModelSpec spec, ReadOnlySpan<int> ids, int length, ReadOnlySpan<int> mask = default, int start = 0, ReadOnlySpan<int> first = default)
    {
        (Sequences, Length, Start) = (ids.Length / length, length, start);
        using Owned made = new();
        Ids = made.Add(backend.Upload(new Shape(ids.Length), ids));
        var positions = new int[ids.Length];
        bool fromMask = spec.Rope is null && !mask.IsEmpty;
        for (int i = 0, seen = 0; i < ids.Length; i++)
        {
            // Rotary models count the pads; learned positions (OPT) count the real tokens, and a pad sits just before the first.
            bool begins = first.IsEmpty ? i % length == 0 : i % length == first[i];
            seen = begins ? 0 : seen;
            seen += fromMask ? mask[i] : 1;
            positions[i] = spec.PositionOffset + start + (fromMask && mask[i] == 0 ? -1 : seen - 1);
        }

        Positions = made.Add(backend.Upload<int>(new Shape(ids.Length), positions));
        Mask = mask.IsEmpty ? null : made.Add(backend.Upload(new Shape(Sequences, length), mask));
        First = first.IsEmpty ? null : made.Add(backend.Upload(new Shape(Sequences, length), first));
        made.HandOver(this);
    }

    /// <summary>Puts <paramref name="windows"/> on the device, a sequence each.</summary>
    public static TokenBatch Of(IBackend backend, ModelSpec spec, TokenWindows windows) => new(backend, spec, windows.Ids, windows.Width, windows.Mask);

    /// <summary>B</summary>
    public int Sequences { get; }

    /// <summary>T</summary>
    public int Length { get; }

    /// <summary>Tokens in the cache before the first one of each sequence.</summary>
    public int Start { get; }

    /// <summary>I32 (N)</summary>
    public Tensor Ids { get; }

    /// <summary>I32 (N), the offset of learned positions included</summary>
    public Tensor Positions { get; }

    /// <summary>I32 (B, T), or null when no token is padding</summary>
    public Tensor? Mask { get; }

    /// <summary>I32 (B, T), the first key that each token sees, or null when it is the first of the sequence</summary>
    public Tensor? First { get; }

    /// <summary>Key of the dropout's draws; null outside training.</summary>
    public ulong? Dropout { get; init; }

    /// <summary>Rows in front of this batch that draw under the same key: the halves of a batch drop what the whole one would.</summary>
    public long DropoutRow { get; init; }

    /// <summary>The rows of <paramref name="t"/> by sequence. (N,D) to (B,T,D)</summary>
    public Tensor BySequence(Tensor t) => t.Reshape(new Shape(Sequences, Length, t.Columns));

    /// <inheritdoc/>
    public void Dispose()
    {
        Ids.Dispose();
        Positions.Dispose();
        Mask?.Dispose();
        First?.Dispose();
    }
}
