namespace NativeEngine.Prune;

/// <summary>Options of <c>prune</c> that were given and decide nothing, because another one decides without them.</summary>
internal static class IdleOptions
{
    private static readonly string[] Text = ["--calibration", "--samples", "--seqlen"], Blocks = ["--attention-layers", "--mlp-layers", "--round", "--global"];

    /// <summary>A line for each option of <paramref name="o"/> that does not have its default and plays no part.</summary>
    public static IEnumerable<string> Notices(PruneOptions o)
    {
        PruneOptions byDefault = new(o.Model);
        (string Name, bool IsGiven)[] options =
        [
            ("--calibration", o.Calibration is not null),
            ("--scope", o.Scope != byDefault.Scope),
            ("--importance", o.Importance != byDefault.Importance),
            ("--taylor", o.Taylor != byDefault.Taylor),
            ("--grouping", o.Grouping != byDefault.Grouping),
            ("--attention-layers", o.AttentionLayers is not null),
            ("--mlp-layers", o.MlpLayers is not null),
            ("--samples", o.Samples != byDefault.Samples),
            ("--seqlen", o.SeqLen != byDefault.SeqLen),
            ("--iterations", o.Iterations != byDefault.Iterations),
            ("--global", o.Global),
            ("--round", o.Round is not null),
            ("--layer-score", o.LayerScore != byDefault.LayerScore),
        ];
        string[] given = [.. options.Where(option => option.IsGiven).Select(option => option.Name)];
        bool layers = o.Scope == PruneScope.Layer;
        (string Decides, bool Holds, string[] Idle)[] rules =
        [
            ("--apply-plan", o.ApplyPlan is not null, given),
            ("--scope layer", layers, ["--importance", "--taylor", "--grouping", .. Blocks]),
            ("--layer-score first", layers && o.LayerScore == LayerScore.First, Text),
            ("--scope channel", o.Scope == PruneScope.Channel, ["--layer-score", .. Blocks]),
            ("--scope block", o.Scope == PruneScope.Block, ["--layer-score"]),
            ($"--importance {EffectiveOptions.SnakeCase(o.Importance)}", !layers && o.Importance != ImportanceKind.Taylor, ["--taylor", "--grouping", .. Text]),
        ];
        return from option in given
               let rule = rules.FirstOrDefault(r => r.Holds && r.Idle.Contains(option))
               where rule.Decides is not null
               select $"{option} plays no part with {rule.Decides}";
    }
}
