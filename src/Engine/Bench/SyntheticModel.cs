using System.Reflection;
using System.Text.Json.Nodes;
using NativeEngine.Checkpoints;
using NativeEngine.Kernels;
using NativeEngine.Spec;

namespace NativeEngine.Bench;

/// <summary>
/// A checkpoint with random weights in the shape of a real model, for timing only. Weights are uniform with deviation 0.02; the
/// embedding's columns fall from 3 to 0.3 times that, so that a PCA has a spectrum to sort.
/// </summary>
internal static class SyntheticModel
{
    private const double HalfWidth = 0.02 * 1.7320508; // a uniform number on +- sqrt(3) s has deviation s

    /// <summary>Names of the shapes, e.g. opt-125m.</summary>
    public static IReadOnlyList<string> Shapes { get; } = [.. typeof(SyntheticModel).Assembly.GetManifestResourceNames()
        .Where(n => n.EndsWith(".json", StringComparison.Ordinal))
        .Select(n => Path.GetFileNameWithoutExtension(n)).Order(StringComparer.Ordinal)];

    /// <summary>config.json of <paramref name="shape"/>, with <paramref name="layers"/> layers instead of its own where given.</summary>
    public static byte[] Config(string shape, int? layers = null)
    {
        using Stream stream = Assembly.GetExecutingAssembly().GetManifestResourceStream(shape + ".json")
            ?? throw new EngineException("NE2010", $"no shape is called '{shape}'") { Key = "--shape", Found = shape, Expected = string.Join(", ", Shapes) };
        JsonObject config = JsonNode.Parse(stream)!.AsObject();
        if (layers is int n)
        {
            config["num_hidden_layers"] = n;
        }

        return System.Text.Encoding.UTF8.GetBytes(config.ToJsonString());
    }

    /// <summary>Writes the model to <paramref name="folder"/> in BF16.</summary>
    public static ModelSpec Write(IBackend backend, string shape, string folder, int? layers = null)
    {
        byte[] config = Config(shape, layers);
        ModelSpec spec = SpecReader.Parse(config, shape);
        Parameter[] parameters = [.. spec.Parameters()];
        using var writer = new CheckpointWriter(folder, overwrite: false, [.. parameters.Select(p => new TensorPlan(p.Name, DType.BF16, p.Shape))]);
        for (int i = 0; i < parameters.Length; i++)
        {
            using Tensor value = backend.Upload<float>(parameters[i].Shape, Values(parameters[i], (ulong)i << 40));
            writer.Write(backend, parameters[i].Name, value);
        }

        writer.AddFile("config.json", config);
        writer.Commit([]);
        return spec;
    }

    /// <summary>Random ids below <paramref name="vocab"/>.</summary>
    public static TokenWindows Tokens(int vocab, int rows, int width)
    {
        var ids = new int[rows * width];
        for (int i = 0; i < ids.Length; i++)
        {
            ids[i] = (int)(Hash((ulong)i) % (ulong)vocab);
        }

        return new TokenWindows(ids, null, rows, width);
    }

    private static float[] Values(Parameter p, ulong stream)
    {
        bool gain = p.Role is Role.NormAttn or Role.NormMlp or Role.NormFinal && !p.IsBias;
        int columns = (int)p.Shape.Columns;
        var values = new float[p.Shape.Count];
        Parallel.For(0, p.Shape.Rows, r =>
        {
            Span<float> row = values.AsSpan((int)r * columns, columns);
            for (int c = 0; c < row.Length; c++)
            {
                double unit = (Hash(stream + (ulong)(r * columns + c)) >> 11) * (2.0 / (1L << 53)) - 1;
                double scale = p.Role == Role.Embed ? 3 - 2.7 * c / Math.Max(1, columns - 1) : 1;
                row[c] = gain ? 1 : (float)(unit * HalfWidth * scale);
            }
        });
        return values;
    }

    /// <summary>splitmix64 (Steele et al. 2014) of a counter.</summary>
    private static ulong Hash(ulong counter)
    {
        ulong z = (counter + 1) * 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
