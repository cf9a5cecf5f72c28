using NativeEngine.Kernels;
using NativeEngine.Kernels.Cuda;

namespace NativeEngine.Cli.Doctor;

/// <summary>Whether a device computes: that it opens tells nothing about the libraries and the kernels, which are first loaded when they are needed.</summary>
internal static class CudaTrial
{
    private static readonly (string Name, Func<IBackend, bool> Works)[] Steps =
    [
        ("a kernel", Adds),
        ("a product in F32", backend => Multiplies<float>(backend, [2, 1, 1, 2], [5, 4, 4, 5])),
        ("a product in F64", backend => Multiplies<double>(backend, [2, 1, 1, 2], [5, 4, 4, 5])),
        ("an eigendecomposition", FindsEigenvalues),
    ];

    /// <summary>Opens device <paramref name="ordinal"/> and has each library do a little; what failed, null where nothing did.</summary>
    public static string? Run(int ordinal)
    {
        string step = "opening it";
        try
        {
            using CudaBackend backend = new(ordinal);
            foreach ((string name, Func<IBackend, bool> works) in Steps)
            {
                step = name;
                if (!works(backend))
                {
                    return $"{step} gives wrong values";
                }
            }

            return null;
        }
        catch (EngineException e)
        {
            return $"{step} failed: {e.Message}";
        }
    }

    private static bool Adds(IBackend backend)
    {
        using Tensor y = backend.Upload<float>(new Shape(2), [1, 2]), x = backend.Upload<float>(new Shape(2), [3, 4]);
        backend.Add(y, x);
        return backend.Download<float>(y) is [4, 6];
    }

    private static bool Multiplies<T>(IBackend backend, ReadOnlySpan<T> factor, ReadOnlySpan<T> square) where T : unmanaged, IEquatable<T>
    {
        Shape shape = new(2, 2);
        using Tensor a = backend.Upload(shape, factor), c = backend.Alloc(a.DType, shape);
        backend.Gemm(c, a, a);
        return backend.Download<T>(c).AsSpan().SequenceEqual(square);
    }

    private static bool FindsEigenvalues(IBackend backend)
    {
        using Tensor a = backend.Upload<double>(new Shape(2, 2), [2, 1, 1, 2]), values = backend.Alloc(DType.F64, new Shape(2));
        backend.SymEig(values, a, a);
        return backend.Download<double>(values) is [> 0.999 and < 1.001, > 2.999 and < 3.001];
    }
}
