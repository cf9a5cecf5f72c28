namespace NativeEngine.Slice;

/// <summary>
/// numpy.random.RandomState: MT19937 (Matsumoto and Nishimura 1998) and its 53-bit uniform doubles, so that a random orientation
/// with a seed is the reference's after numpy.random.seed(seed).
/// </summary>
internal sealed class NumpyRandom
{
    private const int N = 624, M = 397;
    private readonly uint[] state = new uint[N];
    private int index = N;

    public NumpyRandom(uint seed)
    {
        for (uint i = 0; i < N; i++)
        {
            state[i] = seed;
            seed = 1812433253u * (seed ^ (seed >> 30)) + i + 1;
        }
    }

    /// <summary>Uniform on [0, 1).</summary>
    public double NextDouble() => ((NextUInt() >> 5) * 67108864.0 + (NextUInt() >> 6)) / 9007199254740992.0;

    private uint NextUInt()
    {
        if (index == N)
        {
            for (int i = 0; i < N; i++)
            {
                uint y = (state[i] & 0x80000000u) | (state[(i + 1) % N] & 0x7fffffffu);
                state[i] = state[(i + M) % N] ^ (y >> 1) ^ ((y & 1) * 0x9908b0dfu);
            }

            index = 0;
        }

        uint v = state[index++];
        v ^= v >> 11;
        v ^= (v << 7) & 0x9d2c5680u;
        v ^= (v << 15) & 0xefc60000u;
        return v ^ (v >> 18);
    }
}
