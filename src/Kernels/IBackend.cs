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

/// <summary>What one element of a weight w with gradient g and squared gradient h counts for in an importance (Ma et al. 2023, section 3.2).</summary>
public enum Saliency
{
    /// <summary>|w|</summary>
    Magnitude,

    /// <summary>w^2</summary>
    Square,

    /// <summary>|w g|: the first-order change of the loss when the element goes.</summary>
    FirstOrder,

    /// <summary>w g, with its sign: the absolute value is taken of the sum (LLM-Pruner's "vectorize").</summary>
    Signed,

    /// <summary>|w^2 h|</summary>
    SecondOrder,

    /// <summary>|w g - w^2 h / 2|</summary>
    Mixed,
}

/// <summary>One step of AdamW (Loshchilov and Hutter 2019).</summary>
/// <param name="LearningRate">of this step</param>
/// <param name="Beta1">decay of the mean</param>
/// <param name="Beta2">decay of the mean square</param>
/// <param name="Epsilon">added to the root of the mean square</param>
/// <param name="WeightDecay">decoupled: w loses LearningRate * WeightDecay of itself</param>
/// <param name="Step">steps so far, this one included: 1, 2, ...</param>
/// <param name="GradientScale">factor on the gradient (clipping)</param>
public readonly record struct AdamWStep(double LearningRate, double Beta1, double Beta2, double Epsilon, double WeightDecay, long Step, double GradientScale);

/// <summary>Puts bytes of a tensor, from byte <paramref name="from"/> of it on, into <paramref name="part"/>.</summary>
public delegate void ReadPart(Span<byte> part, long from);

/// <summary>Takes the bytes of a tensor from byte <paramref name="from"/> of it on.</summary>
public delegate void WritePart(ReadOnlySpan<byte> part, long from);

/// <summary>
/// The op list. Destination first, then inputs, then scalars; shapes in the comments; row-major; N rows, D columns.
/// Destinations are assigned unless the op says that it adds (+=): gradients of parameters add up, gradients of activations are assigned.
/// All floats of one call share a type, which <see cref="Supports"/>, unless said. Gradients of parameters, angles and logSumExp are ACC, which is F64
/// beside F64 and F32 beside everything narrower: 16-bit elements are widened when they are read, and rounded once when they are written.
/// Results do not depend on the number of threads. Wrong shapes or types throw <see cref="ArgumentException"/> naming the op.
/// </summary>
public interface IBackend : IDisposable
{
    /// <summary>"cpu" or "cuda:0".</summary>
    string Name { get; }

    /// <summary>Whether <paramref name="op"/> computes elements of <paramref name="dtype"/> here; of AddSaliency it is the type of w.</summary>
    bool Supports(Op op, DType dtype);

    /// <summary>True on the CPU: elements lie in host memory, and an op is done when it returns.</summary>
    bool IsHost { get; }

    /// <summary>Width of the widest attention head that is computed.</summary>
    int LargestHead { get; }

    /// <summary>Rows of a forward that keep the device busy and whose activations stay near its caches.</summary>
    int BatchRows { get; }

    // == memory ==

    /// <summary>Memory for a tensor, not cleared; <see cref="Tensor.Dispose"/> gives it back to the pool.</summary>
    Tensor Alloc(DType dtype, Shape shape);

    /// <summary>Gives memory that no tensor owns back to the system, which others need that do not ask the pool. An <see cref="Alloc"/> does so before it fails.</summary>
    void Trim();

    /// <summary>Bytes of memory that the device has for tensors of this process; on a GPU those that were free when it was opened, less a reserve.</summary>
    long MemoryBytes { get; }

    /// <summary>Largest number of bytes that were allocated at once.</summary>
    long PeakBytes { get; }

    /// <summary>Waits for everything that was asked of the device.</summary>
    void Synchronize();

    /// <summary>y = values, row after row without gaps; values may be used again on return. <typeparamref name="T"/> has the size of an element, or is
    /// <see cref="byte"/> for the elements' bytes. (N,D)</summary>
    void Upload<T>(Tensor y, ReadOnlySpan<T> values) where T : unmanaged;

    /// <summary>values = x, as <see cref="Upload"/>; waits for what was asked of the device before. (N,D)</summary>
    void Download<T>(Span<T> values, Tensor x) where T : unmanaged;

    /// <summary>y = the bytes that <paramref name="read"/> puts into the parts it is handed, row after row without gaps: from a file to the device without
    /// a copy in between. Returns when all parts were read; parts may be read at once, on any thread. (N,D)</summary>
    void Fill(Tensor y, ReadPart read);

    /// <summary>Hands <paramref name="write"/> the bytes of x in parts, as <see cref="Fill"/>. On return x may change or be given back; the task ends when
    /// all parts were written. (N,D)</summary>
    Task Drain(Tensor x, WritePart write);

    /// <summary>y = x, converting between any two float types (round to nearest even) or any two integer types. (N,D) (N,D)</summary>
    void Copy(Tensor y, Tensor x);

