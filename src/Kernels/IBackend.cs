namespace NativeEngine.Kernels;

/// <summary>Non-linearities of the MLP.</summary>
public enum Activation
{
    /// <summary>max(x, 0)</summary>
    Relu,

    /// <summary>x sigmoid(x)</summary>
    Silu,

    /// <summary>x Phi(x), with erf</summary>
    Gelu,

    /// <summary>0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))</summary>
    GeluTanh,
}

/// <summary>Sizes of one attention call; the queries are the last of the keys' positions.</summary>
/// <param name="Heads">query heads, a multiple of <paramref name="KvHeads"/></param>
/// <param name="KvHeads">key and value heads; head h reads kv head h / (Heads / KvHeads)</param>
/// <param name="HeadDim">width of one head</param>
/// <param name="Keys">keys per sequence that are filled in (the cache may be longer)</param>
/// <param name="Scale">factor on q k^T</param>
public readonly record struct AttentionDims(int Heads, int KvHeads, int HeadDim, int Keys, double Scale);

/// <summary>
/// The op list. Destination first, then inputs, then scalars; shapes in the comments; row-major; N rows, D columns.
/// Destinations are assigned unless the op says that it adds. F32 and F64 unless said; all floats of one call share a type.
/// Results do not depend on the number of threads. Wrong shapes or types throw <see cref="ArgumentException"/> naming the op.
/// </summary>
public interface IBackend : IDisposable
{
    /// <summary>"cpu" or "cuda:0".</summary>
    string Name { get; }

    /// <summary>Whether <paramref name="op"/> runs on elements of <paramref name="dtype"/> here; BF16 of Gemm and Embed is the type of the weight.</summary>
    bool Supports(Op op, DType dtype);

    // == memory ==

    /// <summary>Memory for a tensor, not cleared; <see cref="Tensor.Dispose"/> gives it back to the pool.</summary>
    Tensor Alloc(DType dtype, Shape shape);

    /// <summary>Largest number of bytes that were allocated at once.</summary>
    long PeakBytes { get; }

    /// <summary>y = x, converting between any two float types (round to nearest even) or any two integer types. (N,D) (N,D)</summary>
    void Copy(Tensor y, Tensor x);

    /// <summary>y = 0, any type.</summary>
    void Zero(Tensor y);

    /// <summary>y = x^T. (D,N) (N,D)</summary>
    void Transpose(Tensor y, Tensor x);

    /// <summary>False when x holds a NaN or an infinity; F32, F64 or BF16.</summary>
    bool AllFinite(Tensor x);

    // == dense linear algebra ==

    /// <summary>c = alpha op(a) op(b) + beta c, op = transpose where asked; c is not read when beta is 0.
    /// b may be BF16 where a and c are F32: a stored weight, widened exactly, so the bits are those of an F32 b.
    /// (M,N) (M,K) (K,N), or the same with one batch extent in front of all three.</summary>
    void Gemm(Tensor c, Tensor a, Tensor b, bool transposeA = false, bool transposeB = false, double alpha = 1, double beta = 0);

    /// <summary>h += x^T x of an F32 x into an F64 h, which stays exactly symmetric; the CPU multiplies in F64. (D,D) (N,D)</summary>
    void Gram(Tensor h, Tensor x);

    /// <summary>Eigendecomposition of a symmetric matrix, F64: a = vectors^T diag(values) vectors. Values ascend; ROW i of vectors
    /// is eigenvector i. Only the lower triangle of a is read; a is destroyed and may be the same tensor as vectors. (D) (D,D) (D,D)</summary>
    void SymEig(Tensor values, Tensor vectors, Tensor a);

    /// <summary>Householder QR of a square matrix with LAPACK's signs, F64; a is destroyed. (D,D) (D,D)</summary>
    void Qr(Tensor q, Tensor a);

    // == pointwise ==

    /// <summary>y += b in every row. (N,D) (D)</summary>
    void AddBias(Tensor y, Tensor b);

    /// <summary>y += x. (N,D) (N,D)</summary>
    void Add(Tensor y, Tensor x);

    /// <summary>Rows of y whose mask is 0 become 0. (N,D) I32(N)</summary>
    void ZeroMasked(Tensor y, Tensor mask);

    // == norms ==

    /// <summary>y = x / sqrt(sum(x^2) / width + eps) * gain; width may exceed D in a sliced model; no gain = 1. (N,D) (N,D) (D)</summary>
    void RmsNorm(Tensor y, Tensor x, Tensor? gain, double eps, long width);

    /// <summary>y = (x - mean) / sqrt(var + eps) * gain + bias; no gain = 1, no bias = 0. (N,D) (N,D) (D) (D)</summary>
    void LayerNorm(Tensor y, Tensor x, Tensor? gain, Tensor? bias, double eps);

    // == positions and attention ==

    /// <summary>y[n] = table[ids[n]]; an id outside the table throws. The table may be BF16 where y is F32. (N,D) (V,D) I32(N)</summary>
    void Embed(Tensor y, Tensor table, Tensor ids);

    /// <summary>Rotates the first 2R dimensions of every head in place: (x_i, x_{i+R}) by the angle of table row positions[n].
    /// (N, heads * headDim) (P,R) (P,R) I32(N)</summary>
    void Rope(Tensor x, Tensor cos, Tensor sin, Tensor positions, int headDim);

    /// <summary>Causal softmax(scale q k^T) v, never T x T for all heads at once. mask 0 hides a key; a query that sees no key gives 0.
    /// Query i of T sits at position Keys - T + i. (B,T,Heads*HeadDim) (B,T,Heads*HeadDim) (B,C,KvHeads*HeadDim) (B,C,KvHeads*HeadDim) I32(B,Keys), C >= Keys</summary>
    void Attention(Tensor y, Tensor q, Tensor k, Tensor v, Tensor? mask, AttentionDims dims);

    // == MLP ==

    /// <summary>y = f(x); y may be x. (N,F) (N,F)</summary>
    void Activate(Tensor y, Tensor x, Activation f);

    /// <summary>y = f(gate) * up; y may be either. (N,F) (N,F) (N,F)</summary>
    void ActivateGated(Tensor y, Tensor gate, Tensor up, Activation f);

    // == loss ==

    /// <summary>Row-wise softmax, summed in F64; y may be x. (N,V) (N,V)</summary>
    void Softmax(Tensor y, Tensor x);

    /// <summary>y[n] = log softmax(logits[n])[targets[n]], F64; a negative target gives 0. F64(N) (N,V) I32(N)</summary>
    void TokenLogProb(Tensor y, Tensor logits, Tensor targets);
}
