using System.Text.RegularExpressions;
using NativeEngine.Testing;

namespace NativeEngine.Tests;

/// <summary>A model is a row of a table: nothing outside the table may ask which family it has (tokenizers have a table of their own).</summary>
public sealed class FamiliesTests
{
    [Fact]
    public void Only_the_table_knows_the_families()
    {
        string engine = Path.Combine(Shared.Root, "src", "Engine");
        IEnumerable<string> offenders = Directory.EnumerateFiles(engine, "*.cs", SearchOption.AllDirectories)
            .Where(f => Path.GetFileName(f) != "Families.cs" && Path.GetFileName(f) != "TokenizerClass.cs" && !f.Contains($"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}", StringComparison.Ordinal))
            .Where(f => Regex.IsMatch(File.ReadAllText(f), "ModelType *(==|is|!=)|\"(opt|phi|llama)\""));
        Assert.Empty(offenders);
    }
}
