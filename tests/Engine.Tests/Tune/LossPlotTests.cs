using System.Globalization;
using System.Xml.Linq;
using NativeEngine.Tune;

namespace NativeEngine.Tests.Tune;

public sealed class LossPlotTests
{
    [Fact]
    public void Both_losses_are_curves_in_one_frame()
    {
        XElement svg = Draw([5, 4.5, 4.25, 4], [new(0, 5.25), new(2, 4.75), new(4, 4.5)]);
        (double X, double Y)[] training = Points(svg, 0), heldOut = Points(svg, 1);
        Assert.Equal(["0", "1", "2", "3", "4"], Ticks(svg, "middle").SkipLast(1));
        Assert.Equal(["4", "4.5", "5", "5.5"], Ticks(svg, "end"));
        Assert.Equal((4, 3), (training.Length, heldOut.Length));
        Assert.Equal(heldOut[1].X, training[2].X); // behind two steps
        Assert.Equal(training[1].Y, heldOut[2].Y); // a loss of 4.5
        Assert.True(heldOut[0].Y < training[0].Y); // y counts from the top
        Assert.All(training.Concat(heldOut), p => Assert.True(p is { X: >= 64 and <= 704, Y: >= 40 and <= 360 }, $"{p} is outside"));
        Assert.Equal(["training loss", "held-out loss"], Ticks(svg, "start"));
    }

    [Fact]
    public void Neighbours_of_a_long_run_are_averaged()
    {
        (double X, double Y)[] points = Points(Draw([.. Enumerable.Range(0, 100_000).Select(i => 3 + 1.0 / (1 + i))], []), 0);
        Assert.Equal(160, points.Length);
        Assert.Equal(points.OrderBy(p => p.X), points);
        Assert.InRange(points[^1].X - points[0].X, 600, 640);
    }

    [Theory]
    [InlineData(7)]
    [InlineData(0)]
    [InlineData(1e30)]
    public void A_single_step_is_drawn(double loss)
    {
        XElement svg = Draw([loss], []);
        (double x, double y) = Assert.Single(Points(svg, 0));
        Assert.True(x is >= 64 and <= 704 && y is >= 40 and <= 360, $"{x}, {y}");
        Assert.Equal(["0", "1"], Ticks(svg, "middle").SkipLast(1));
        Assert.Equal("training loss", Assert.Single(Ticks(svg, "start")));
    }

    [Fact]
    public void The_locale_makes_no_difference()
    {
        byte[] drawn = LossPlot.Draw([1.5, 1.25], []);
        CultureInfo before = CultureInfo.CurrentCulture;
        CultureInfo.CurrentCulture = new CultureInfo("de-DE");
        try
        {
            Assert.Equal(drawn, LossPlot.Draw([1.5, 1.25], []));
        }
        finally
        {
            CultureInfo.CurrentCulture = before;
        }
    }

    private static XElement Draw(double[] losses, Evaluation[] evaluations)
    {
        using var stream = new MemoryStream(LossPlot.Draw(losses, evaluations));
        XElement svg = XDocument.Load(stream).Root!;
        Assert.Equal(XName.Get("svg", "http://www.w3.org/2000/svg"), svg.Name);
        return svg;
    }

    private static (double X, double Y)[] Points(XElement svg, int curve) =>
    [
        .. svg.Elements(svg.Name.Namespace + "polyline").ElementAt(curve).Attribute("points")!.Value.Split(' ')
            .Select(pair => pair.Split(',').Select(number => double.Parse(number, CultureInfo.InvariantCulture)).ToArray()).Select(pair => (pair[0], pair[1])),
    ];

    private static string[] Ticks(XElement svg, string anchor) =>
        [.. svg.Elements(svg.Name.Namespace + "text").Where(t => t.Attribute("text-anchor")!.Value == anchor).Select(t => t.Value)];
}
