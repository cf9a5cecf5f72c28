using NativeEngine.Model;

namespace NativeEngine.Prune;

/// <summary>A model seen through a plan.</summary>
internal static class PlannedModel
{
    /// <summary><paramref name="model"/>, which the plan was made for, without what the plan cuts. Borrows its checkpoint.</summary>
    public static CausalModel Cut(this CausalModel model, PrunePlan plan)
    {
        Dictionary<string, TensorCut> cuts = plan.Tensors().ToDictionary(t => t.Pruned.Name, t => t.Cut);
        return model.Cut(plan.Apply(), p => cuts[p.Name]);
    }
}
