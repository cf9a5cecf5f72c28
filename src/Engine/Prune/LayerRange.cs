using System.Globalization;

namespace NativeEngine.Prune;

/// <summary>Layers <paramref name="First"/> to <paramref name="Last"/>, both included, counted from 0.</summary>
public readonly record struct LayerRange(int First, int Last)
{
    /// <summary>No layer.</summary>
    public static LayerRange None { get; } = new(0, -1);

    /// <summary>All but the first eighth and the last sixteenth of the layers, at least one at each end: 4..29 of 32.</summary>
    /// <exception cref="EngineException">NE2030: there is nothing between the ends</exception>
    public static LayerRange Default(int layers)
    {
        LayerRange middle = new(Math.Max(1, layers / 8), layers - 1 - Math.Max(1, layers / 16));
        return middle.First <= middle.Last ? middle : throw new EngineException("NE2030", $"the first and the last layer are spared by default, and of {layers} that leaves none")
        {
            Key = "--attention-layers, --mlp-layers",
            Expected = $"ranges inside 0..{layers - 1}",
            Hint = "name the layers to prune",
        };
    }

    /// <summary>Reads <c>a..b</c>, or <c>none</c>.</summary>
    public static bool TryParse(string text, out LayerRange range)
    {
        int dots = text.IndexOf("..", StringComparison.Ordinal), first = 0, last = -1;
        bool none = text == "none";
        bool ok = none || (dots > 0 && TryParse(text.AsSpan(0, dots), out first) && TryParse(text.AsSpan(dots + 2), out last) && first <= last);
        range = none || !ok ? None : new(first, last);
        return ok;
    }

    /// <summary>True for a layer in the range.</summary>
    public bool Contains(int layer) => layer >= First && layer <= Last;

    /// <summary>The range, when a model of <paramref name="layers"/> layers has it.</summary>
    /// <exception cref="EngineException">NE2031: it has not</exception>
    public LayerRange Within(int layers, string option) => Last < layers ? this : throw new EngineException("NE2031", $"the model has no layer {Last}")
    {
        Key = option,
        Found = ToString(),
        Expected = $"layers of 0..{layers - 1}",
    };

    /// <inheritdoc/>
    public override string ToString() => this == None ? "none" : string.Create(CultureInfo.InvariantCulture, $"{First}..{Last}");

    private static bool TryParse(ReadOnlySpan<char> text, out int value) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value);
}
