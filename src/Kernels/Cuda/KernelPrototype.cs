using System.Text.RegularExpressions;

namespace NativeEngine.Kernels.Cuda;

/// <summary>What a parameter of a kernel is.</summary>
internal enum ParameterKind
{
    /// <summary>An address on the device.</summary>
    Pointer,

    /// <summary>int</summary>
    Int,

    /// <summary>unsigned</summary>
    UnsignedInt,

    /// <summary>unsigned long long</summary>
    UnsignedLong,

    /// <summary>double</summary>
    Double,

    /// <summary>acc: double in the module for double, float in the others</summary>
    Accumulator,
}

/// <summary>
/// A kernel as kernels.cu declares it, word by word: <c>add_bias_update(real* y, int ldy, const real* b, int rows, int columns)</c>. Launches are
/// checked against it, and a test checks it against the source.
/// </summary>
internal sealed partial class KernelPrototype
{
    /// <summary>Takes <paramref name="text"/> apart.</summary>
    public KernelPrototype(string text)
    {
        Text = Spaces().Replace(text, " ");
        int open = Text.IndexOf('(', StringComparison.Ordinal);
        Name = Text[..open];
        Parameters = [.. Text[(open + 1)..^1].Split(',').Select(KindOf)];
    }

    /// <summary>The declaration, with single spaces.</summary>
    public string Text { get; }

    /// <summary>The kernel's name.</summary>
    public string Name { get; }

    /// <summary>Its parameters.</summary>
    public IReadOnlyList<ParameterKind> Parameters { get; }

    /// <summary>The kernels that <paramref name="source"/> defines, in its order.</summary>
    public static IEnumerable<KernelPrototype> In(string source) =>
        Definitions().Matches(source).Select(match => new KernelPrototype($"{match.Groups["name"]}({match.Groups["parameters"]})"));

    /// <inheritdoc/>
    public override string ToString() => Text;

    private static ParameterKind KindOf(string parameter) => Words().Replace(parameter, "").Trim() switch
    {
        [.., '*'] => ParameterKind.Pointer,
        "int" => ParameterKind.Int,
        "unsigned" => ParameterKind.UnsignedInt,
        "unsigned long long" => ParameterKind.UnsignedLong,
        "double" => ParameterKind.Double,
        "acc" => ParameterKind.Accumulator,
        _ => throw new ArgumentException($"no launch passes '{parameter.Trim()}'"),
    };

    [GeneratedRegex(@"\s+")]
    private static partial Regex Spaces();

    /// <summary>const, and the name at the end.</summary>
    [GeneratedRegex(@"\bconst\b|\w+$")]
    private static partial Regex Words();

    [GeneratedRegex(@"__global__\s+void\s+__launch_bounds__\([^)]*\)\s+(?<name>\w+)\((?<parameters>[^)]*)\)\s*\{", RegexOptions.ExplicitCapture)]
    private static partial Regex Definitions();
}
