namespace NativeEngine.Testing;

/// <summary>Where the reference data lies: the folder <c>shared</c> beside the repository, when it is there.</summary>
internal static class Shared
{
    /// <summary>Root of the repository.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>The path of a file or folder of the reference data; skips the test with the reason when it is not there.</summary>
    public static string Path(params string[] parts)
    {
        string path = System.IO.Path.GetFullPath(System.IO.Path.Combine([Root, "..", "shared", .. parts]));
        Skip.IfNot(File.Exists(path) || Directory.Exists(path), $"reference data not found: {path}");
        return path;
    }

    /// <summary>The path of a small file that is committed under tests/fixtures.</summary>
    public static string Fixture(params string[] parts) => System.IO.Path.Combine([Root, "tests", "fixtures", .. parts]);

    private static string FindRoot()
    {
        for (string? d = AppContext.BaseDirectory; d is not null; d = System.IO.Path.GetDirectoryName(d))
        {
            if (File.Exists(System.IO.Path.Combine(d, "NativeEngine.sln")))
            {
                return d;
            }
        }

        throw new DirectoryNotFoundException("NativeEngine.sln is in no parent folder of " + AppContext.BaseDirectory);
    }
}
