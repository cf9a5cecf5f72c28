using NativeEngine.Kernels;
using NativeEngine.Spec;

namespace NativeEngine.Prune;

/// <summary>
/// Which sides of which modules can only be cut together, from the spec alone. The decoder is described once, as its forward runs it:
/// whatever is added, multiplied element by element or joined in attention is coupled, and the groups are what hangs together.
/// </summary>
internal sealed class DependencyGraph
{
    private readonly ModelSpec spec;
    private readonly ILookup<(Role, int), Parameter> tensors;
    private readonly Dictionary<(Role, int, Dimension), Member> members = [];
    private readonly List<Member> inOrder = [];
    private readonly Dictionary<Member, List<Coupling>> couplings = [];
    private Member? signal; // what the residual stream was last coupled to

    /// <summary>Builds the graph of <paramref name="spec"/>, which may be sliced or pruned.</summary>
    public DependencyGraph(ModelSpec spec)
    {
        this.spec = spec;
        tensors = spec.Parameters().ToLookup(p => (p.Role, p.Layer));
        Describe();
        Groups = [.. Components().OrderBy(g => inOrder.IndexOf(g.Root))];
    }

    /// <summary>All groups, in the order of the forward.</summary>
    public IReadOnlyList<Group> Groups { get; }

    /// <summary>What <paramref name="scope"/> cuts: for blocks one attention and one MLP group per layer, else one group. Error: NE4060.</summary>
    public IReadOnlyList<Group> InScope(PruneScope scope)
    {
        if (scope != PruneScope.Block && spec.Shortcuts)
        {
            throw new EngineException("NE4060", "a sliced model has a basis of its own between any two blocks: no column of one is a column of the next, and no layer can be left out")
            {
                Key = "--scope",
                Found = scope.ToString().ToLowerInvariant(),
                Expected = "block",
                Hint = "prune the dense model and slice the result",
            };
        }

        return scope switch
        {
            PruneScope.Block => [.. Groups.Where(g => g.Kind is StructureKind.Heads or StructureKind.KvHeads or StructureKind.Channels)],
            PruneScope.Channel => [.. Groups.Where(g => g.Kind == StructureKind.Hidden)],
            _ => [new Group(StructureKind.Layers, -1, spec.Layers.Count, [])],
        };
    }

    private void Describe()
    {
        Write(Role.Embed, -1);
        Write(Role.Position, -1);
        for (int l = 0; l < spec.Layers.Count; l++)
        {
            bool parallel = spec.Residual == ResidualKind.Parallel;
            Read(l, Role.NormAttn, [Role.AttnQ, Role.AttnK, Role.AttnV, .. parallel ? (Role[])[Role.MlpGate, Role.MlpUp] : []]);
            Cross(Role.AttnShortcut, l);
            Write(Role.AttnOut, l);
            if (!parallel)
            {
                Read(l, Role.NormMlp, [Role.MlpGate, Role.MlpUp]);
                Cross(Role.MlpShortcut, l);
            }

            Write(Role.MlpDown, l);
            Attend(l);
            Couple(spec.Layers[l].Ffn, Out(Role.MlpGate, l), Out(Role.MlpUp, l));
            Couple(spec.Layers[l].Ffn, Out(Role.MlpUp, l), In(Role.MlpDown, l));
        }

        Read(-1, Role.NormFinal, [Role.Head]);
        Out(Role.Head, -1); // the vocabulary: a group by itself, which nothing cuts
    }

    /// <summary>norm(x), and the maps that read it.</summary>
    private void Read(int l, Role norm, Role[] maps)
    {
        OnResidual(Out(norm, l));
        foreach (Role map in maps)
        {
            OnResidual(In(map, l));
        }
    }

    /// <summary>x += what the module gives.</summary>
    private void Write(Role role, int l) => OnResidual(Out(role, l));

    /// <summary>The residual goes through a matrix, where there is one, and is another signal behind it.</summary>
    private void Cross(Role shortcut, int l)
    {
        if (In(shortcut, l) is { } before)
        {
            OnResidual(before);
            signal = Out(shortcut, l);
        }
    }

