using System.Text;
using NativeEngine.Checkpoints;

namespace NativeEngine.Text;

/// <summary>What a piece of a SentencePiece model is for.</summary>
internal enum PieceType
{
    /// <summary>Text.</summary>
    Normal = 1,

    /// <summary>Stands for everything unknown.</summary>
    Unknown = 2,

    /// <summary>Never found in text, such as &lt;s&gt;.</summary>
    Control = 3,

    /// <summary>Text that is always one piece.</summary>
    UserDefined = 4,

    /// <summary>No longer produced.</summary>
    Unused = 5,

    /// <summary>One byte.</summary>
    Byte = 6,
}

/// <summary>One piece.</summary>
internal readonly record struct SentencePiece(string Text, float Score, PieceType Type);

/// <summary>A SentencePiece model of type BPE, as tokenizer.model holds it (protobuf ModelProto), checked.</summary>
internal sealed class SentencePieceModel
{
    public const string FileName = "tokenizer.model";
    private const int MaxPieceBytes = 1024;
    private const int BytePairModel = 2;
    private static readonly UTF8Encoding Strict = new(false, throwOnInvalidBytes: true);
    private readonly string file;
    private int modelType = 1;
    private bool whitespaceAsSuffix;

    private SentencePieceModel(string file) => this.file = file;

    public List<SentencePiece> Pieces { get; } = [];

    public Vocabulary Vocabulary { get; } = new();

    /// <summary>The piece for what is unknown.</summary>
    public int UnknownId { get; private set; }

    public string UnknownPiece => Pieces[UnknownId].Text;

    /// <summary>What the unknown piece decodes to.</summary>
    public string UnknownSurface { get; private set; } = " \u2047 ";

    public bool ByteFallback { get; private set; }

    /// <summary>The ids of the 256 byte pieces; null without byte fallback.</summary>
    public int[]? ByteIds { get; private set; }

    /// <summary>Put a space in front of the text.</summary>
    public bool AddDummyPrefix { get; private set; } = true;

    public bool RemoveExtraWhitespaces { get; private set; } = true;

    /// <summary>Write spaces as ▁.</summary>
    public bool EscapeWhitespaces { get; private set; } = true;

    /// <summary>Replacements applied to the text first; null when there are none.</summary>
    public CharsMap? CharsMap { get; private set; }

    /// <exception cref="EngineException">NE312x, NE313x: the file is broken; NE4102, NE4103, NE4105: it needs something that is not supported</exception>
    public static SentencePieceModel Read(ModelFolder folder, IReporter reporter) => Read(folder.Read(FileName), folder.PathOf(FileName), reporter);

