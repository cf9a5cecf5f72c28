using NativeEngine.Kernels.Cpu;

namespace NativeEngine.Kernels.Tests;

/// <summary>Wrong shapes and types throw ArgumentException; the message names the op and what was found.</summary>
public sealed class OpArgumentTests
{
    private static readonly Dictionary<string, (Op Op, Action<CpuBackend, Func<DType, Shape, Tensor>> Call)> Wrong = new()
    {
        ["Copy: rows"] = (Op.Copy, (b, t) => b.Copy(t(DType.F32, new(3, 5)), t(DType.F32, new(4, 5)))),
        ["Copy: float to integer"] = (Op.Copy, (b, t) => b.Copy(t(DType.I32, new(3, 5)), t(DType.F32, new(3, 5)))),
        ["Transpose: same orientation"] = (Op.Transpose, (b, t) => b.Transpose(t(DType.F32, new(3, 5)), t(DType.F32, new(3, 5)))),
        ["AllFinite: integers"] = (Op.AllFinite, (b, t) => b.AllFinite(t(DType.I32, new(3, 5)))),
        ["Gemm: length of the bias"] = (Op.Gemm, (b, t) =>
            b.Gemm(t(DType.F32, new(3, 5)), t(DType.F32, new(3, 4)), t(DType.F32, new(4, 5)), bias: t(DType.F32, new(4)))),
        ["Gemm: type of the bias"] = (Op.Gemm, (b, t) =>
            b.Gemm(t(DType.F32, new(3, 5)), t(DType.F32, new(3, 4)), t(DType.F32, new(4, 5)), bias: t(DType.F64, new(5)))),
        ["AddBias: length"] = (Op.AddBias, (b, t) => b.AddBias(t(DType.F32, new(3, 5)), t(DType.F32, new(4)))),
        ["Add: mixed types"] = (Op.Add, (b, t) => b.Add(t(DType.F32, new(3, 5)), t(DType.F64, new(3, 5)))),
        ["Add: half precision"] = (Op.Add, (b, t) => b.Add(t(DType.BF16, new(3, 5)), t(DType.BF16, new(3, 5)))),
        ["ZeroMasked: integers"] = (Op.ZeroMasked, (b, t) => b.ZeroMasked(t(DType.I32, new(3, 5)), Filled(t, 3, 0))),
        ["ZeroMasked: mask"] = (Op.ZeroMasked, (b, t) => b.ZeroMasked(t(DType.F32, new(3, 5)), Filled(t, 5, 0))),
        ["RmsNorm: gain"] = (Op.RmsNorm, (b, t) => b.RmsNorm(t(DType.F32, new(3, 5)), t(DType.F32, new(3, 5)), t(DType.F32, new(6)), 1e-5, 5)),
        ["RmsNorm: width"] = (Op.RmsNorm, (b, t) => b.RmsNorm(t(DType.F32, new(3, 5)), t(DType.F32, new(3, 5)), null, 1e-5, 0)),
        ["LayerNorm: bias"] = (Op.LayerNorm, (b, t) => b.LayerNorm(t(DType.F32, new(3, 5)), t(DType.F32, new(3, 5)), null, t(DType.F64, new(5)), 1e-5)),
        ["Embed: ids"] = (Op.Embed, (b, t) => b.Embed(t(DType.F32, new(3, 5)), t(DType.F32, new(9, 5)), t(DType.I64, new(3)))),
        ["Embed: BF16 into F64"] = (Op.Embed, (b, t) => b.Embed(t(DType.F64, new(3, 5)), t(DType.BF16, new(9, 5)), Filled(t, 3, 0))),
        ["AllFinite: F16"] = (Op.AllFinite, (b, t) => b.AllFinite(t(DType.F16, new(3, 5)))),
        ["Embed: id outside"] = (Op.Embed, (b, t) => b.Embed(t(DType.F32, new(3, 5)), t(DType.F32, new(9, 5)), Filled(t, 3, 9))),
        ["Embed: id negative"] = (Op.Embed, (b, t) => b.Embed(t(DType.F32, new(3, 5)), t(DType.F32, new(9, 5)), Filled(t, 3, -1))),
        ["Rope: heads"] = (Op.Rope, (b, t) => b.Rope(t(DType.F32, new(3, 20)), t(DType.F32, new(9, 4)), t(DType.F32, new(9, 4)), Filled(t, 3, 0), 8)),
        ["Rope: angles"] = (Op.Rope, (b, t) => b.Rope(t(DType.F32, new(3, 16)), t(DType.F32, new(9, 5)), t(DType.F32, new(9, 5)), Filled(t, 3, 0), 8)),
        ["Rope: position outside"] = (Op.Rope, (b, t) => b.Rope(t(DType.F32, new(3, 16)), t(DType.F32, new(9, 4)), t(DType.F32, new(9, 4)), Filled(t, 3, 9), 8)),
        ["Attention: heads"] = (Op.Attention, (b, t) => Attend(b, t, new(3, 2, 8, 6, 1), null)),
        ["Attention: no heads"] = (Op.Attention, (b, t) => Attend(b, t, new(0, 0, 8, 6, 1), null)),
        ["Attention: more queries than keys"] = (Op.Attention, (b, t) => Attend(b, t, new(4, 2, 8, 4, 1), null)),
        ["Attention: more keys than the cache"] = (Op.Attention, (b, t) => Attend(b, t, new(4, 2, 8, 11, 1), null)),
        ["Attention: mask"] = (Op.Attention, (b, t) => Attend(b, t, new(4, 2, 8, 6, 1), t(DType.I32, new(2, 5)))),
        ["Attention: first"] = (Op.Attention, (b, t) => Attend(b, t, new(4, 2, 8, 6, 1), null, first: t(DType.I32, new(2, 6)))),
        ["Attention: logSumExp"] = (Op.Attention, (b, t) => Attend(b, t, new(4, 2, 8, 6, 1), null, logSumExp: t(DType.F32, new(2, 5, 4)))),
        ["AttentionBackward: cache"] = (Op.AttentionBackward, (b, t) => AttendBackward(b, t, 6, new(4, 2, 8, 5, 1))),
        ["AttentionBackward: logSumExp"] = (Op.AttentionBackward, (b, t) => AttendBackward(b, t, 5, new(2, 1, 16, 5, 1))),
        ["Activate: columns"] = (Op.Activate, (b, t) => b.Activate(t(DType.F32, new(3, 5)), t(DType.F32, new(3, 6)), Activation.Silu)),
        ["ActivateGated: types"] = (Op.ActivateGated, (b, t) =>
            b.ActivateGated(t(DType.F32, new(3, 5)), t(DType.F32, new(3, 5)), t(DType.F64, new(3, 5)), Activation.Silu)),
        ["Softmax: rows"] = (Op.Softmax, (b, t) => b.Softmax(t(DType.F32, new(3, 5)), t(DType.F32, new(2, 5)))),
        ["TokenLogProb: result type"] = (Op.TokenLogProb, (b, t) => b.TokenLogProb(t(DType.F32, new(3)), t(DType.F32, new(3, 5)), Filled(t, 3, 0))),
        ["AddColumnSums: length"] = (Op.AddColumnSums, (b, t) => b.AddColumnSums(t(DType.F32, new(4)), t(DType.F32, new(3, 5)))),
        ["Uniform: integers"] = (Op.Uniform, (b, t) => b.Uniform(t(DType.I32, new(3, 5)), 1, 0)),
        ["Dropout: rate"] = (Op.Dropout, (b, t) => b.Dropout(t(DType.F32, new(3, 5)), t(DType.F32, new(3, 5)), 1, 0)),
        ["RmsNormBackward: rows"] = (Op.RmsNormBackward, (b, t) =>
            b.RmsNormBackward(t(DType.F32, new(3, 5)), null, t(DType.F32, new(2, 5)), t(DType.F32, new(3, 5)), null, 1e-5, 5)),
        ["RmsNormBackward: width"] = (Op.RmsNormBackward, (b, t) =>
            b.RmsNormBackward(t(DType.F32, new(3, 5)), null, t(DType.F32, new(3, 5)), t(DType.F32, new(3, 5)), null, 1e-5, 0)),
        ["LayerNormBackward: bias"] = (Op.LayerNormBackward, (b, t) =>
            b.LayerNormBackward(t(DType.F32, new(3, 5)), null, t(DType.F32, new(6)), t(DType.F32, new(3, 5)), t(DType.F32, new(3, 5)), null, 1e-5)),
        ["EmbedBackward: id outside"] = (Op.EmbedBackward, (b, t) => b.EmbedBackward(t(DType.F32, new(9, 5)), t(DType.F32, new(3, 5)), Filled(t, 3, 9))),
        ["EmbedBackward: stored table"] = (Op.EmbedBackward, (b, t) => b.EmbedBackward(t(DType.BF16, new(9, 5)), t(DType.F32, new(3, 5)), Filled(t, 3, 0))),
        ["ActivateBackward: types"] = (Op.ActivateBackward, (b, t) =>
            b.ActivateBackward(t(DType.F32, new(3, 5)), t(DType.F64, new(3, 5)), t(DType.F32, new(3, 5)), Activation.Silu)),
        ["ActivateGatedBackward: columns"] = (Op.ActivateGatedBackward, (b, t) => b.ActivateGatedBackward(
            t(DType.F32, new(3, 5)), t(DType.F32, new(3, 5)), t(DType.F32, new(3, 5)), t(DType.F32, new(3, 5)), t(DType.F32, new(3, 6)), Activation.Silu)),
        ["CrossEntropy: loss type"] = (Op.CrossEntropy, (b, t) => b.CrossEntropy(t(DType.F32, new(3)), t(DType.F32, new(3, 5)), Filled(t, 3, 0), 1)),
        ["CrossEntropy: target outside"] = (Op.CrossEntropy, (b, t) => b.CrossEntropy(t(DType.F64, new(3)), t(DType.F32, new(3, 5)), Filled(t, 3, 5), 1)),
        ["AddSaliency: one per column"] = (Op.AddSaliency, (b, t) =>
            b.AddSaliency(t(DType.F64, new(3)), t(DType.F32, new(3, 5)), null, null, Saliency.Magnitude, columns: true)),
        ["AddSaliency: no gradient"] = (Op.AddSaliency, (b, t) =>
            b.AddSaliency(t(DType.F64, new(3)), t(DType.F32, new(3, 5)), null, null, Saliency.FirstOrder, columns: false)),
        ["AddSaliency: no squared gradient"] = (Op.AddSaliency, (b, t) =>
            b.AddSaliency(t(DType.F64, new(3)), t(DType.F32, new(3, 5)), t(DType.F32, new(3, 5)), null, Saliency.Mixed, columns: false)),
        ["AddSaliency: gradient type"] = (Op.AddSaliency, (b, t) =>
            b.AddSaliency(t(DType.F64, new(3)), t(DType.BF16, new(3, 5)), t(DType.F64, new(3, 5)), null, Saliency.Signed, columns: false)),
        ["AddSquares: rows"] = (Op.AddSquares, (b, t) => b.AddSquares(t(DType.F32, new(3, 5)), t(DType.F32, new(2, 5)), 1)),
        ["KeepRows: twice the same"] = (Op.KeepRows, (b, t) => b.KeepRows(t(DType.F32, new(3, 5)), Filled(t, 2, 1))),
        ["KeepColumns: outside"] = (Op.KeepColumns, (b, t) => b.KeepColumns(t(DType.F32, new(3, 5)), Filled(t, 1, 5))),
        ["KeepColumns: index type"] = (Op.KeepColumns, (b, t) => b.KeepColumns(t(DType.F32, new(3, 5)), t(DType.I64, new(2)))),
        ["SumOfSquares: integers"] = (Op.SumOfSquares, (b, t) => b.SumOfSquares(t(DType.I32, new(3, 5)))),
        ["AdamW: step 0"] = (Op.AdamW, (b, t) => b.AdamW(
            t(DType.F32, new(3, 5)), t(DType.F32, new(3, 5)), t(DType.F32, new(3, 5)), t(DType.F32, new(3, 5)), new(1, 0.9, 0.999, 1e-8, 0, 0, 1))),
        ["TokenLogProb: target outside"] = (Op.TokenLogProb, (b, t) => b.TokenLogProb(t(DType.F64, new(3)), t(DType.F32, new(3, 5)), Filled(t, 3, 5))),
    };

