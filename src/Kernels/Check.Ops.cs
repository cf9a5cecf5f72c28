namespace NativeEngine.Kernels;

/// <summary>What each op demands of the types and shapes of its arguments, the same on every device.</summary>
internal static partial class Check
{
    /// <summary>Arguments of <see cref="IBackend.ZeroMasked"/>.</summary>
    public static void ZeroMasked(IBackend backend, Tensor y, Tensor mask)
    {
        SameFloats(backend, Op.ZeroMasked, y);
        OnePerRow(Op.ZeroMasked, y, mask);
    }

    /// <summary>Arguments of <see cref="IBackend.AddBias"/>.</summary>
    public static void AddBias(IBackend backend, Tensor y, Tensor b)
    {
        SameFloats(backend, Op.AddBias, y, b);
        OnePerColumn(Op.AddBias, y, b);
    }

    /// <summary>Arguments of <see cref="IBackend.Add"/>.</summary>
    public static void Add(IBackend backend, Tensor y, Tensor x)
    {
        SameFloats(backend, Op.Add, y, x);
        SameSize(Op.Add, y, x);
    }

    /// <summary>Arguments of <see cref="IBackend.AddColumnSums"/>.</summary>
    public static void AddColumnSums(IBackend backend, Tensor b, Tensor x)
    {
        SameFloats(backend, Op.AddColumnSums, x);
        Accumulators(Op.AddColumnSums, x, b);
        OnePerColumn(Op.AddColumnSums, x, b);
    }

    /// <summary>Arguments of <see cref="IBackend.Dropout"/>.</summary>
    public static void Dropout(IBackend backend, Tensor y, Tensor x, double rate)
    {
        SameFloats(backend, Op.Dropout, y, x);
        SameSize(Op.Dropout, y, x);
        That(rate is >= 0 and < 1, Op.Dropout, $"the rate must be in [0, 1), it is {rate}", y, x);
    }

    /// <summary>Arguments of <see cref="IBackend.RmsNorm"/>.</summary>
    public static void RmsNorm(IBackend backend, Tensor y, Tensor x, Tensor? gain, long width)
    {
        SameFloats(backend, Op.RmsNorm, y, x, gain);
        SameSize(Op.RmsNorm, y, x);
        OnePerColumn(Op.RmsNorm, x, gain);
        That(width > 0, Op.RmsNorm, "the width must be positive", x);
    }

    /// <summary>Arguments of <see cref="IBackend.LayerNorm"/>.</summary>
    public static void LayerNorm(IBackend backend, Tensor y, Tensor x, Tensor? gain, Tensor? bias)
    {
        SameFloats(backend, Op.LayerNorm, y, x, gain, bias);
        SameSize(Op.LayerNorm, y, x);
        OnePerColumn(Op.LayerNorm, x, gain);
        OnePerColumn(Op.LayerNorm, x, bias);
    }

    /// <summary>Arguments of <see cref="IBackend.RmsNormBackward"/>.</summary>
    public static void RmsNormBackward(IBackend backend, Tensor dx, Tensor? dgain, Tensor dy, Tensor x, Tensor? gain, long width)
    {
        SameFloats(backend, Op.RmsNormBackward, dx, dy, x, gain);
        Accumulators(Op.RmsNormBackward, x, dgain);
        SameSize(Op.RmsNormBackward, dx, dy, x);
        OnePerColumn(Op.RmsNormBackward, x, dgain);
        OnePerColumn(Op.RmsNormBackward, x, gain);
        That(width > 0, Op.RmsNormBackward, "the width must be positive", x);
    }

    /// <summary>Arguments of <see cref="IBackend.LayerNormBackward"/>.</summary>
    public static void LayerNormBackward(IBackend backend, Tensor dx, Tensor? dgain, Tensor? dbias, Tensor dy, Tensor x, Tensor? gain)
    {
        SameFloats(backend, Op.LayerNormBackward, dx, dy, x, gain);
        Accumulators(Op.LayerNormBackward, x, dgain, dbias);
        SameSize(Op.LayerNormBackward, dx, dy, x);
        OnePerColumn(Op.LayerNormBackward, x, dgain);
        OnePerColumn(Op.LayerNormBackward, x, dbias);
        OnePerColumn(Op.LayerNormBackward, x, gain);
    }

