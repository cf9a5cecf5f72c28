namespace NativeEngine.Cli.Options;

/// <summary>The error for a value that the contract knows and this version cannot serve: exit code 4, never a silent no-op.</summary>
internal static class Unsupported
{
    /// <summary>Names the option, what was asked for, and what there is.</summary>
    public static EngineException Value(string option, string found, string expected, string? hint = null) =>
        new("NE4901", $"this version does not support that value of '{option}'") { Key = option, Found = found, Expected = expected, Hint = hint };

    /// <summary>Names an option that has no effect to offer yet.</summary>
    public static EngineException Option(string option, string hint) =>
        new("NE4902", $"this version does not support '{option}'") { Key = option, Hint = hint };
}
