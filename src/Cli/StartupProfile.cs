using System.Runtime.Loader;

namespace NativeEngine.Cli;

/// <summary>
/// What the runtime compiled in the last run of a verb, so that in the next one a second thread compiles it while the command line
/// and the model are still being read. Only where a publish made a folder for it beside the program: it may be deleted, and need not
/// be writable. A profile of another build is ignored, and so is one that is broken.
/// </summary>
internal static class StartupProfile
{
    private static readonly string Folder = Path.Combine(AppContext.BaseDirectory, "startup");

    /// <summary>Compiles what <paramref name="verb"/> needed last time, and notes what it needs this time when the process ends. The name of the verb is that of a file.</summary>
    public static void Replay(string verb)
    {
        if (Directory.Exists(Folder))
        {
            AssemblyLoadContext.Default.SetProfileOptimizationRoot(Folder);
            AssemblyLoadContext.Default.StartProfileOptimization(verb);
        }
    }
}
