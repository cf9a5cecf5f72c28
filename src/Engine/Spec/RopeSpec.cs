namespace NativeEngine.Spec;

/// <summary>How rotary frequencies are stretched beyond the trained length.</summary>
internal enum RopeScaling
{
    /// <summary>Not at all.</summary>
    None,

    /// <summary>All frequencies divided by the factor.</summary>
    Linear,

    /// <summary>NTK-aware: the base grows with the input once it is longer than the trained length.</summary>
    Dynamic,

    /// <summary>Llama 3: low frequencies divided by the factor, high ones kept, smoothly between.</summary>
    Llama3,
}

/// <summary>Rotary positions. Angles of dimension pair i at position p are p * frequency[i].</summary>
internal sealed record RopeSpec
{
    /// <summary>Dimensions of a head that rotate; even, at most the head's width.</summary>
    public required int RotaryDim { get; init; }

    /// <summary>Base of the frequencies.</summary>
    public required double Theta { get; init; }

    /// <summary>Stretching beyond the trained length.</summary>
    public RopeScaling Scaling { get; init; }

    /// <summary>Factor of the stretching.</summary>
    public double Factor { get; init; } = 1;

    /// <summary>Trained length: max_position_embeddings (dynamic) or original_max_position_embeddings (llama3).</summary>
    public int OriginalMaxPositions { get; init; }

    /// <summary>llama3: wavelengths above OriginalMaxPositions / this are divided by the factor.</summary>
    public double LowFreqFactor { get; init; } = 1;

    /// <summary>llama3: wavelengths below OriginalMaxPositions / this are kept.</summary>
    public double HighFreqFactor { get; init; } = 4;

    /// <summary>The <see cref="RotaryDim"/> / 2 frequencies for an input of <paramref name="length"/> tokens (transformers modeling_rope_utils.py).</summary>
    public double[] Frequencies(int length)
    {
        double theta = Theta;
        if (Scaling == RopeScaling.Dynamic && length > OriginalMaxPositions)
        {
            double stretch = Factor * length / OriginalMaxPositions - (Factor - 1);
            theta *= Math.Pow(stretch, RotaryDim / (RotaryDim - 2.0));
        }

        var frequency = new double[RotaryDim / 2];
        for (int i = 0; i < frequency.Length; i++)
        {
            double f = Math.Pow(theta, -2.0 * i / RotaryDim);
            frequency[i] = Scaling switch
            {
                RopeScaling.Linear => f / Factor,
                RopeScaling.Llama3 => Llama3(f),
                _ => f,
            };
        }

        return frequency;
    }

    private double Llama3(double f)
    {
        double turns = OriginalMaxPositions * f / (2 * Math.PI);
        double keep = Math.Clamp((turns - LowFreqFactor) / (HighFreqFactor - LowFreqFactor), 0, 1);
        return keep * f + (1 - keep) * f / Factor;
    }
}