    /// <summary>Each key head is joined to its value head, the queries that read it, and the columns of the output that take the result.</summary>
    private void Attend(int l)
    {
        Member?[] joined = [Out(Role.AttnQ, l), Out(Role.AttnK, l), Out(Role.AttnV, l), In(Role.AttnOut, l)];
        for (int a = 0; a < joined.Length; a++)
        {
            for (int b = a + 1; b < joined.Length; b++)
            {
                Couple(spec.Layers[l].KvHeads, joined[a], joined[b]);
            }
        }
    }

    private void OnResidual(Member? member)
    {
        if (member is not null)
        {
            Couple(member.Size, signal, member);
            signal = member;
        }
    }

    private void Couple(int structures, Member? a, Member? b)
    {
        if (a is not null && b is not null)
        {
            couplings[a].Add(new(b, structures));
            couplings[b].Add(new(a, structures));
        }
    }

    private Member? Out(Role role, int l) => Side(role, l, Dimension.Out);

    private Member? In(Role role, int l) => Side(role, l, Dimension.In);

    /// <summary>One side of a module; null when the model has no such module.</summary>
    private Member? Side(Role role, int l, Dimension dimension)
    {
        if (members.TryGetValue((role, l, dimension), out Member? known))
        {
            return known;
        }

        bool tied = role == Role.Head && spec.TiedHead;
        if (tensors[(tied ? Role.Embed : role, l)].FirstOrDefault(p => !p.IsBias) is not { Shape: var weight })
        {
            return null;
        }

        // Tables and shortcuts are stored (in, out), linear maps (out, in).
        bool table = role is Role.Embed or Role.Position or Role.AttnShortcut or Role.MlpShortcut;
        bool rows = weight.Rank == 1 || table == (dimension == Dimension.In);
        long size = rows ? weight[0] : weight.Columns;
        bool hasBias = dimension == Dimension.Out && tensors[(role, l)].Any(p => p.IsBias);
        Member member = new(role, l, spec.Names.Module(role, l), dimension, (int)size, rows, tied ? 0 : weight.Count / size + (hasBias ? 1 : 0));
        members.Add((role, l, dimension), member);
        inOrder.Add(member);
        couplings.Add(member, []);
        return member;
    }

    private IEnumerable<Group> Components()
    {
        HashSet<Member> seen = [];
        foreach (Member root in inOrder.OrderBy(m => m.Size)) // the first of the narrowest members is the first to be met
        {
            if (!seen.Contains(root))
            {
                List<Member> component = Reach(root);
                seen.UnionWith(component);
                int count = root.Size; // no member is narrower
                foreach (Coupling coupling in component.SelectMany(m => couplings[m]))
                {
                    count = Math.Min(count, coupling.Structures);
                }

                yield return new Group(KindOf(root), root.Layer, count, component);
            }
        }
    }

    /// <summary>What hangs together with <paramref name="root"/>, depth first and the last coupling first, as LLM-Pruner's stack does.</summary>
    private List<Member> Reach(Member root)
    {
        List<Member> reached = [];
        HashSet<Member> seen = [];
        Stack<Member> stack = new([root]);
        while (stack.TryPop(out Member? member))
        {
            if (seen.Add(member))
            {
                reached.Add(member);
                couplings[member].ForEach(c => stack.Push(c.Other));
            }
        }

        return reached;
    }

    private StructureKind? KindOf(Member root) => root switch
    {
        { Role: Role.AttnQ or Role.AttnK, Dimension: Dimension.Out } => spec.Layers[root.Layer] is var s && s.Heads == s.KvHeads ? StructureKind.Heads : StructureKind.KvHeads,
        { Role: Role.MlpGate or Role.MlpUp, Dimension: Dimension.Out } => StructureKind.Channels,
        { Role: Role.Head, Dimension: Dimension.Out } => null,
        _ => StructureKind.Hidden,
    };

    private sealed record Coupling(Member Other, int Structures);
}
