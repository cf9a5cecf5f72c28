using NativeEngine.Model;
using NativeEngine.Prune;

namespace NativeEngine;

public static partial class Verbs
{
    /// <summary>The groups of module sides that pruning cuts together. Reads no weights.</summary>
    public static GroupsResult Groups(Session session, GroupsOptions options)
    {
        using CausalModel model = Open(session, options.Model);
        return new GroupsResult
        {
            Command = "groups",
            Model = options.Model,
            Groups = [.. new DependencyGraph(model.Spec).InScope(options.Scope).Select(g => new GroupResult(
                g.Root.Module,
                g.Kind!.Value,
                g.Count,
                [.. g.Members.Select(m => new GroupMember(m.Module, m.Dimension == Dimension.Out ? "out" : "in", m.Size))]))],
        };
    }
}
