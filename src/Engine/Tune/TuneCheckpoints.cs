using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using NativeEngine.Checkpoints;
using NativeEngine.Kernels;

namespace NativeEngine.Tune;

/// <summary>
/// The saved states of a run, beside its output: OUT.tune/checkpoint-STEP, each a folder that appears whole or not at all and has a
/// manifest. They are not in OUT, because that exists only once it is complete. The newest two are kept.
/// </summary>
internal sealed class TuneCheckpoints
{
    private const string Prefix = "checkpoint-", StateFile = "state.json", TensorFile = "state";
    private const int Kept = 2;
    private static readonly TimeSpan Interval = TimeSpan.FromMinutes(10);

    private readonly Session session;
    private readonly string model;
    private readonly RunIdentity identity;
    private readonly TimeProvider time;
    private int? savedStep;
    private long savedAt;

    /// <summary>The saved states of the run that writes <paramref name="output"/>.</summary>
    /// <param name="session">its device and its reporter</param>
    /// <param name="model">the model's folder, which must not be touched</param>
    /// <param name="output">the folder that the run writes</param>
    /// <param name="identity">what the run is made of</param>
    /// <param name="time">the clock of <see cref="IsDue"/></param>
    public TuneCheckpoints(Session session, string model, string output, RunIdentity identity, TimeProvider? time = null)
    {
        (this.session, this.model, this.identity, this.time) = (session, model, identity, time ?? TimeProvider.System);
        Folder = FolderOf(output);
        savedAt = this.time.GetTimestamp();
    }

    /// <summary>Where the states are.</summary>
    public string Folder { get; }

    /// <summary>The newest saved state of the run that writes <paramref name="output"/>; null where there is none.</summary>
    public static string? Newest(string output) => Saved(FolderOf(output)).FirstOrDefault();

    /// <summary>True when the last state was saved ten minutes ago.</summary>
    public bool IsDue => time.GetElapsedTime(savedAt) >= Interval;

    /// <summary>
    /// Where an earlier run left states: with <paramref name="resume"/> makes the newest whole one the <paramref name="state"/>, with
    /// <paramref name="overwrite"/> removes them. Errors: NE11005 neither was asked for, NE12001 the earlier run was another one,
    /// NE3220 none of its states is whole.
    /// </summary>
    public void Begin(TuneState state, bool resume, bool overwrite)
    {
        string[] saved = [.. Saved(Folder)];
        if (resume)
        {
            Resume(state, saved);
        }
        else if (saved.Length > 0 && !overwrite)
        {
            throw Errors.Rule("NE11005", Folder, "an interrupted run with this output left its state", found: Path.GetFileName(saved[0]),
                hint: "go on with --resume, or begin anew with --overwrite");
        }
        else
        {
            Remove();
        }
    }

    /// <summary>Saves <paramref name="state"/>, durably, and removes all but the newest two. Errors: NE6001, NE6002, NE5010.</summary>
    public void Save(TuneState state)
    {
        if (state.Step == savedStep)
        {
            return;
        }

        (string Name, Tensor Value)[] tensors = [.. Tensors(state)];
        string folder = Path.Combine(Folder, Prefix + state.Step.ToString(CultureInfo.InvariantCulture));

        // What has this name is damaged, or it would have been resumed from.
        Disk.Discard(folder, recursive: true);
        TensorPlan[] plan = [.. tensors.Select(t => new TensorPlan(t.Name, DType.F32, t.Value.Shape))];
        using (var writer = new CheckpointWriter(folder, overwrite: false, plan, long.MaxValue, model, TensorFile))
        {
            foreach ((string name, Tensor value) in tensors)
            {
                writer.Write(session.Backend, name, value);
            }

            SavedState saved = new(identity.Facts, state.Losses, state.Evaluations, state.LossScale);
            writer.AddFile(StateFile, JsonSerializer.SerializeToUtf8Bytes(saved, TuneJson.Default.SavedState));
            writer.Commit([]);
        }

        foreach (string older in Saved(Folder).Skip(Kept))
        {
            Disk.Discard(older, recursive: true);
        }

        (savedStep, savedAt) = (state.Step, time.GetTimestamp());
    }

