using System.Reflection;
using System.Text.Json.Nodes;
using NativeEngine.Checkpoints;
using NativeEngine.Kernels;
using NativeEngine.Model;
using NativeEngine.Spec;

namespace NativeEngine.Bench;

/// <summary>
/// Random weights in the shape of a real model, for timing only, stored as BF16. They are uniform with deviation 0.02; the embedding's columns fall
/// in steps from 3 to 0.3 times that, so that a PCA has a spectrum to sort. The device draws them, the same ones on every device.
/// </summary>
internal static class SyntheticModel
{
    private const double HalfWidth = 0.02 * 1.7320508; // a uniform number on +- sqrt(3) s has deviation s
    private const int Bands = 16; // of the embedding's columns

    /// <summary>What models of a shape compute in.</summary>
    public static DType ComputeType(Session session) => session.ComputeType ?? DType.BF16;

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

    /// <summary>A model of <paramref name="shape"/> that no file holds: its weights are drawn on the device when they are asked for.</summary>
    public static CausalModel Open(Session session, string shape, int? layers = null, long? weightMemory = null)
    {
        ModelSpec spec = SpecReader.Parse(Config(shape, layers), shape);
        Dictionary<string, (Parameter Parameter, ulong Start)> parameters = spec.Parameters().Select((p, i) => (p, (ulong)i << 40)).ToDictionary(x => x.p.Name);
        var checkpoint = new Checkpoint(
            shape,
            parameters.Values.Select(x => new TensorEntry(x.Parameter.Name, DType.BF16, x.Parameter.Shape, shape, 0, x.Parameter.Shape.Count * DType.BF16.Size())),
            (backend, entry, destination) => Draw(backend, destination, parameters[entry.Name].Parameter, parameters[entry.Name].Start));
        return CausalModel.Of(session.Backend, spec, checkpoint, session.ComputeType, weightMemory ?? session.WeightMemory);
    }

    /// <summary>The model in <paramref name="folder"/>, or one of <paramref name="shape"/> where there is none.</summary>
    public static CausalModel Open(Session session, string? folder, string shape) =>
        folder is null ? Open(session, shape) : CausalModel.Open(session.Backend, folder, session.ComputeType, session.WeightMemory);

    /// <summary>Writes the model to <paramref name="folder"/>.</summary>
    public static void Write(IBackend backend, string shape, string folder, int layers)
    {
        byte[] config = Config(shape, layers);
        Parameter[] parameters = [.. SpecReader.Parse(config, shape).Parameters()];
        using var writer = new CheckpointWriter(folder, overwrite: false, [.. parameters.Select(p => new TensorPlan(p.Name, DType.BF16, p.Shape))]);
        for (int i = 0; i < parameters.Length; i++)
        {
            using Tensor value = backend.Alloc(DType.F32, parameters[i].Shape);
            Draw(backend, value, parameters[i], (ulong)i << 40);
            writer.Write(backend, parameters[i].Name, value);
        }

        writer.AddFile("config.json", config);
        writer.Commit([]);
    }

    /// <summary>Random ids below <paramref name="vocab"/>.</summary>
    public static TokenWindows Tokens(int vocab, int rows, int width)
    {
        var ids = new int[rows * width];
        var random = new Random(rows);
        foreach (ref int id in ids.AsSpan())
        {
            id = random.Next(vocab);
        }

        return new TokenWindows(ids, null, rows, width);
    }

    private static void Draw(IBackend backend, Tensor destination, Parameter p, ulong start)
    {
        if (destination.DType != DType.BF16)
        {
            using Tensor stored = backend.Alloc(DType.BF16, p.Shape);
            Draw(backend, stored, p, start);
            backend.Copy(destination, stored);
        }
        else if (p.Role is Role.NormAttn or Role.NormMlp or Role.NormFinal && !p.IsBias)
        {
            var ones = new ushort[p.Shape.Count];
            ones.AsSpan().Fill((ushort)(BitConverter.SingleToUInt32Bits(1) >> 16));
            backend.Upload<ushort>(destination, ones);
        }
        else
        {
            int bands = p.Role == Role.Embed ? Bands : 1;
            for (int i = 0; i < bands; i++)
            {
                long from = p.Shape.Columns * i / bands, end = p.Shape.Columns * (i + 1) / bands;
                double scale = bands == 1 ? 1 : 3 - 2.7 * i / (bands - 1);
                backend.Uniform(destination.ColumnRange(from, end - from), HalfWidth * scale, start + ((ulong)i << 34));
            }
        }
    }
}
