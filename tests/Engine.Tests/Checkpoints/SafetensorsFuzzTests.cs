using System.Buffers.Binary;
using System.Text;
using System.Text.RegularExpressions;
using Microsoft.Win32.SafeHandles;
using NativeEngine.Checkpoints;

namespace NativeEngine.Tests.Checkpoints;

/// <summary>
/// Mutations of valid files, the same ones on every run. The reader must answer each with tensors or with an
/// <see cref="EngineException"/> of exit 3 or 4, and an independent reader must come to the same verdict.
/// </summary>
public sealed partial class SafetensorsFuzzTests
{
    private const int Mutations = 20_000;

    private static readonly string[] Seeds =
    [
        """{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"b":{"dtype":"BF16","shape":[4],"data_offsets":[24,32]}}  """,
        """{"b":{"dtype":"I64","shape":[],"data_offsets":[16,24]},"a":{"shape":[2],"data_offsets":[0,16],"dtype":"F64"},"z":{"dtype":"U8","shape":[0,9],"data_offsets":[16,16]},"c":{"dtype":"F4","shape":[2,1,1,1,8],"data_offsets":[24,32]}}""",
        """{"w":{"dtype":"BOOL","shape":[32],"data_offsets":[0,32]}}""",
    ];

    private static readonly string[] Numbers =
        ["0", "1", "8", "-1", "-0", "1e3", "4.0", "16", "24", "32", "33", "007", "NaN", "4294967296", "9223372036854775807", "9223372036854775808", "18446744073709551616", "\"8\"", "[]", "null"];

    private static readonly string[] Words =
        ["F32", "F64", "U8", "BOOL", "F4", "F99", "dtype", "shape", "data_offsets", "__metadata__", "a", "b", "\\u0061", "\\ud800", "\u00E9", "\u0000", "", "{}", "[1]", ","];

    private delegate string Mutator(Random random, string header);

    private static readonly Mutator[] Mutators =
    [
        (random, header) => Replace(random, header, NumberPattern(), Numbers[random.Next(Numbers.Length)]),
        (random, header) => Replace(random, header, NumberPattern(), Pick(random, NumberPattern().Matches(header), "0")),
        (random, header) => Replace(random, header, WordPattern(), Words[random.Next(Words.Length)]),
        (random, header) => Replace(random, header, WordPattern(), Pick(random, WordPattern().Matches(header), "x")),
        (random, header) => Splice(random, header, ""),
        (random, header) => Splice(random, header, Slice(random, header)),
        (random, header) => header.Insert(random.Next(header.Length + 1), "{}[]\",: \n\t\\0a"[random.Next(13)].ToString()),
        (random, header) => header[..random.Next(header.Length + 1)],
        (random, header) => header.Length < 2 ? header : $"{header.TrimEnd()[..^1]},{header[1..]}",
        (_, header) => header + "    ",
    ];

    [Fact]
    public void Every_mutation_is_read_or_refused_and_two_readers_agree()
    {
        using var folder = new TemporaryFolder();
        string path = folder["x.safetensors"];
        using SafeFileHandle scratch = File.OpenHandle(path, FileMode.CreateNew, FileAccess.Write, FileShare.ReadWrite);
        var random = new Random(20_240_229);
        int accepted = 0;
        HashSet<string> codes = [];
        for (int i = 0; i < Mutations; i++)
        {
            byte[] bytes = Mutate(random);
            RandomAccess.Write(scratch, bytes, 0);
            RandomAccess.SetLength(scratch, bytes.Length);
            Dictionary<string, (string DType, long Offset, long Bytes)>? expected = IndependentReader.Read(bytes);
            try
            {
                using SafetensorsFile file = SafetensorsFile.Open(path);
                Assert.True(expected is not null, $"mutation {i} is accepted by this reader alone: {Text(bytes)}");
                Assert.Equal(expected.Keys.Order(StringComparer.Ordinal), file.Tensors.Keys.Order(StringComparer.Ordinal));
                Assert.All(file.Tensors.Values, entry => Assert.Equal((expected[entry.Name].Offset, expected[entry.Name].Bytes), (entry.Offset, entry.Bytes)));
                accepted++;
            }
            catch (EngineException e)
            {
                Assert.True(expected is null, $"mutation {i} is refused by this reader alone: {e.Message}: {Text(bytes)}");
                Assert.True(e.Exit is ExitCode.InvalidInput or ExitCode.Unsupported, e.Message);
                codes.Add(e.Code);
            }
        }

        // The mutations must reach deep: a good part stays valid, and most rules are met.
        Assert.InRange(accepted, Mutations / 50, Mutations / 2);
        Assert.InRange(codes.Count, 18, 30);
    }

    private static byte[] Mutate(Random random)
    {
        string header = Seeds[random.Next(Seeds.Length)];
        for (int steps = random.Next(1, 4); steps > 0; steps--)
        {
            header = Mutators[random.Next(Mutators.Length)](random, header);
        }

        byte[] file = RawFile.Make(header, random.Next(12) == 0 ? random.Next(64) : 32);
        switch (random.Next(12))
        {
            case 0:
                BinaryPrimitives.WriteUInt64LittleEndian(file, (ulong)random.NextInt64() >> random.Next(64));
                break;
            case 1:
                file[random.Next(file.Length)] ^= (byte)(1 << random.Next(8));
                break;
            case 2:
                file = file[..random.Next(file.Length + 1)];
                break;
        }

        return file;
    }

    private static string Replace(Random random, string header, Regex pattern, string with)
    {
        MatchCollection matches = pattern.Matches(header);
        if (matches.Count == 0)
        {
            return header;
        }

        Match match = matches[random.Next(matches.Count)];
        return header[..match.Index] + with + header[(match.Index + match.Length)..];
    }

    private static string Pick(Random random, MatchCollection matches, string otherwise) => matches.Count == 0 ? otherwise : matches[random.Next(matches.Count)].Value;

    private static string Slice(Random random, string header)
    {
        int from = random.Next(header.Length + 1);
        return header.Substring(from, random.Next(Math.Min(40, header.Length - from) + 1));
    }

    private static string Splice(Random random, string header, string with)
    {
        int from = random.Next(header.Length + 1);
        return header[..from] + with + header[(from + random.Next(Math.Min(20, header.Length - from) + 1))..];
    }

    private static string Text(byte[] file) => Encoding.Latin1.GetString(file);

    [GeneratedRegex("[0-9]+")]
    private static partial Regex NumberPattern();

    [GeneratedRegex("(?<=\")[^\"]*(?=\")")]
    private static partial Regex WordPattern();
}
