using System.Buffers;
using System.Text;

namespace NativeEngine.Text;

/// <summary>Puts a string in front of every piece that is not empty.</summary>
internal sealed class PrependNormalizer(byte[] prefix) : TextStage
{
    public override void Apply(Pieces pieces) => pieces.Rewrite((p, i, output) =>
    {
        if (p[i].Length > 0)
        {
            output.Write(prefix);
        }

        output.Write(p[i]);
    });
}

/// <summary>Replaces every occurrence of a string.</summary>
internal sealed class ReplaceNormalizer(byte[] pattern, byte[] content) : TextStage
{
    public override void Apply(Pieces pieces) => pieces.Rewrite((p, i, output) => Replace(p[i], pattern, content, output));

    public static void Replace(ReadOnlySpan<byte> text, ReadOnlySpan<byte> pattern, ReadOnlySpan<byte> content, ArrayBufferWriter<byte> output)
    {
        for (int at = text.IndexOf(pattern); at >= 0; at = text.IndexOf(pattern))
        {
            output.Write(text[..at]);
            output.Write(content);
            text = text[(at + pattern.Length)..];
        }

        output.Write(text);
    }
}

/// <summary>NFC, NFD, NFKC or NFKD.</summary>
internal sealed class UnicodeNormalizer : TextStage
{
    private const int MaxMixedMarks = 4096;
    private readonly NormalizationForm form;

    /// <exception cref="EngineException">NE8100: this .NET cannot normalize</exception>
    public UnicodeNormalizer(NormalizationForm form, string file)
    {
        this.form = form;
        string known = form switch
        {
            NormalizationForm.FormC => "\u00E9\uAC00\uFB01",
            NormalizationForm.FormD => "e\u0301\u1100\u1161\uFB01",
            NormalizationForm.FormKC => "\u00E9\uAC00fi",
            _ => "e\u0301\u1100\u1161fi",
        };
        if (Normalized("e\u0301\u1100\u1161\uFB01") != known)
        {
            throw new EngineException("NE8100", "this tokenizer needs Unicode normalization, which this process cannot do")
            {
                File = file,
                Key = "normalizer",
                Found = "globalization is invariant, or ICU is missing",
                Hint = "install libicu and unset DOTNET_SYSTEM_GLOBALIZATION_INVARIANT",
            };
        }
    }

    /// <summary>
    /// Normalizes runs beyond ASCII, each with the one ASCII character before it, which a combining mark may change.
    /// A run ends at U+FFFE too: .NET refuses to normalize it, and nothing composes with it.
    /// </summary>
    public override void Apply(Pieces pieces) => pieces.Rewrite((p, i, output) =>
    {
        ReadOnlySpan<byte> text = p[i];
        while (text.Length > 0)
        {
            int run = text.IndexOfAnyExceptInRange((byte)0, (byte)0x7F);
            if (run < 0)
            {
                output.Write(text);
                return;
            }

            int start = int.Max(run - 1, 0);
            output.Write(text[..start]);
            text = text[start..];
            int end = text[1..].IndexOfAnyInRange((byte)0, (byte)0x7F) + 1;
            ReadOnlySpan<byte> part = end == 0 ? text : text[..end];
            text = text[part.Length..];
            for (int bad = part.IndexOf("\uFFFE"u8); bad >= 0; bad = part.IndexOf("\uFFFE"u8))
            {
                Normalize(part[..bad], output);
                output.Write("\uFFFE"u8);
                part = part[(bad + 3)..];
            }

            Normalize(part, output);
        }
    });

    private void Normalize(ReadOnlySpan<byte> text, ArrayBufferWriter<byte> output)
    {
        string part = Encoding.UTF8.GetString(text);
        if (part.Length > MaxMixedMarks)
        {
            RefuseLongMarkRuns(part);
        }

        if (part.IsNormalized(form))
        {
            output.Write(text);
        }
        else
        {
            Encoding.UTF8.GetBytes(part.Normalize(form), output);
        }
    }

    /// <summary>ICU sorts the marks on one character in quadratic time, which a hostile text would turn into minutes.</summary>
    private static void RefuseLongMarkRuns(string text)
    {
        int run = 0;
        bool mixed = false;
        Rune previous = default;
        foreach (Rune rune in text.EnumerateRunes())
        {
            bool mark = UnicodeClasses.IsMark(rune);
            mixed = mark && (mixed || (run > 0 && rune != previous));
            run = mark ? run + 1 : 0;
            previous = rune;
            if (mixed && run > MaxMixedMarks)
            {
                throw new EngineException("NE4112", $"the text has more than {MaxMixedMarks} combining marks on one character")
                {
                    Key = "text",
                    Found = $"a run of marks from U+{rune.Value:X4}",
                    Expected = $"at most {MaxMixedMarks} different marks in a row",
                    Hint = "remove the run; no language needs it",
                };
            }
        }
    }

    private string? Normalized(string text)
    {
        try
        {
            return text.Normalize(form);
        }
        catch (PlatformNotSupportedException)
        {
            return null;
        }
    }
}
