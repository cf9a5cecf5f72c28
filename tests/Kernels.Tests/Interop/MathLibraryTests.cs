using NativeEngine.Kernels.Interop;

namespace NativeEngine.Kernels.Tests.Interop;

/// <summary>cuBLAS, cuBLASLt and cuSOLVER on small matrices, column by column, with results that are exact or known.</summary>
[Collection(GpuCollection.Name)]
public sealed class MathLibraryTests
{
    // A is 2 x 3, B is 3 x 2, both column by column.
    private static readonly double[] A = [1, 4, 2, 5, 3, 6];
    private static readonly double[] B = [1, 0, 2, 3, 1, 1];
    private static readonly double[] Symmetric = [2, 1, 0, 1, 2, 1, 0, 1, 2];

    [SkippableFact]
    public void Gemm_multiplies_in_fp64()
    {
        using Gpu gpu = new(libraries: true);
        using DeviceMemory workspace = new(gpu.Context, 4 << 20);
        using CuBlasHandle blas = new(gpu.Stream, workspace);
        nint c = gpu.Upload<double>(1, 1, 1, 1);
        blas.Gemm(new(c, DType.F64, 2), new(gpu.Upload(A), DType.F64, 2), new(gpu.Upload(B), DType.F64, 3), false, false, 2, 2, 3, alpha: 2, beta: 10);
        Assert.Equal([24, 42, 26, 56], gpu.Download<double>(c, 4));
    }

    [SkippableFact]
    public void Gemm_transposes_batches_and_takes_bf16()
    {
        using Gpu gpu = new(libraries: true);
        using DeviceMemory workspace = new(gpu.Context, 4 << 20);
        using CuBlasHandle blas = new(gpu.Stream, workspace);
        nint a = gpu.Upload(Bf16([.. A, .. B]));
        nint c = gpu.Alloc<float>(18);
        blas.Gemm(new(c, DType.F32, 3, 9), new(a, DType.BF16, 2, 6), new(a, DType.BF16, 2, 6), true, false, 3, 3, 2, alpha: 1, beta: 0, batch: 2);
        Assert.Equal([17, 22, 27, 22, 29, 36, 27, 36, 45, 1, 2, 1, 2, 13, 5, 1, 5, 2], gpu.Download<float>(c, 18));
    }

    [SkippableFact]
    public void Syrk_fills_the_lower_triangle()
    {
        using Gpu gpu = new(libraries: true);
        using DeviceMemory workspace = new(gpu.Context, 4 << 20);
        using CuBlasHandle blas = new(gpu.Stream, workspace);
        nint c = gpu.Upload<double>(1, 1, -7, 1);
        blas.Syrk(new(c, DType.F64, 2), new(gpu.Upload(A), DType.F64, 2), transpose: false, 2, 3, alpha: 1, beta: 1);
        Assert.Equal([15, 33, -7, 78], gpu.Download<double>(c, 4));
    }

    [SkippableFact]
    public void A_chosen_algorithm_multiplies_and_adds_the_bias()
    {
        using Gpu gpu = new(libraries: true);
        using DeviceMemory workspace = new(gpu.Context, 4 << 20);
        using CuBlasLtHandle lt = new(gpu.Context);
        const int N = 8;
        float[] x = [.. Enumerable.Range(0, N * N).Select(i => i % 5 - 2f)];
        float[] bias = [.. Enumerable.Range(0, N).Select(i => (float)i)];
        DeviceMatrix a = new(gpu.Upload(x), DType.F32, N), c = new(gpu.Alloc<float>(N * N), DType.F32, N);
        using MatmulDescriptor product = new(lt, DType.F32, transposeA: true, transposeB: false);
        product.AddBias(gpu.Upload(bias), DType.F32);
        using MatrixLayout layout = new(lt, a, N, N);
        using MatmulPreference preference = new(lt, workspace.Bytes, 16, 16, 16, 16);
        MatmulAlgorithm algorithm = Assert.Single(lt.Choices(product, layout, layout, layout, layout, preference, most: 1));
        Assert.InRange(algorithm.WorkspaceBytes, 0, workspace.Bytes);
        (MatmulOperand factor, MatmulOperand result) = (new(a.Address, layout), new(c.Address, layout));
        lt.Matmul(gpu.Stream, product, result, factor, factor, result, alpha: 1, beta: 0, algorithm, workspace);
        float[] expected = new float[N * N];
        for (int column = 0; column < N; column++)
        {
            for (int row = 0; row < N; row++)
            {
                expected[column * N + row] = bias[row] + Enumerable.Range(0, N).Sum(i => x[row * N + i] * x[column * N + i]);
            }
        }

        Assert.Equal(expected, gpu.Download<float>(c.Address, N * N));
    }