    public static IEnumerable<object[]> Names => Wrong.Keys.Select(name => new object[] { name });

    [Theory]
    [MemberData(nameof(Names))]
    public void Wrong_arguments_throw_and_name_the_op(string name)
    {
        using var backend = new CpuBackend(1);
        var owners = new List<Tensor>();
        Tensor Make(DType dtype, Shape shape)
        {
            owners.Add(backend.Alloc(dtype, shape));
            return owners[^1];
        }

        (Op op, Action<CpuBackend, Func<DType, Shape, Tensor>> call) = Wrong[name];
        ArgumentException error = Assert.ThrowsAny<ArgumentException>(() => call(backend, Make));
        Assert.StartsWith($"{op}: ", error.Message, StringComparison.Ordinal);
        Assert.Contains('(', error.Message);
        owners.ForEach(owner => owner.Dispose());
    }

    [Fact]
    public void The_message_shows_every_tensor()
    {
        using var backend = new CpuBackend(1);
        using Tensor y = backend.Alloc(DType.F32, new Shape(3, 5)), x = backend.Alloc(DType.F32, new Shape(3, 9));
        ArgumentException error = Assert.Throws<ArgumentException>(() => backend.Add(y, x.ColumnRange(0, 6)));
        Assert.Equal("Add: all tensors must have the same rows and columns; found F32(3, 5), F32(3, 6) with row stride 9", error.Message);
    }

