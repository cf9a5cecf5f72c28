using NativeEngine.Spec;

namespace NativeEngine.Tune;

/// <summary>The maps that <see cref="LoraTargets"/> names, as roles, in the order of the forward.</summary>
public static class LoraTargetRoles
{
    private static readonly (LoraTargets Target, Role Role, string Word)[] Table =
    [
        (LoraTargets.Q, Role.AttnQ, "q"),
        (LoraTargets.K, Role.AttnK, "k"),
        (LoraTargets.V, Role.AttnV, "v"),
        (LoraTargets.O, Role.AttnOut, "o"),
        (LoraTargets.Gate, Role.MlpGate, "gate"),
        (LoraTargets.Up, Role.MlpUp, "up"),
        (LoraTargets.Down, Role.MlpDown, "down"),
    ];

    /// <summary>Every role that can have an adapter.</summary>
    internal static IReadOnlyList<Role> All { get; } = [.. Table.Select(t => t.Role)];

    /// <summary>The words of the command line.</summary>
    public static IReadOnlyList<string> Words { get; } = [.. Table.Select(t => t.Word)];

    /// <summary>Reads words with commas between them; false where one is not known or none is there.</summary>
    public static bool TryParse(string text, out LoraTargets targets)
    {
        targets = default;
        foreach (string word in text.Split(',', StringSplitOptions.TrimEntries))
        {
            int i = Array.FindIndex(Table, t => t.Word == word);
            if (i < 0)
            {
                return false;
            }

            targets |= Table[i].Target;
        }

        return true;
    }

    /// <summary>What <see cref="TryParse"/> reads.</summary>
    public static string Format(LoraTargets targets) => string.Join(',', Table.Where(t => targets.HasFlag(t.Target)).Select(t => t.Word));

    /// <summary>The words for <paramref name="roles"/>, each once.</summary>
    internal static string Format(IEnumerable<Role> roles) => string.Join(',', Table.Where(t => roles.Contains(t.Role)).Select(t => t.Word));

    /// <summary>
    /// The roles of <paramref name="targets"/> in a model; null stands for all that it has, and a notice says which it has not. Error: NE2040 a
    /// target that was asked for is lacking.
    /// </summary>
    internal static IReadOnlyList<Role> Of(LoraTargets? targets, ModelSpec spec, IReporter reporter)
    {
        HashSet<Role> present = [.. spec.LayerParameters(0).Select(p => p.Role)];
        (LoraTargets Target, Role Role, string Word)[] asked = [.. Table.Where(t => (targets ?? LoraTargets.All).HasFlag(t.Target))];
        string[] lacking = [.. asked.Where(t => !present.Contains(t.Role)).Select(t => t.Word)];
        if (lacking.Length > 0 && targets is not null)
        {
            throw new EngineException("NE2040", $"{spec.ModelType} models have no such linear map")
            {
                Key = "--targets",
                Found = string.Join(',', lacking),
                Expected = string.Join(',', Table.Where(t => present.Contains(t.Role)).Select(t => t.Word)),
            };
        }

        if (lacking.Length > 0)
        {
            reporter.Notice($"no adapters for {string.Join(',', lacking)}: {spec.ModelType} models have no such linear map");
        }

        return [.. asked.Where(t => present.Contains(t.Role)).Select(t => t.Role)];
    }
}
