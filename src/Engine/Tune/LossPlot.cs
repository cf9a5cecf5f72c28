using System.Globalization;
using System.Text;
using System.Xml.Linq;

namespace NativeEngine.Tune;

/// <summary>The losses of a run over its steps, as an SVG picture that any browser shows.</summary>
internal static class LossPlot
{
    public const string FileName = "loss.svg";
    private const int Width = 720, Height = 400, Left = 64, Right = 704, Top = 40, Bottom = 360;
    private const int MaxPoints = 160; // the losses of single batches are noisy
    private static readonly XNamespace Svg = "http://www.w3.org/2000/svg";

    /// <summary>Draws the training loss of every step, and the held-out loss where it was measured.</summary>
    public static byte[] Draw(IReadOnlyList<double> losses, IReadOnlyList<Evaluation> evaluations)
    {
        (double Step, double Loss)[] training = [.. Averaged(losses)], heldOut = [.. evaluations.Select(e => ((double)e.Step, e.Loss))];
        (double Step, double Loss)[] all = [.. training, .. heldOut];
        Axis x = Axis.Of([.. all.Select(p => p.Step)], 1, Left, Right), y = Axis.Of([.. all.Select(p => p.Loss)], 1e-3, Bottom, Top);
        var svg = new XElement(
            Svg + "svg",
            Attributes(("viewBox", $"0 0 {Width} {Height}"), ("font-family", "sans-serif"), ("font-size", "12")),
            new XElement(Svg + "rect", Attributes(("width", "100%"), ("height", "100%"), ("fill", "white"))),
            y.Ticks.Select(t => Line(Left, y.At(t), Right, y.At(t))),
            y.Ticks.Select(t => Text(Left - 8, y.At(t) + 4, "end", "black", Number(t))),
            x.Ticks.Select(t => Line(x.At(t), Bottom, x.At(t), Bottom + 4)),
            x.Ticks.Select(t => Text(x.At(t), Bottom + 18, "middle", "black", Number(t))),
            Text((Left + Right) / 2.0, Height - 8, "middle", "black", "steps"),
            Curve(training, "steelblue", "training loss", Left),
            heldOut.Length > 0 ? Curve(heldOut, "darkorange", "held-out loss", Left + 120) : null);
        return Encoding.UTF8.GetBytes(svg.ToString() + "\n");

        XElement[] Curve((double Step, double Loss)[] points, string colour, string name, double at) =>
        [
            new(Svg + "polyline", Attributes(
                ("fill", "none"), ("stroke", colour), ("stroke-width", "1.5"),
                ("points", string.Join(' ', points.Select(p => $"{Number(x.At(p.Step))},{Number(y.At(p.Loss))}"))))),
            Text(at, Top - 16, "start", colour, name),
        ];
    }

    /// <summary>The loss of each step, in front of which so many steps were done; neighbours are averaged where there are many.</summary>
    private static IEnumerable<(double Step, double Loss)> Averaged(IReadOnlyList<double> losses)
    {
        int each = (losses.Count + MaxPoints - 1) / MaxPoints;
        return losses.Chunk(Math.Max(1, each)).Select((chunk, i) => (i * each + (chunk.Length - 1) / 2.0, chunk.Average()));
    }

    private static XElement Line(double x1, double y1, double x2, double y2) =>
        new(Svg + "line", Attributes(("x1", Number(x1)), ("y1", Number(y1)), ("x2", Number(x2)), ("y2", Number(y2)), ("stroke", "lightgrey")));

    private static XElement Text(double x, double y, string anchor, string colour, string text) =>
        new(Svg + "text", Attributes(("x", Number(x)), ("y", Number(y)), ("text-anchor", anchor), ("fill", colour)), text);

    private static XAttribute[] Attributes(params (string Name, string Value)[] attributes) => [.. attributes.Select(a => new XAttribute(a.Name, a.Value))];

    private static string Number(double value) => value.ToString("0.####", CultureInfo.InvariantCulture);

    /// <summary>Numbers along a side of the picture, from a multiple of 1, 2 or 5 times a power of ten to another.</summary>
    private sealed record Axis(double From, double To, double Tick, double Start, double End)
    {
        public IEnumerable<double> Ticks => Enumerable.Range(0, (int)Math.Round((To - From) / Tick) + 1).Select(i => From + i * Tick);

        public static Axis Of(double[] values, double finest, double start, double end)
        {
            (double least, double most) = (values.Min(), values.Max());
            double rough = Math.Max(Math.Max((most - least) / 5, finest), most / 1000), power = Math.Pow(10, Math.Floor(Math.Log10(rough)));
            double tick = power * (rough / power) switch { <= 1 => 1, <= 2 => 2, <= 5 => 5, _ => 10 };
            double from = Math.Floor(least / tick) * tick;
            return new Axis(from, Math.Max(Math.Ceiling(most / tick) * tick, from + tick), tick, start, end);
        }

        public double At(double value) => Start + (value - From) / (To - From) * (End - Start);
    }
}
