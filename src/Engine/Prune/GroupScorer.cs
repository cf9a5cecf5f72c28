using System.Numerics;
using NativeEngine.Kernels;
using NativeEngine.Model;
using NativeEngine.Spec;

namespace NativeEngine.Prune;

/// <summary>
/// Scores groups, one layer at a time: a member is scored while its weight is in memory, and its gradient, where one is needed,
/// as soon as it is complete. Biases do not count, as in the reference (L2).
/// </summary>
/// <param name="session">device</param>
/// <param name="model">what is scored</param>
/// <param name="importance">how</param>
/// <param name="groups">of <paramref name="model"/>'s spec</param>
/// <param name="kept">quirk L10: gradients that earlier steps left and this one adds to; null to begin each step at zero</param>
internal sealed class GroupScorer(Session session, CausalModel model, Importance importance, IReadOnlyList<Group> groups, KeptGradients? kept = null) : IGradientSink
{
    private readonly IBackend backend = session.Backend;
    private readonly Dictionary<Member, double[]> scores = [];
    private readonly ILookup<int, Member> byLayer = groups.SelectMany(g => g.Members).ToLookup(m => m.Layer);
    private double lossScale = 1; // scores are so many times as large until they are complete

    /// <inheritdoc/>
    public int FirstLayer => Outer is not null ? 0 : byLayer.Select(layer => layer.Key).DefaultIfEmpty(0).Min();

    /// <inheritdoc/>
    public OuterGradients? Outer { get; private set; }

    /// <summary>The scores of all groups; <paramref name="batches"/> are the examples where gradients are needed.</summary>
    public IReadOnlyList<ScoredGroup> Score(IReadOnlyList<LabelledBatch> batches)
    {
        if (importance.Kind == ImportanceKind.Random)
        {
            return [.. groups.Select(g => Scored(g, Random(g)))];
        }

        OuterWeights? outer = byLayer.Contains(-1) ? model.Outer : null;
        if (importance.NeedsGradients)
        {
            using OuterGradients? gradients = Outer = outer is null ? null : OuterGradients.Zeros(backend, outer, model.Spec.TiedHead, DType.F32);
            using var pass = new GradientPass(session, model, model.DType, session.ActivationMemory);
            if (model.DType == DType.F16)
            {
                lossScale = BitOperations.RoundUpToPowerOf2((ulong)batches.Sum(b => b.TargetCounts.Sum(n => (long)n))); // of a token rather than of the mean
            }

            pass.Run(batches, this, lossScale: lossScale);
            ScoreOuter(outer, gradients);
        }
        else
        {
            ScoreOuter(outer, null);
            foreach (int l in byLayer.Select(layer => layer.Key).Where(l => l >= 0).Order())
            {
                session.Cancel.ThrowIfCancellationRequested();
                LayerWeights layer = model.Layer(l);
                ScoreLayer(l, layer, null);
                model.Release(layer);
            }
        }

        return [.. groups.Select(g => Scored(g, importance.Reduce(g, [.. g.Members.Select(m => scores[m])])))];
    }

    /// <inheritdoc/>
    public IReadOnlyList<StationGradients>? Begin(int l, LayerWeights weights)
    {
        if (!byLayer.Contains(l))
        {
            return null;
        }

        List<StationGradients> all = [];
        try
        {
            HashSet<Role> scored = [.. byLayer[l].Select(m => m.Role)];
            foreach (Station station in weights.Stations)
            {
                all.Add(new StationGradients { NormGain = backend.Zeros(DType.F32, scored.Contains(station.Layout.NormRole) ? station.Norm.Gain : null) });
                foreach (LinearLayout map in station.Layout.Maps.Where(map => map.Parts.Any(p => scored.Contains(p.Role))))
                {
                    Tensor weight = station[map.Slot]!.Weight;
                    LinearGradient gradient = kept?.Take(l, map.Slot) ?? new LinearGradient(backend.Zeros(DType.F32, weight)!, null, null);
                    all[^1][map.Slot] = gradient;
                    if (importance.NeedsSquares && gradient.Squares is null)
                    {
                        all[^1][map.Slot] = gradient with { Squares = backend.Zeros(DType.F32, weight) };
                    }
                }
            }

            return all;
        }
        catch
        {
            all.ForEach(g => g.Dispose());
            throw;
        }
    }

    /// <inheritdoc/>
    public void End(int l, LayerWeights weights, IReadOnlyList<StationGradients> gradients)
    {
        session.Switch("importance");
        ScoreLayer(l, weights, gradients);
        foreach (StationGradients station in gradients)
        {
            kept?.Put(l, station, importance.NeedsSquares);
            station.Dispose();
        }
    }

    private void ScoreLayer(int l, LayerWeights weights, IReadOnlyList<StationGradients>? gradients)
    {
        foreach (Member member in byLayer[l])
        {
            for (int i = 0; i < weights.Stations.Count; i++)
            {
                Station station = weights.Stations[i];
                StationGradients? g = gradients?[i];
                if (member.Role == station.Layout.NormRole)
                {
                    Put(member, station.Norm.Gain, g?.NormGain, null);
                }

                foreach (LinearLayout map in station.Layout.Maps)
                {
                    if (map.Parts.FirstOrDefault(p => p.Role == member.Role) is { } part)
                    {
                        Put(member, Rows(station[map.Slot]!.Weight), Rows(g?[map.Slot]?.Weight), Rows(g?[map.Slot]?.Squares));
                        Tensor? Rows(Tensor? t) => t?.RowRange(part.From, part.Rows);
                    }
                }
            }
        }
    }

    private void ScoreOuter(OuterWeights? w, OuterGradients? g)
    {
        if (w is null)
        {
            return;
        }

        foreach (Member member in byLayer[-1])
        {
            (Tensor? weight, Tensor? gradient) = member.Role switch
            {
                Role.Embed => (w.Embed, g?.Embed),
                Role.Position => (w.Position, g?.Position),
                Role.NormFinal => (w.NormFinal.Gain, g?.NormGain),
                _ => (w.Head.Weight, g?.Head),
            };
            Put(member, weight, gradient, null);
        }
    }

    private void Put(Member member, Tensor? w, Tensor? g, Tensor? h)
    {
        // L2: the reference scores magnitudes of the embedding token by token and then drops them
        bool skipped = w is null || (importance.Compat && !importance.NeedsGradients && member.Role == Role.Embed);
        double[] ofMember = skipped ? [] : importance.OfMember(backend, w!, g, h, !member.IsRows || w!.Shape.Rank == 1);
        if (!ofMember.All(double.IsFinite))
        {
            throw new EngineException("NE10012", $"the importance of {member.Module} is not finite")
            {
                File = model.Checkpoint.Folder,
                Hint = "gradients overflow: use --dtype bf16 or fp32",
            };
        }

        scores[member] = Array.ConvertAll(ofMember, score => score / lossScale);
    }

    private static ScoredGroup Scored(Group group, double[] ofRoot) => new(group, group.PerStructure(ofRoot)) { OfRoot = ofRoot };

    private double[] Random(Group group)
    {
        var random = new SplitMix64(importance.Seed + (17L * group.Layer + (int)group.Kind!.Value));
        return [.. Enumerable.Range(0, group.Root.Size).Select(_ => random.NextUnit())];
    }
}