    private static Tensor Filled(Func<DType, Shape, Tensor> make, long n, int value)
    {
        Tensor tensor = make(DType.I32, new(n));
        tensor.AsSpan<int>().Fill(value);
        return tensor;
    }

    /// <summary>Two sequences of five queries, four heads of eight, a cache for ten keys of two heads.</summary>
    private static void Attend(CpuBackend backend, Func<DType, Shape, Tensor> make, AttentionDims dims, Tensor? mask, Tensor? first = null, Tensor? logSumExp = null)
    {
        Tensor queries = make(DType.F32, new(2, 5, 32)), keys = make(DType.F32, new(2, 10, 16));
        backend.Attention(queries, logSumExp, queries, keys, keys, mask, first, dims);
    }

    /// <summary>Two sequences of five queries, four heads of eight, <paramref name="capacity"/> keys of two heads.</summary>
    private static void AttendBackward(CpuBackend backend, Func<DType, Shape, Tensor> make, int capacity, AttentionDims dims)
    {
        Tensor queries = make(DType.F32, new(2, 5, 32)), keys = make(DType.F32, new(2, capacity, 16)), logSumExp = make(DType.F32, new(2, 4, 5));
        backend.AttentionBackward(queries, keys, keys, queries, queries, logSumExp, queries, keys, keys, null, null, dims);
    }
}
