namespace NativeEngine.Cli;

/// <summary>The engine calls that commands make. Tests replace single ones to see what the command line does with their outcome.</summary>
internal sealed record EngineCalls
{
    public Func<Session, string, InspectResult> Inspect { get; init; } = Verbs.Inspect;

    public Func<Session, TokenizeOptions, TokenizeResult> Tokenize { get; init; } = Verbs.Tokenize;

    public Func<Session, PerplexityOptions, PerplexityResult> Perplexity { get; init; } = Verbs.Perplexity;

    public Func<Session, SliceOptions, SliceResult> Slice { get; init; } = Verbs.Slice;

    public Func<Session, GroupsOptions, GroupsResult> Groups { get; init; } = Verbs.Groups;

    public Func<Session, PruneOptions, PruneResult> Prune { get; init; } = Verbs.Prune;

    public Func<Session, GenerateOptions, GenerateResult> Generate { get; init; } = Verbs.Generate;

    public Func<Session, ExportOptions, ExportResult> Export { get; init; } = Verbs.Export;

    public Func<Session, TuneOptions, TuneResult> Tune { get; init; } = Verbs.Tune;

    public Func<Session, MergeOptions, MergeResult> Merge { get; init; } = Verbs.Merge;
}