    [SkippableFact]
    public void Eigenvalues_ascend_and_vectors_are_columns()
    {
        using Gpu gpu = new(libraries: true);
        using CuSolverHandle solver = new(gpu.Stream);
        DeviceMatrix a = new(gpu.Upload(Symmetric), DType.F64, 3);
        nint values = gpu.Alloc<double>(3);
        Factorise(gpu, solver.SymEigWorkspace(a, values, 3), (device, host, workspace, info) => solver.SymEig(a, values, 3, device, host, workspace, info));
        double[] expected = [2 - Math.Sqrt(2), 2, 2 + Math.Sqrt(2)];
        Assert.All(gpu.Download<double>(values, 3).Zip(expected), pair => Assert.Equal(pair.Second, pair.First, 1e-14));
        double[] v = gpu.Download<double>(a.Address, 9);
        for (int j = 0; j < 3; j++)
        {
            for (int i = 0; i < 3; i++)
            {
                double product = Enumerable.Range(0, 3).Sum(k => Symmetric[i * 3 + k] * v[j * 3 + k]);
                Assert.Equal(expected[j] * v[j * 3 + i], product, 1e-14);
            }
        }
    }

    [SkippableFact]
    public void Cholesky_leaves_its_factor_solves_by_it_and_says_where_there_is_none()
    {
        using Gpu gpu = new(libraries: true);
        using CuSolverHandle solver = new(gpu.Stream);
        DeviceMatrix a = new(gpu.Upload<double>(4, 2, 2, 5), DType.F64, 2);
        Factorise(gpu, solver.CholeskyWorkspace(a, 2), (device, host, workspace, info) => solver.Cholesky(a, 2, device, host, workspace, info));
        double[] factor = gpu.Download<double>(a.Address, 4);
        Assert.Equal((2, 1, 2), (factor[0], factor[2], factor[3]));

        DeviceMatrix b = new(gpu.Upload<double>(8, 12, 4, 2), DType.F64, 2);
        nint info = gpu.Upload(-1);
        solver.CholeskySolve(a, b, 2, 2, info);
        Assert.Equal([1, 2, 1, 0], gpu.Download<double>(b.Address, 4));
        Assert.Equal(0, gpu.Download<int>(info, 1)[0]);

        DeviceMatrix indefinite = new(gpu.Upload<double>(1, 2, 2, 1), DType.F64, 2);
        Factorise(
            gpu, solver.CholeskyWorkspace(indefinite, 2), (device, host, workspace, info) => solver.Cholesky(indefinite, 2, device, host, workspace, info), expected: 2);
    }

    [SkippableFact]
    public void Qr_leaves_an_orthogonal_factor()
    {
        using Gpu gpu = new(libraries: true);
        using CuSolverHandle solver = new(gpu.Stream);
        DeviceMatrix a = new(gpu.Upload<double>(3, 4, 5, 0), DType.F64, 2);
        nint tau = gpu.Alloc<double>(2);
        Factorise(gpu, solver.QrWorkspace(a, tau, 2), (device, host, workspace, info) => solver.Qr(a, tau, 2, device, host, workspace, info));
        Assert.All(gpu.Download<double>(a.Address, 4).Zip([-0.6, -0.8, -0.8, 0.6]), pair => Assert.Equal(pair.Second, pair.First, 1e-15));
    }

    [SkippableFact]
    public void A_wrong_size_is_a_defect_with_its_shape()
    {
        using Gpu gpu = new(libraries: true);
        using DeviceMemory workspace = new(gpu.Context, 4 << 20);
        using CuBlasHandle blas = new(gpu.Stream, workspace);
        DeviceMatrix a = new(gpu.Upload(A), DType.F64, 1);
        CudaException error = Assert.Throws<CudaException>(() => blas.Gemm(a, a, a, false, false, 2, 2, 2, 1, 0));
        Assert.Equal(("NE1001", "cublasGemmStridedBatchedEx_64", "F64 2 x 2 x 2, batch 1, F64 x F64", "cuda:0"), (error.Code, error.Call, error.Facts, error.Device));
    }

    private static void Factorise(Gpu gpu, SolverWorkspace workspace, Action<nint, nint, SolverWorkspace, nint> call, int expected = 0)
    {
        using PinnedMemory host = new(gpu.Context, Math.Max(1, workspace.HostBytes));
        nint info = gpu.Upload(-1);
        call(gpu.Alloc<byte>(workspace.DeviceBytes), host.Handle, workspace, info);
        Assert.Equal(expected, gpu.Download<int>(info, 1)[0]);
    }

    private static ushort[] Bf16(double[] values) => [.. values.Select(value => (ushort)(BitConverter.SingleToUInt32Bits((float)value) >> 16))];
}
