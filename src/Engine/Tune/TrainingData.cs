using NativeEngine.Spec;
using NativeEngine.Text;

namespace NativeEngine.Tune;

/// <summary>Reads the training set and the set that is held out of it, and says what it had to leave out.</summary>
internal sealed class TrainingData
{
    private readonly Session session;
    private readonly TuneOptions options;
    private readonly WindowReader windows;

    /// <summary>Reads both sets. Errors: those of <see cref="InstructionFile.Read"/> and <see cref="WindowReader"/>; NE3204 nothing to train on,
    /// NE2041 nothing is left to train on.</summary>
    public TrainingData(Session session, ModelSpec spec, TuneOptions options)
    {
        (this.session, this.options) = (session, options);
        windows = new WindowReader(session, spec, options.Model, options.Tokenizer);
        session.Phase("read");
        (Train, Eval) = (Read(options.Data), options.EvalData is null ? [] : Read(options.EvalData));
        if (options.EvalSamples is int n)
        {
            (Train, Eval) = HoldOut(Train, n, options.Seed);
        }
    }

    /// <summary>What is trained on, in the order of the file.</summary>
    public IReadOnlyList<TrainingExample> Train { get; }

    /// <summary>What the loss is measured on; empty where nothing was asked for.</summary>
    public IReadOnlyList<TrainingExample> Eval { get; }

    /// <summary>Which tokenizer was used; "none" for token files.</summary>
    public string TokenizerName => windows.TokenizerName;

    /// <summary>Takes <paramref name="n"/> examples out, drawn from <paramref name="seed"/>; both sets keep the order of the file. Error: NE2041.</summary>
    public static (IReadOnlyList<TrainingExample> Train, IReadOnlyList<TrainingExample> Eval) HoldOut(
        IReadOnlyList<TrainingExample> examples, int n, long seed)
    {
        if (n >= examples.Count)
        {
            throw new EngineException("NE2041", "nothing is left to train on")
            {
                Key = "--eval-samples",
                Found = $"{n} of {examples.Count} examples",
                Expected = $"at most {examples.Count - 1}",
            };
        }

        HashSet<int> drawn = [.. Shuffle.Order(examples.Count, seed)[..n]];
        return ([.. examples.Where((_, i) => !drawn.Contains(i))], [.. examples.Where((_, i) => drawn.Contains(i))]);
    }

    private TrainingExample[] Read(TextSource source)
    {
        (IEnumerable<TrainingExample> all, string unit) = options.Format == TuneFormat.Alpaca
            ? (Instructions(source.Path), "records are left out: their prompt leaves no room for an answer")
            : (windows.Training(source, options.Cutoff).Select(ids => new TrainingExample(ids)), "windows are left out: they are shorter than two tokens");
        List<TrainingExample> kept = [];
        int left = 0;
        foreach (TrainingExample example in all)
        {
            session.Cancel.ThrowIfCancellationRequested();
            if (example.TargetCount > 0)
            {
                kept.Add(example);
            }
            else
            {
                left++;
            }
        }

        if (left > 0)
        {
            session.Reporter.Notice($"{source.Path}: {left} of {kept.Count + left} {unit}");
        }

        if (kept.Count(example => example.IsCut) is > 0 and int cut)
        {
            session.Reporter.Notice($"{source.Path}: {cut} of {kept.Count + left} records lose the end of their answer: they are longer than the cutoff");
        }

        return kept.Count > 0 ? [.. kept] : throw new EngineException("NE3204", "there is nothing to train on")
        {
            File = source.Path,
            Found = $"{left} {unit}",
            Expected = "one or more with a token to predict",
            Hint = "use a larger --cutoff or other data",
        };
    }

    private IEnumerable<TrainingExample> Instructions(string path)
    {
        var data = new InstructionData(windows.Tokenizer, windows.Fit(options.Cutoff, "--cutoff"), options.TrainOnInputs);
        foreach (InstructionRecord record in InstructionFile.Read(path))
        {
            TrainingExample example = data.Encode(record);
            windows.CheckIds(example.Ids, path);
            yield return example;
        }
    }
}
