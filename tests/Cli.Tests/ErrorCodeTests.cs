using System.Text.RegularExpressions;
using NativeEngine.Testing;

namespace NativeEngine.Cli.Tests;

/// <summary>A code means one thing.</summary>
public sealed partial class ErrorCodeTests
{
    /// <summary>Codes of one rule that is broken in several ways: "is not a manifest", "the entry of a tensor is malformed", and the like.</summary>
    private static readonly string[] OneRuleManyWays =
    [
        "NE3011", "NE3020", "NE3023", "NE3030", "NE3045", "NE3060", "NE3101", "NE3102", "NE3106", "NE3108", "NE3110", "NE3133", "NE3134", "NE5002", "NE11001", "NE11003",
    ];

    [Fact]
    public void No_code_is_thrown_with_different_messages()
    {
        var sites = from file in Directory.EnumerateFiles(Path.Combine(Shared.Root, "src"), "*.cs", SearchOption.AllDirectories)
                    where !file.Contains($"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}", StringComparison.Ordinal)
                    from Match site in Site().Matches(File.ReadAllText(file))
                    select (Code: site.Groups["code"].Value, Message: site.Groups["message"].Value, File: Path.GetFileName(file));
        ILookup<string, (string Code, string Message, string File)> byCode = sites.ToLookup(site => site.Code);
        Assert.InRange(byCode.Count, 100, 1000);
        Assert.Empty(byCode
            .Where(code => code.Select(site => site.Message).Distinct().Count() > 1 && !OneRuleManyWays.Contains(code.Key))
            .Select(code => $"{code.Key}: {string.Join("; ", code.Select(site => $"{site.File}: {site.Message}"))}"));
        Assert.All(OneRuleManyWays, code => Assert.True(byCode[code].Count() > 1, $"{code} needs no exception"));
    }

    /// <summary>A code, and the first text behind it in the same statement.</summary>
    [GeneratedRegex("""\"(?<code>NE\d{4,6})\"(?<message>[^;"]*"(?:[^"\\]|\\.)*")?""")]
    private static partial Regex Site();
}