    /// <summary>Arguments of <see cref="IBackend.Activate"/>.</summary>
    public static void Activate(IBackend backend, Tensor y, Tensor x)
    {
        SameFloats(backend, Op.Activate, y, x);
        SameSize(Op.Activate, y, x);
    }

    /// <summary>Arguments of <see cref="IBackend.ActivateGated"/>.</summary>
    public static void ActivateGated(IBackend backend, Tensor y, Tensor gate, Tensor up)
    {
        SameFloats(backend, Op.ActivateGated, y, gate, up);
        SameSize(Op.ActivateGated, y, gate, up);
    }

    /// <summary>Arguments of <see cref="IBackend.ActivateBackward"/>.</summary>
    public static void ActivateBackward(IBackend backend, Tensor dx, Tensor dy, Tensor x)
    {
        SameFloats(backend, Op.ActivateBackward, dx, dy, x);
        SameSize(Op.ActivateBackward, dx, dy, x);
    }

    /// <summary>Arguments of <see cref="IBackend.ActivateGatedBackward"/>.</summary>
    public static void ActivateGatedBackward(IBackend backend, Tensor dgate, Tensor dup, Tensor dy, Tensor gate, Tensor up)
    {
        SameFloats(backend, Op.ActivateGatedBackward, dgate, dup, dy, gate, up);
        SameSize(Op.ActivateGatedBackward, dgate, dup, dy, gate, up);
    }

    /// <summary>Arguments of <see cref="IBackend.Softmax"/>.</summary>
    public static void Softmax(IBackend backend, Tensor y, Tensor x)
    {
        SameFloats(backend, Op.Softmax, y, x);
        SameSize(Op.Softmax, y, x);
    }

    /// <summary>Arguments of <see cref="IBackend.TokenLogProb"/>.</summary>
    public static void TokenLogProb(IBackend backend, Tensor y, Tensor logits, Tensor targets)
    {
        SameFloats(backend, Op.TokenLogProb, logits);
        OnePerRow(Op.TokenLogProb, logits, targets);
        OneDoublePerRow(Op.TokenLogProb, logits, y);
    }

    /// <summary>Arguments of <see cref="IBackend.CrossEntropy"/>.</summary>
    public static void CrossEntropy(IBackend backend, Tensor loss, Tensor logits, Tensor targets)
    {
        SameFloats(backend, Op.CrossEntropy, logits);
        OnePerRow(Op.CrossEntropy, logits, targets);
        OneDoublePerRow(Op.CrossEntropy, logits, loss);
    }

    /// <summary>Arguments of <see cref="IBackend.AddSaliency"/>.</summary>
    public static void AddSaliency(IBackend backend, Tensor scores, Tensor w, Tensor? g, Tensor? h, Saliency saliency, bool columns)
    {
        SameFloats(backend, Op.AddSaliency, w);
        Accumulators(Op.AddSaliency, w, g, h);
        SameSize(Op.AddSaliency, w, g ?? w, h ?? w);
        That(g is not null || saliency is Saliency.Magnitude or Saliency.Square or Saliency.SecondOrder, Op.AddSaliency, "this saliency needs g", w, g, h);
        That(h is not null || saliency is not (Saliency.SecondOrder or Saliency.Mixed), Op.AddSaliency, "this saliency needs h", w, g, h);
        if (columns)
        {
            OneDoublePerColumn(Op.AddSaliency, w, scores);
        }
        else
        {
            OneDoublePerRow(Op.AddSaliency, w, scores);
        }
    }

    /// <summary>Arguments of <see cref="IBackend.AddSquares"/>.</summary>
    public static void AddSquares(IBackend backend, Tensor y, Tensor x)
    {
        SameFloats(backend, Op.AddSquares, x);
        Accumulators(Op.AddSquares, x, y);
        SameSize(Op.AddSquares, y, x);
    }

    /// <summary>Arguments of <see cref="IBackend.SumOfSquares"/>.</summary>
    public static void SumOfSquares(IBackend backend, Tensor x) => SameFloats(backend, Op.SumOfSquares, x);

    /// <summary>Arguments of <see cref="IBackend.AdamW"/>.</summary>
    public static void AdamW(IBackend backend, Tensor w, Tensor g, Tensor m, Tensor v, AdamWStep step)
    {
        SameFloats(backend, Op.AdamW, w, g, m, v);
        SameSize(Op.AdamW, w, g, m, v);
        That(step.Step > 0, Op.AdamW, $"steps count from 1, this is {step.Step}", w, g, m, v);
    }
}