    /// <summary>As <see cref="Read(ModelFolder, IReporter)"/>, of a file that is in memory.</summary>
    public static SentencePieceModel Read(ReadOnlySpan<byte> proto, string path, IReporter reporter)
    {
        var model = new SentencePieceModel(path);
        var reader = new ProtobufReader(proto, path);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    model.ReadPiece(reader.Message(), reader.Offset, reporter);
                    break;
                case 2:
                    model.ReadTrainerSpec(reader.Message());
                    break;
                case 3:
                    model.ReadNormalizerSpec(reader.Message());
                    break;
                default:
                    reader.Skip();
                    break;
            }
        }

        model.Check();
        return model;
    }

    public bool IsControl(int id) => Pieces[id].Type == PieceType.Control;

    private void ReadPiece(ProtobufReader reader, int offset, IReporter reporter)
    {
        int id = Pieces.Count;
        string text = "";
        float score = 0;
        PieceType type = PieceType.Normal;
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    text = PieceText(reader.Bytes(), id);
                    break;
                case 2:
                    score = reader.Single();
                    break;
                case 3:
                    type = (PieceType)reader.Number();
                    break;
                default:
                    reader.Skip();
                    break;
            }
        }

        if (text.Length == 0 || !float.IsFinite(score) || !Enum.IsDefined(type))
        {
            string found = $"text '{text}', score {score}, type {(int)type}";
            throw Broken("NE3127", $"piece {id} is not valid", found, "a text, a finite score and a type of 1 to 6", offset);
        }

        if (text.Contains('\0', StringComparison.Ordinal))
        {
            reporter.Notice($"{file}: piece {id} contains a NUL character");
        }

        if (type == PieceType.Byte && ByteToken.Value(text) is null)
        {
            throw Broken("NE3110", $"piece {id} is not a byte token", $"'{text}'", "<0x00> to <0xFF>", offset);
        }

        if (type == PieceType.Unused)
        {
            throw Unsupported("NE4105", $"piece {id} '{text}' is marked unused", "pieces of type normal, unknown, control, user-defined or byte");
        }

        if (id >= Vocabulary.MaxSize || !Vocabulary.TryAdd(text, id))
        {
            throw Broken("NE3128", $"piece {id} is there twice", $"'{text}', also piece {Vocabulary.Id(text)}", "every piece once", offset);
        }

        Pieces.Add(new SentencePiece(text, score, type));
    }

    private string PieceText(ReadOnlySpan<byte> utf8, int id)
    {
        if (utf8.Length > MaxPieceBytes)
        {
            throw Broken("NE3129", $"piece {id} is too long", $"{utf8.Length} bytes", $"at most {MaxPieceBytes} bytes");
        }

        try
        {
            return Strict.GetString(utf8);
        }
        catch (DecoderFallbackException)
        {
            throw Broken("NE3130", $"piece {id} is not UTF-8", Convert.ToHexString(utf8), "UTF-8");
        }
    }

    private void ReadTrainerSpec(ProtobufReader reader)
    {
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 3:
                    modelType = reader.Number();
                    break;
                case 24:
                    whitespaceAsSuffix = reader.Flag();
                    break;
                case 35:
                    ByteFallback = reader.Flag();
                    break;
                case 44:
                    UnknownSurface = Encoding.UTF8.GetString(reader.Bytes());
                    break;
                default:
                    reader.Skip();
                    break;
            }
        }
    }

    private void ReadNormalizerSpec(ProtobufReader reader)
    {
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 2:
                    ReadOnlySpan<byte> map = reader.Bytes();
                    CharsMap = map.Length == 0 ? null : CharsMap.Read(map, file);
                    break;
                case 3:
                    AddDummyPrefix = reader.Flag();
                    break;
                case 4:
                    RemoveExtraWhitespaces = reader.Flag();
                    break;
                case 5:
                    EscapeWhitespaces = reader.Flag();
                    break;
                default:
                    reader.Skip();
                    break;
            }
        }
    }

    private void Check()
    {
        if (Pieces.Count == 0)
        {
            throw Broken("NE3126", "the model has no pieces", "none", "a SentencePiece model");
        }

        if (modelType != BytePairModel)
        {
            string name = modelType switch
            {
                1 => "unigram",
                3 => "word",
                4 => "char",
                _ => $"number {modelType}",
            };
            throw Unsupported("NE4102", $"a SentencePiece model of type {name}", "BPE");
        }

        if (whitespaceAsSuffix)
        {
            throw Unsupported("NE4103", "treat_whitespace_as_suffix", "spaces in front of words");
        }

        int unknowns = Pieces.Count(p => p.Type == PieceType.Unknown);
        if (unknowns != 1)
        {
            throw Broken("NE3131", "the model does not have exactly one unknown piece", $"{unknowns}", "one piece of type unknown");
        }

        UnknownId = Pieces.FindIndex(p => p.Type == PieceType.Unknown);
        ByteIds = ByteFallback ? TokenizerModel.ByteIds(Vocabulary, file) : null;
        if (ByteFallback && ByteIds is null)
        {
            throw Broken("NE3132", "byte fallback is on, but there are no byte pieces", "none of <0x00> to <0xFF>", "all 256");
        }
    }

    private EngineException Broken(string code, string what, string found, string expected, int? offset = null) => new(code, what)
    {
        File = file,
        Key = offset is null ? "pieces" : $"byte {offset}",
        Found = found,
        Expected = expected,
        Hint = "fetch tokenizer.model again",
    };

    private EngineException Unsupported(string code, string what, string allowed) => new(code, $"{what} is not supported")
    {
        File = file,
        Key = "tokenizer.model",
        Found = what,
        Expected = allowed,
        Hint = "use --tokenizer file where there is a tokenizer.json",
    };
}
