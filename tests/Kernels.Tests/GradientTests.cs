using NativeEngine.Kernels.Cpu;

namespace NativeEngine.Kernels.Tests;

/// <summary>Backward ops against finite differences of their forward ops: the gradient of sum(dy * y) for a random dy.</summary>
public sealed class GradientTests
{
    private const double Step = 1e-3; // the fourth-order formula then errs by about 1e-12, its rounding by about 1e-13

    private static readonly Dictionary<string, GradientCase> ByName = GradientCases.All.ToDictionary(test => test.Name);

    public static IEnumerable<object[]> Names => ByName.Keys.Select(name => new object[] { name });

    [Theory]
    [MemberData(nameof(Names))]
    public void Backward_matches_finite_differences(string name)
    {
        GradientCase test = ByName[name];
        using var backend = new CpuBackend(1);
        Tensor[] inputs = [.. test.Inputs.Select(operand => Place(backend, operand))];
        Tensor[] results = [.. test.Results.Select(operand => Place(backend, operand))];
        Tensor[] gradients = [.. test.Inputs.Select(operand => Place(backend, operand with { Value = _ => 0 }))];
        Tensor dy = Place(backend, OpCases.In(DType.F64, 1, test.Results[0].Shape.Count) with { Shape = test.Results[0].Shape });

        double Functional()
        {
            test.Forward(backend, results, inputs);
            return OpArena.Values(results[0]).Zip(OpArena.Values(dy), (y, weight) => y * weight).Sum();
        }

        double Difference(Tensor x, int i)
        {
            double value = x.AsSpan<double>()[i];
            double At(int steps)
            {
                x.AsSpan<double>()[i] = value + steps * Step;
                return Functional();
            }

            double slope = (At(-2) - 8 * At(-1) + 8 * At(1) - At(2)) / (12 * Step);
            x.AsSpan<double>()[i] = value;
            return slope;
        }

        test.Forward(backend, results, inputs);
        test.Backward(backend, gradients, dy, results, inputs);

        for (int input = 0; input < test.Variables; input++)
        {
            double[] expected = [.. Enumerable.Range(0, (int)inputs[input].Shape.Count).Select(i => Difference(inputs[input], i))];
            OpArena.AssertClose($"{name}, input {input}", expected, OpArena.Values(gradients[input]), Tolerances.FiniteDifference);
        }
    }

    private static Tensor Place(CpuBackend backend, Operand operand)
    {
        Tensor tensor = backend.Alloc(operand.DType, operand.Shape);
        OpArena.Write(tensor, operand.Value);
        return tensor;
    }
}
