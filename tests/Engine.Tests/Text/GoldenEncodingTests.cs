using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text.Json;
using NativeEngine.Testing;
using NativeEngine.Text;

namespace NativeEngine.Tests.Text;

/// <summary>Every id and every decoded character of golden/tokenizers, for every tokenizer and variant.</summary>
public sealed class GoldenEncodingTests
{
    private static readonly Lazy<string[]> Texts = new(() =>
        [.. JsonDocument.Parse(File.ReadAllBytes(Shared.Path("golden", "tokenizers", "corpus.json"))).RootElement.GetProperty("items")
            .EnumerateArray().Select(item => item.GetProperty("text").GetString()!)]);

    public static TheoryData<string, string> Variants => GoldenTokenizers.Variants;

    [SkippableTheory]
    [MemberData(nameof(Variants))]
    public void Encodes_and_decodes_the_corpus(string name, string variant)
    {
        Tokenizer tokenizer = GoldenTokenizers.Load(name, variant);
        JsonElement golden = GoldenTokenizers.Golden(name, "encodings.json");
        int[] prefix = Ids(golden.GetProperty("special_prefix"));
        bool fast = variant is "file" or "auto" or "fast_legacy_false";
        var faults = new List<string>();
        foreach (JsonElement item in golden.GetProperty("items").EnumerateArray())
        {
            int number = item.GetProperty("id").GetInt32();
            string text = Texts.Value[number];
            int[] expected = Ids(Pick(item, variant, "ids"));
            int[] ids = tokenizer.Encode(text, addSpecial: false);
            Check("ids", string.Join(' ', expected), string.Join(' ', ids));
            Check("special", string.Join(' ', prefix.Concat(expected)), string.Join(' ', tokenizer.Encode(text, addSpecial: true)));
            int[] all = [.. prefix, .. expected];
            Check("decode_skip_special", Pick(item, variant, "decode_skip_special").GetString()!, tokenizer.Decode(all, skipSpecial: true));
            if (fast)
            {
                Check("decode", Pick(item, variant, "decode").GetString()!, tokenizer.Decode(all, skipSpecial: false));
            }

            void Check(string what, string wanted, string found)
            {
                if (wanted != found)
                {
                    faults.Add($"item {number} {what}: '{text}'\n  wanted {wanted}\n  found  {found}");
                }
            }
        }

        Assert.True(faults.Count == 0, $"{faults.Count} differences\n{string.Join('\n', faults.Take(5))}");
    }

    [SkippableTheory]
    [MemberData(nameof(Variants))]
    public void Encodes_whole_files(string name, string variant)
    {
        Tokenizer tokenizer = GoldenTokenizers.Load(name, variant);
        JsonElement golden = GoldenTokenizers.Golden(name, "whole_file.json").GetProperty("variants").GetProperty(variant);
        string wt2 = Shared.Path("data", "wt2_test.txt");
        string ptb = Shared.Path("data", "ptb_valid.txt");
        Check("wt2_test_file", tokenizer.EncodeUtf8(File.ReadAllBytes(wt2), addSpecial: false));
        Check("wt2_test_rows_joined", tokenizer.Encode(Corpus.Read(new TextSource(wt2)), addSpecial: false));
        Check("ptb_valid_joined", tokenizer.Encode(Corpus.Read(new TextSource(ptb, StripRows: true)), addSpecial: false));

        void Check(string text, int[] ids)
        {
            JsonElement expected = golden.GetProperty(text);
            Assert.Equal(expected.GetProperty("n").GetInt32(), ids.Length);
            string hash = Convert.ToHexStringLower(SHA256.HashData(MemoryMarshal.AsBytes<int>(ids)));
            Assert.Equal(expected.GetProperty("sha256_int32le").GetString(), hash);
        }
    }

    private static JsonElement Pick(JsonElement item, string variant, string field) =>
        item.TryGetProperty(variant, out JsonElement own) && own.TryGetProperty(field, out JsonElement value) ? value : item.GetProperty(field);

    private static int[] Ids(JsonElement list) => [.. list.EnumerateArray().Select(id => id.GetInt32())];
}
