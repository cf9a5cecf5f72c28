using System.Globalization;
using System.Text;
using NativeEngine.Cli;
using NativeEngine.Cli.Output;

if (CommandLine.IsVerb(args.FirstOrDefault()))
{
    StartupProfile.Replay(args[0]);
}

using Interruption interruption = Interruption.OnSignals();
CultureInfo.CurrentCulture = CultureInfo.CurrentUICulture = CultureInfo.InvariantCulture;
CultureInfo.DefaultThreadCurrentCulture = CultureInfo.DefaultThreadCurrentUICulture = CultureInfo.InvariantCulture;

// Own writers: UTF-8 whatever the locale says, results in one block, and no terminal set-up that most runs never need.
using StreamWriter output = new(Console.OpenStandardOutput(), new UTF8Encoding(false));
using StreamWriter error = new(new BestEffortStream(Console.OpenStandardError()), new UTF8Encoding(false)) { AutoFlush = true };
if (OperatingSystem.IsWindows())
{
    Console.OutputEncoding = Encoding.UTF8;
}

return CommandLine.Run(args, new Host(output, error) { Terminal = Terminal.OfStandardError(), Interruption = interruption });
