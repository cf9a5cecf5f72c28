using NativeEngine.Text;

namespace NativeEngine.Tests.Text;

/// <summary>Random damage to sound files: they are read, or refused with an error of the engine. Nothing else may happen.</summary>
public sealed class MutatedTokenizerTests
{
    private const int Mutations = 2500;
    private const string Sample = "hello world ab  é漢😀 <s>\n";

    [Fact]
    public void Byte_level_file() => Mutate(TinyTokenizers.Bytes(TinyTokenizers.ByteLevel()), 1, bytes => TinyTokenizers.Json(bytes));

    [Fact]
    public void Character_file() => Mutate(TinyTokenizers.Bytes(TinyTokenizers.Characters()), 2, bytes => TinyTokenizers.Json(bytes));

    [Fact]
    public void SentencePiece_model() => Mutate(ModelWriter.Sound().ToArray(), 3, bytes =>
    {
        SentencePieceModel model = SentencePieceModel.Read(bytes, "tokenizer.model", SilentReporter.Instance);
        return new SentencePieceTokenizer(model, new SpecialIds(null, null, null, [], []), "test");
    });

    [Fact]
    public void Converted_SentencePiece_model() => Mutate(ModelWriter.Sound().ToArray(), 4, bytes =>
    {
        SentencePieceModel model = SentencePieceModel.Read(bytes, "tokenizer.model", SilentReporter.Instance);
        TokenizerParts parts = SentencePieceConversion.Convert(model, "tokenizer.model", legacy: true, addPrefixSpace: true);
        return new PipelineTokenizer(parts, new SpecialIds(null, null, null, [], []), "test");
    });

    [Fact]
    public void Split_pattern()
    {
        var random = new SplitMix64(5);
        for (int i = 0; i < Mutations; i++)
        {
            char[] pattern = TokenizerComponents.Gpt2Pattern.ToCharArray();
            for (int n = (int)random.Below(4); n >= 0; n--)
            {
                pattern[random.Below(pattern.Length)] = @"()[]{}|\?*+.^$-psL: !=,1a'"[(int)random.Below(26)];
            }

            Tolerate(() => SplitPatternParser.Parse(new string(pattern), "x").FindAll("it's 12  漢\n"u8, []));
        }
    }

    private static void Mutate(byte[] sound, long seed, Func<byte[], Tokenizer> read)
    {
        Assert.NotEmpty(read(sound).Encode(Sample, addSpecial: true));
        var random = new SplitMix64(seed);
        int accepted = 0;
        for (int i = 0; i < Mutations; i++)
        {
            byte[] bytes = Damage(sound, ref random);
            Tolerate(() =>
            {
                Tokenizer tokenizer = read(bytes);
                tokenizer.Decode(tokenizer.Encode(Sample, addSpecial: true), skipSpecial: false);
                accepted++;
            });
        }

        Assert.InRange(accepted, 1, Mutations - 1);
    }

    private static byte[] Damage(byte[] sound, ref SplitMix64 random)
    {
        int at = (int)random.Below(sound.Length);
        int length = (int)random.Below(int.Min(16, sound.Length - at)) + 1;
        byte[] bytes = [.. sound];
        switch (random.Below(6))
        {
            case 0:
                bytes[at] ^= (byte)(1 << (int)random.Below(8));
                return bytes;
            case 1:
                bytes[at] = (byte)random.Next();
                return bytes;
            case 2:
                return [.. bytes[..at], .. bytes[(at + length)..]];
            case 3:
                return [.. bytes[..(at + length)], .. bytes[at..]];
            case 4:
                return bytes[..at];
            default:
                int from = (int)random.Below(sound.Length - length + 1);
                sound.AsSpan(from, length).CopyTo(bytes.AsSpan(at));
                return bytes;
        }
    }

    private static void Tolerate(Action read)
    {
        try
        {
            read();
        }
        catch (EngineException e)
        {
            Assert.True(e.Exit is ExitCode.InvalidInput or ExitCode.Unsupported, e.Code);
        }
    }
}
