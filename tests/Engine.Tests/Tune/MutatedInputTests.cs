using NativeEngine.Checkpoints;
using NativeEngine.Spec;
using NativeEngine.Testing;
using NativeEngine.Tests.Checkpoints;
using NativeEngine.Text;
using NativeEngine.Tune;

namespace NativeEngine.Tests.Tune;

/// <summary>Random damage to a sound adapter and to sound records: they are read, or refused with an error of the engine. Nothing else may happen.</summary>
public sealed class MutatedInputTests : IDisposable
{
    private const int Mutations = 1500;

    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("adapter_config.json")]
    [InlineData("adapter_model.safetensors")]
    public void An_adapter(string file)
    {
        string model = Shared.Fixture("llama-mha");
        ModelSpec spec = SpecReader.Read(model);
        using var session = new Session("cpu", threads: 1);
        using Checkpoint weights = Checkpoint.Open(model);
        RandomAdapters.Write(session, spec, weights, folder["a"], new LoraConfig(1, 2), [Role.AttnQ]).Dispose();
        Mutate(folder["a/" + file], () => AdapterFolder.Read(session, folder["a"], spec, weights).Dispose());
    }

    [Fact]
    public void Records()
    {
        string path = folder.Write("data.json", """[{"instruction":"a \u00e9","input":"b","output":"c"},{"instruction":"d","input":null,"output":"\n"}]""");
        Mutate(path, () => Assert.NotEmpty(InstructionFile.Read(path).ToArray()));
    }

    /// <summary>Damages the first bytes of a file, where the structure is, in every way that keeps a parser busy.</summary>
    private static void Mutate(string path, Action read)
    {
        read();
        byte[] sound = File.ReadAllBytes(path);
        int structure = Math.Min(sound.Length, 600);
        var random = new SplitMix64(7);
        int accepted = 0;
        for (int i = 0; i < Mutations; i++)
        {
            int at = (int)random.Below(structure), from = (int)random.Below(structure), length = (int)random.Below(Math.Min(12, structure - Math.Max(at, from))) + 1;
            byte[] bytes = [.. sound];
            switch (random.Below(4))
            {
                case 0:
                    bytes[at] ^= (byte)(1 << (int)random.Below(8));
                    break;
                case 1:
                    bytes[at] = (byte)@"{}[]"",:\u0-1enul "[(int)random.Below(17)];
                    break;
                case 2:
                    sound.AsSpan(from, length).CopyTo(bytes.AsSpan(at));
                    break;
                default:
                    bytes = [.. bytes[..at], .. bytes[(at + length)..]];
                    break;
            }

            File.WriteAllBytes(path, bytes);
            try
            {
                read();
                accepted++;
            }
            catch (EngineException e)
            {
                Assert.True(e.Exit is ExitCode.InvalidInput or ExitCode.Unsupported or ExitCode.Numerical, e.Code);
            }
        }

        Assert.InRange(accepted, 1, Mutations - 1);
    }
}