    /// <summary>Removes all states, once the output is complete. What else lies in the folder stays.</summary>
    public void Remove()
    {
        if (!Directory.Exists(Folder))
        {
            return;
        }

        foreach (string path in Directory.GetDirectories(Folder).Where(IsState))
        {
            Disk.Discard(path, recursive: true);
        }

        Disk.Discard(Folder, recursive: false);

        // A name with a dot in front is that of a state which was never completed.
        static bool IsState(string path) => Path.GetFileName(path).TrimStart('.').StartsWith(Prefix, StringComparison.Ordinal);
    }

    private void Resume(TuneState state, string[] saved)
    {
        foreach (string folder in saved)
        {
            try
            {
                Load(folder, state);
                savedStep = state.Step;
                return;
            }
            catch (EngineException e) when (e.Exit is ExitCode.InvalidInput or ExitCode.Io)
            {
                session.Reporter.Notice($"{folder} is damaged and not used: {e.Message}{(e.Found is null ? "" : $" ({e.Found})")}");
            }
        }

        if (saved.Length > 0)
        {
            throw Errors.Rule("NE3220", Folder, "no state of the interrupted run is whole", found: string.Join(", ", saved.Select(Path.GetFileName)),
                hint: "begin anew with --overwrite");
        }

        session.Reporter.Notice($"{Folder}: no state to resume from; the run begins at its first step");
    }

    private void Load(string folder, TuneState state)
    {
        if (Manifest.Verify(folder) is [string problem, ..])
        {
            throw NotWhole(folder, problem);
        }

        SavedState saved = Read(Path.Combine(folder, StateFile));
        if (identity.Differences(new RunIdentity(saved.Identity)) is { Count: > 0 } differences)
        {
            throw Errors.Rule("NE12001", folder, "the interrupted run differs from this one", found: string.Join("; ", differences),
                hint: "give the options and inputs of that run, or begin anew with --overwrite instead of --resume");
        }

        using SafetensorsFile file = SafetensorsFile.Open(Path.Combine(folder, TensorFile + ".safetensors"));
        state.Restore(saved.Losses, saved.Evaluations, saved.LossScale);
        foreach ((string name, Tensor value) in Tensors(state))
        {
            TensorEntry entry = file.Tensors.GetValueOrDefault(name) ?? throw NotWhole(file.Path, $"{name} is missing");
            file.Read(session.Backend, entry, value);
        }
    }

    private static SavedState Read(string path)
    {
        try
        {
            return JsonSerializer.Deserialize(InputFile.Read(path), TuneJson.Default.SavedState) ?? throw new JsonException("null");
        }
        catch (JsonException e)
        {
            throw NotWhole(path, e.Message);
        }
    }

    private static string FolderOf(string output) => ModelFolder.RealPath(output) + ".tune";

    private static EngineException NotWhole(string path, string found) => Errors.Rule("NE3221", path, "not a whole saved state", found: found);

    /// <summary>The saved states, newest first.</summary>
    private static IEnumerable<string> Saved(string folder) =>
        from path in Directory.Exists(folder) ? Directory.GetDirectories(folder, Prefix + "*") : []
        let step = int.TryParse(Path.GetFileName(path)[Prefix.Length..], NumberStyles.None, CultureInfo.InvariantCulture, out int n) ? n : -1
        where step >= 0
        orderby step descending
        select path;

    private static IEnumerable<(string Name, Tensor Value)> Tensors(TuneState state) =>
        from part in state.Sets()
        from t in part.Set.Tensors()
        select (FormattableString.Invariant($"{part.Name}.{t.Layer}.{t.Role}.{t.Factor}"), t.Value);
}

/// <summary>state.json of a saved state.</summary>
internal sealed record SavedState(
    IReadOnlyDictionary<string, string> Identity, IReadOnlyList<double> Losses, IReadOnlyList<Evaluation> Evaluations, LossScale? LossScale = null);

/// <summary>JSON of saved states, no reflection.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    WriteIndented = true,
    RespectRequiredConstructorParameters = true,
    RespectNullableAnnotations = true)]
[JsonSerializable(typeof(SavedState))]
internal sealed partial class TuneJson : JsonSerializerContext;
