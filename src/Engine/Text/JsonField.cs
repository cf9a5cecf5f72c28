using System.Text.Json;

namespace NativeEngine.Text;

/// <summary>A value of a JSON file together with where it stands, so that every error can name both.</summary>
internal readonly record struct JsonField(JsonElement Element, string Path, string File)
{
    public bool IsNull => Element.ValueKind is JsonValueKind.Null or JsonValueKind.Undefined;

    public bool IsText => Element.ValueKind == JsonValueKind.String;

    public bool IsList => Element.ValueKind == JsonValueKind.Array;

    public bool IsObject => Element.ValueKind == JsonValueKind.Object;

    /// <summary>A member that may be absent or null.</summary>
    public JsonField? Optional(string name)
    {
        if (!IsObject)
        {
            throw Wrong("an object");
        }

        return Element.TryGetProperty(name, out JsonElement value) && value.ValueKind != JsonValueKind.Null ? new JsonField(value, Join(name), File) : null;
    }

    /// <summary>A member that must be there.</summary>
    public JsonField Required(string name) => Optional(name) ?? throw new EngineException("NE3102", $"{Join(name)} is missing")
    {
        File = File,
        Key = Join(name),
        Expected = "a value",
        Found = "none",
        Hint = "fetch the tokenizer files of the model again",
    };

    public string Text()
    {
        try
        {
            return Element.ValueKind == JsonValueKind.String ? Element.GetString()! : throw Wrong("a string");
        }
        catch (InvalidOperationException e)
        {
            throw HalfSurrogate(Path, e);
        }
    }

    public int Integer() => Element.ValueKind == JsonValueKind.Number && Element.TryGetInt32(out int value) ? value : throw Wrong("an integer");

    public bool Flag() => Element.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => throw Wrong("true or false"),
    };

    /// <summary>A flag that may be absent.</summary>
    public bool Flag(string name, bool otherwise) => Optional(name)?.Flag() ?? otherwise;

    public IEnumerable<JsonField> Items()
    {
        if (!IsList)
        {
            throw Wrong("a list");
        }

        int i = 0;
        foreach (JsonElement item in Element.EnumerateArray())
        {
            yield return new JsonField(item, $"{Path}[{i++}]", File);
        }
    }

    public IEnumerable<(string Name, JsonField Value)> Members()
    {
        if (!IsObject)
        {
            throw Wrong("an object");
        }

        foreach (JsonProperty member in Element.EnumerateObject())
        {
            string name = NameOf(member);
            yield return (name, new JsonField(member.Value, Join(name), File));
        }
    }

    /// <summary>The error for a value that is not what it should be.</summary>
    public EngineException Wrong(string expected) => new("NE3102", $"{Path} is not {expected}")
    {
        File = File,
        Key = Path,
        Expected = expected,
        Found = Excerpt(),
        Hint = "fetch the tokenizer files of the model again",
    };

    /// <summary>The error for a component that the engine does not have.</summary>
    public EngineException Unsupported(string what, string allowed) => new("NE4101", $"{Path}: {what} is not supported")
    {
        File = File,
        Key = Path,
        Expected = allowed,
        Found = what,
        Hint = "--tokenizer slow may work where there is a tokenizer.model; or tokenize elsewhere and pass ids",
    };

    private string NameOf(JsonProperty member)
    {
        try
        {
            return member.Name;
        }
        catch (InvalidOperationException e)
        {
            throw HalfSurrogate(Path, e);
        }
    }

    private EngineException HalfSurrogate(string path, Exception e) => new("NE3102", $"{path} holds half a surrogate pair", e)
    {
        File = File,
        Key = path,
        Expected = "Unicode text",
        Found = "an escape such as \\ud800 alone",
        Hint = "fetch the tokenizer files of the model again",
    };

    private string Excerpt()
    {
        string raw = Element.ValueKind == JsonValueKind.Undefined ? "nothing" : Element.GetRawText();
        return raw.Length > 80 ? raw[..80] + "…" : raw;
    }

    private string Join(string name) => Path.Length == 0 ? name : $"{Path}.{name}";
}
