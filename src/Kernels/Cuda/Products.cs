using System.Numerics;
using NativeEngine.Kernels.Interop;

namespace NativeEngine.Kernels.Cuda;

/// <summary>
/// Products by cuBLASLt, column-major. The descriptors of a shape and its algorithm are made once: asking again costs more than a small product.
/// What cuBLASLt has no algorithm for goes to cuBLAS.
/// </summary>
internal sealed class Products : IDisposable
{
    /// <summary>Bytes that the address of a bias is a multiple of: an algorithm may load so many at once, and no preference tells it otherwise.</summary>
    public const int BiasAlignment = 16;

    private const long WorkspaceBytes = 32 << 20; // what cuBLAS recommends for Hopper; older devices use less of it
    private const int LargestAlignment = 8; // as a power of two

    private readonly CudaStream stream;
    private readonly Owned owned = new();
    private readonly DeviceMemory workspace;
    private readonly CuBlasLtHandle lt;
    private readonly CuBlasHandle blas;
    private readonly AlgorithmTimer? timer;
    private readonly Dictionary<Product, Plan> plans = [];

    /// <summary>Runs on <paramref name="stream"/>.</summary>
    public Products(CudaContext context, CudaStream stream, DevicePool pool)
    {
        this.stream = stream;
        try
        {
            workspace = owned.Add(new DeviceMemory(context, WorkspaceBytes));
            lt = owned.Add(new CuBlasLtHandle(context));
            blas = owned.Add(new CuBlasHandle(stream, workspace));
            timer = Environment.GetEnvironmentVariable(AlgorithmTimer.Variable) == "1" ? owned.Add(new AlgorithmTimer(context, stream, pool)) : null;
        }
        catch
        {
            owned.Dispose();
            throw;
        }
    }

    /// <summary>c = alpha op(a) op(b) + beta c + bias in every column, for every matrix of a batch; op transposes where asked. A bias needs
    /// <see cref="BiasAlignment"/>; the caller adds it where the result is false. (m,n) (m,k) (k,n) (m)</summary>
    public bool Gemm(
        DeviceMatrix c, DeviceMatrix a, DeviceMatrix b, bool transposeA, bool transposeB, long m, long n, long k, double alpha, double beta, int batch, nint bias)
    {
        // Addresses are not part of a shape, but how they are aligned is.
        var product = new Product(At(c), At(a), At(b), transposeA, transposeB, m, n, k, batch, bias != 0);
        if (!plans.TryGetValue(product, out Plan? plan))
        {
            bool isTimed = timer is not null && AlgorithmTimer.IsWorth(2.0 * batch * m * n * k);
            plan = plans[product] = owned.Add(new Plan(lt, product, bias, isTimed ? AlgorithmTimer.Candidates : 1));
            if (plan.Algorithms.Count > 1)
            {
                plan.Algorithms = [timer!.Fastest(plan.Algorithms, checked(batch * n * c.Stride * c.DType.Size()), Run)];
            }
        }

        if (plan.Algorithms is not [MatmulAlgorithm algorithm, ..])
        {
            blas.Gemm(c, a, b, transposeA, transposeB, m, n, k, alpha, beta, batch);
            return false;
        }

        if (bias != 0)
        {
            plan.Description.AddBias(bias, c.DType);
        }

        Run(algorithm, c.Address);
        return true;

        void Run(MatmulAlgorithm algorithm, nint result) => lt.Matmul(
            stream, plan.Description, new(result, plan.C), new(a.Address, plan.A), new(b.Address, plan.B), new(c.Address, plan.C), alpha, beta, algorithm, workspace);

        static DeviceMatrix At(DeviceMatrix matrix) => matrix with { Address = Alignment(matrix.Address) };
    }

    /// <inheritdoc/>
    public void Dispose() => owned.Dispose();

    /// <summary>The largest power of two up to 256 that divides an address.</summary>
    private static nint Alignment(nint address) => (nint)1 << Math.Min(LargestAlignment, BitOperations.TrailingZeroCount(address));

    /// <summary>What an algorithm is chosen by; the matrices have their alignments as addresses.</summary>
    private readonly record struct Product(
        DeviceMatrix C, DeviceMatrix A, DeviceMatrix B, bool TransposeA, bool TransposeB, long M, long N, long K, int Batch, bool IsBiased);

    private sealed class Plan : IDisposable
    {
        private readonly Owned owned = new();

        /// <summary>For <paramref name="p"/>, with a bias at <paramref name="bias"/> now and elsewhere later; up to <paramref name="most"/> algorithms.</summary>
        public Plan(CuBlasLtHandle lt, Product p, nint bias, int most)
        {
            try
            {
                Description = owned.Add(new MatmulDescriptor(lt, p.C.DType, p.TransposeA, p.TransposeB));
                if (bias != 0)
                {
                    Description.AddBias(bias, p.C.DType);
                }

                C = owned.Add(new MatrixLayout(lt, p.C, p.M, p.N, p.Batch));
                A = owned.Add(new MatrixLayout(lt, p.A, p.TransposeA ? p.K : p.M, p.TransposeA ? p.M : p.K, p.Batch));
                B = owned.Add(new MatrixLayout(lt, p.B, p.TransposeB ? p.N : p.K, p.TransposeB ? p.K : p.N, p.Batch));
                using var preference = new MatmulPreference(lt, WorkspaceBytes, (uint)p.A.Address, (uint)p.B.Address, (uint)p.C.Address, (uint)p.C.Address);
                Algorithms = lt.Choices(Description, A, B, C, C, preference, most);
            }
            catch
            {
                owned.Dispose();
                throw;
            }
        }

        public MatmulDescriptor Description { get; }

        public MatrixLayout C { get; }

        public MatrixLayout A { get; }

        public MatrixLayout B { get; }

        /// <summary>The first is the one to use; none where cuBLASLt has none.</summary>
        public IReadOnlyList<MatmulAlgorithm> Algorithms { get; set; }

        public void Dispose() => owned.Dispose();
    }
}