    /// <summary>y = 0, any type.</summary>
    void Zero(Tensor y);

    /// <summary>y = limit (2 u - 1) with u in [0, 1) the upper 53 bits of splitmix64 at counter start + n D + d, rounded to F32 before a
    /// 16-bit type: the same elements on every back-end, for weights that only have to be there. A stored weight may be BF16 everywhere. (N,D)</summary>
    void Uniform(Tensor y, double limit, ulong start);

    /// <summary>y = x^T. (D,N) (N,D)</summary>
    void Transpose(Tensor y, Tensor x);

    /// <summary>False when x holds a NaN or an infinity.</summary>
    bool AllFinite(Tensor x);

    // == dense linear algebra ==

    /// <summary>c = alpha op(a) op(b) + beta c + bias in every row, op = transpose where asked; c is not read when beta is 0, and bias has its type.
    /// b may be BF16 where a and c are F32: a stored weight, widened exactly, so the bits are those of an F32 b. Where 16-bit types are computed, F32
    /// and one of them mix: sums are F32, a result of F32 takes two 16-bit factors as they are, and otherwise a factor is converted to c's type.
    /// (M,N) (M,K) (K,N) (N), or the same with one batch extent in front of the first three.</summary>
    void Gemm(Tensor c, Tensor a, Tensor b, bool transposeA = false, bool transposeB = false, double alpha = 1, double beta = 0, Tensor? bias = null);

    /// <summary>b += the column sums of x, summed in F64: the gradient of <see cref="AddBias"/>. ACC(D) (N,D)</summary>
    void AddColumnSums(Tensor b, Tensor x);

    /// <summary>h += x^T x of an x of at most F32 into an F64 h, which stays exactly symmetric; the CPU multiplies in F64. F64(D,D) (N,D)</summary>
    void Gram(Tensor h, Tensor x);

    /// <summary>Eigendecomposition of a symmetric matrix, F64: a = vectors^T diag(values) vectors. Values ascend; ROW i of vectors
    /// is eigenvector i. Only the lower triangle of a is read; a is destroyed and may be the same tensor as vectors. (D) (D,D) (D,D)</summary>
    void SymEig(Tensor values, Tensor vectors, Tensor a);

    /// <summary>Householder QR of a square matrix with LAPACK's signs, F64; a is destroyed. (D,D) (D,D)</summary>
    void Qr(Tensor q, Tensor a);

    /// <summary>b = b a^-1 of a symmetric positive definite a, F64: every ROW of b is a right-hand side. Only the lower triangle of a is read, and a is
    /// destroyed; NE10104 where it is not positive definite. (N,D) (D,D)</summary>
    void CholeskySolve(Tensor b, Tensor a);

    // == pointwise ==

    /// <summary>y += b in every row. (N,D) (D)</summary>
    void AddBias(Tensor y, Tensor b);

    /// <summary>y += x. (N,D) (N,D)</summary>
    void Add(Tensor y, Tensor x);

    /// <summary>Rows of y whose mask is 0 become 0. (N,D) I32(N)</summary>
    void ZeroMasked(Tensor y, Tensor mask);

    /// <summary>y = x / (1 - rate) where word (firstRow + n) D + d of the Philox4x32-10 stream of the key is not below 2^32 rate, and 0 elsewhere; y may
    /// be x. The same key and shape draw the same elements, on every back-end, so the op is its own gradient. (N,D) (N,D)</summary>
    void Dropout(Tensor y, Tensor x, double rate, ulong key, long firstRow = 0);

    // == norms ==

    /// <summary>y = x / sqrt(sum(x^2) / width + eps) * gain; width may exceed D in a sliced model; no gain = 1. (N,D) (N,D) (D)</summary>
    void RmsNorm(Tensor y, Tensor x, Tensor? gain, double eps, long width);

    /// <summary>y = (x - mean) / sqrt(var + eps) * gain + bias; no gain = 1, no bias = 0. (N,D) (N,D) (D) (D)</summary>
    void LayerNorm(Tensor y, Tensor x, Tensor? gain, Tensor? bias, double eps);

    /// <summary>Gradient of <see cref="RmsNorm"/>: dx += (a norm's input is also the residual), dgain += where given. (N,D) ACC(D) (N,D) (N,D) (D)</summary>
    void RmsNormBackward(Tensor dx, Tensor? dgain, Tensor dy, Tensor x, Tensor? gain, double eps, long width);

    /// <summary>Gradient of <see cref="LayerNorm"/>: dx +=, dgain += and dbias += where given. (N,D) ACC(D) ACC(D) (N,D) (N,D) (D)</summary>
    void LayerNormBackward(Tensor dx, Tensor? dgain, Tensor? dbias, Tensor dy, Tensor x, Tensor? gain, double eps);

    // == positions and attention ==

    /// <summary>y[n] = table[ids[n]]; an id outside the table throws. A stored table may be BF16 where y is F32, and F16 where that is computed. (N,D) (V,D) I32(N)</summary>
    void Embed(Tensor y, Tensor table, Tensor ids);

