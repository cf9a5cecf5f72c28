using System.Runtime.Loader;

namespace NativeEngine.Cli;

/// <summary>
/// What the runtime compiled in the last run of a verb, so that in the next one a second thread compiles it while the command line
/// and the model are still being read. Only where a publish made a folder for it beside the program; one that cannot be written does no harm.
/// </summary>
internal static class StartupProfile
{
    private static readonly string Folder = Path.Combine(AppContext.BaseDirectory, "startup");

    /// <summary>Compiles what <paramref name="verb"/> needed last time, and notes what it needs this time when the process ends.</summary>
    public static void Replay(string verb)
    {
        if (Directory.Exists(Folder))
        {
            AssemblyLoadContext.Default.SetProfileOptimizationRoot(Folder);
            AssemblyLoadContext.Default.StartProfileOptimization(verb);
        }
    }
}
