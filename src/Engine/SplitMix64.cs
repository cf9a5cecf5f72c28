namespace NativeEngine;

/// <summary>A random generator whose sequence is fixed for ever, unlike that of System.Random (Steele, Lea, Flood 2014).</summary>
internal struct SplitMix64(long seed)
{
    private ulong state = (ulong)seed;

    public ulong Next()
    {
        state += 0x9E3779B97F4A7C15;
        ulong z = state;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }

    /// <summary>Uniform from 0 up to but not including 1, in steps of 2^-53.</summary>
    public double NextUnit() => (Next() >> 11) * (1.0 / (1UL << 53));

    /// <summary>Uniform from 0 up to but not including <paramref name="bound"/>, without bias.</summary>
    public long Below(long bound)
    {
        ulong range = (ulong)bound;
        ulong limit = ulong.MaxValue - (ulong.MaxValue % range); // a whole number of ranges
        ulong value;
        do
        {
            value = Next();
        }
        while (value >= limit);
        return (long)(value % range);
    }
}