    /// <summary>dtable[ids[n]] += dy[n], in the order of n. ACC(V,D) (N,D) I32(N)</summary>
    void EmbedBackward(Tensor dtable, Tensor dy, Tensor ids);

    /// <summary>Rotates the first 2R dimensions of every head in place: (x_i, x_{i+R}) by the angle of table row positions[n], or back,
    /// which is the gradient. (N, heads * headDim) ACC(P,R) ACC(P,R) I32(N)</summary>
    void Rope(Tensor x, Tensor cos, Tensor sin, Tensor positions, int headDim, bool back = false);

    /// <summary>Causal softmax(scale q k^T) v, never T x T for all heads at once. mask 0 hides a key; first is the first key that a query
    /// sees (packed documents); a query that sees no key gives 0. Query i of T sits at position Keys - T + i. logSumExp, where given,
    /// becomes log(sum(exp(scale q k^T))) for the backward (minus infinity for a query that sees no key).
    /// (B,T,Heads*HeadDim) ACC(B,Heads,T) (B,T,Heads*HeadDim) (B,C,KvHeads*HeadDim) (B,C,KvHeads*HeadDim) I32(B,Keys) I32(B,T), C >= Keys</summary>
    void Attention(Tensor y, Tensor? logSumExp, Tensor q, Tensor k, Tensor v, Tensor? mask, Tensor? first, AttentionDims dims);

    /// <summary>Gradient of <see cref="Attention"/> with Keys = T = C; dq, dk and dv are assigned, scores are recomputed from logSumExp.
    /// Shapes as there: dq, dy, y and q alike; dk, dv, k and v alike.</summary>
    void AttentionBackward(
        Tensor dq, Tensor dk, Tensor dv, Tensor dy, Tensor y, Tensor logSumExp, Tensor q, Tensor k, Tensor v, Tensor? mask, Tensor? first, AttentionDims dims);

    // == MLP ==

    /// <summary>y = f(x); y may be x. (N,F) (N,F)</summary>
    void Activate(Tensor y, Tensor x, Activation f);

    /// <summary>y = f(gate) * up; y may be either. (N,F) (N,F) (N,F)</summary>
    void ActivateGated(Tensor y, Tensor gate, Tensor up, Activation f);

    /// <summary>dx = dy f'(x); dx may be dy. (N,F) (N,F) (N,F)</summary>
    void ActivateBackward(Tensor dx, Tensor dy, Tensor x, Activation f);

    /// <summary>dgate = dy up f'(gate) and dup = dy f(gate); dgate may be gate, and dup may be up. (N,F) five times</summary>
    void ActivateGatedBackward(Tensor dgate, Tensor dup, Tensor dy, Tensor gate, Tensor up, Activation f);

    // == loss ==

    /// <summary>Row-wise softmax, summed in F64; y may be x. (N,V) (N,V)</summary>
    void Softmax(Tensor y, Tensor x);

    /// <summary>y[n] = log softmax(logits[n])[targets[n]], F64; a negative target gives 0. F64(N) (N,V) I32(N)</summary>
    void TokenLogProb(Tensor y, Tensor logits, Tensor targets);

    /// <summary>loss[n] = -log softmax(logits[n])[targets[n]], and logits = scale (softmax(logits) - onehot(targets)), the gradient of
    /// scale * sum(loss); a negative target gives 0 for both. F64(N) (N,V) I32(N)</summary>
    void CrossEntropy(Tensor loss, Tensor logits, Tensor targets, double scale);

    // == importance and deletion ==

    /// <summary>scores[i] += sum over row i (or over column i) of the saliency of the elements of w; of <see cref="Saliency.Signed"/> the
    /// absolute value of the sum. g is the gradient and h the squared gradient of w, where the saliency needs them. Summed in F64.
    /// F64(rows or columns) (O,I) ACC(O,I) ACC(O,I)</summary>
    void AddSaliency(Tensor scores, Tensor w, Tensor? g, Tensor? h, Saliency saliency, bool columns);

    /// <summary>y += scale x^2. ACC(N,D) (N,D)</summary>
    void AddSquares(Tensor y, Tensor x, double scale);

    /// <summary>Row i becomes row kept[i], in place; kept ascends, and what lies behind the last kept row is left undefined. Any type. (N,D) I32(K)</summary>
    void KeepRows(Tensor x, Tensor kept);

    /// <summary>Column i becomes column kept[i], in place, as <see cref="KeepRows"/>; the row stride stays. (N,D) I32(K)</summary>
    void KeepColumns(Tensor x, Tensor kept);

    // == optimiser ==

    /// <summary>The sum of the squares of x, in F64.</summary>
    double SumOfSquares(Tensor x);

    /// <summary>w, m and v after one step of AdamW with gradient g; m and v are the running means of g and g^2. (N,D) four times</summary>
    void AdamW(Tensor w, Tensor g, Tensor m, Tensor v, AdamWStep step);
}
