using System.Diagnostics;

namespace EdgeVirt.Node.Tests.Fuzz;

/// <summary>Gives a target one mutated input after the other, each made of a seed of its own, until one is a fault.</summary>
internal sealed class FuzzRun(FuzzTarget target)
{
    /// <summary>What takes longer hangs: ordinary inputs take milliseconds.</summary>
    private static readonly TimeSpan s_hang = TimeSpan.FromSeconds(60);

    /// <summary>How many inputs were taken.</summary>
    public long Taken { get; private set; }

    /// <summary>Takes the corpus itself, then inputs while <paramref name="isWanted"/> says so; null: none was a fault.</summary>
    public FuzzFault? Go(int firstSeed, Func<long, bool> isWanted)
    {
        foreach (var input in target.Corpus)
        {
            if (Problem(input) is { } problem)
            {
                return new FuzzFault(null, input, problem);
            }
        }

        for (var seed = firstSeed; isWanted(Taken); seed = unchecked(seed + 1))
        {
            var input = Mutator.Make(seed, target.Corpus);
            if (Problem(input) is { } problem)
            {
                return new FuzzFault(seed, input, problem);
            }

            Taken++;
        }

        return null;
    }

    /// <summary>What is wrong with what the target does with an input; null: nothing.</summary>
    public Exception? Problem(byte[] input)
    {
        var allocated = 0L;
        var take = Task.Factory.StartNew(
            () =>
            {
                var before = GC.GetAllocatedBytesForCurrentThread();
                target.Take(input);
                allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            },
            CancellationToken.None, TaskCreationOptions.None, TaskScheduler.Default);
        try
        {
            return !take.Wait(s_hang) ? new FuzzFaultException($"it takes longer than {s_hang.TotalSeconds:F0} s")
                : allocated > target.MaxAllocatedBytes + (64L * input.Length) ? new FuzzFaultException($"it allocates {allocated} bytes for {input.Length} of input")
                : null;
        }
        catch (AggregateException failed)
        {
            return failed.InnerException;
        }
    }

    /// <summary>The verb <c>./dev fuzz NAME [--minutes N] [--seed S] [--input FILE]</c>; a failing input is saved under <c>artifacts/fuzz/</c>.</summary>
    public static int Command(string[] args, string directory)
    {
        var options = Options(args.Skip(1));
        if (args is not [var name, ..] || !FuzzTarget.All.TryGetValue(name, out var make) || options is null)
        {
            Console.Error.WriteLine($"usage: ./dev fuzz NAME [--minutes N] [--seed S] [--input FILE], where NAME is one of {string.Join(", ", FuzzTarget.All.Keys)}");
            return 2;
        }

        using var target = make();
        var run = new FuzzRun(target);
        if (options.Input is { } file)
        {
            var problem = run.Problem(File.ReadAllBytes(file));
            Console.WriteLine(problem?.ToString() ?? "this input is no fault");
            return problem is null ? 0 : 1;
        }

        var began = Stopwatch.GetTimestamp();
        var fault = run.Go(options.Seed, _ => Stopwatch.GetElapsedTime(began) < TimeSpan.FromMinutes(options.Minutes));
        Console.WriteLine($"fuzz {name} inputs={run.Taken} first_seed={options.Seed} faults={(fault is null ? 0 : 1)}");
        if (fault is null)
        {
            return 0;
        }

        var path = Path.Combine(Directory.CreateDirectory(directory).FullName, $"{name}-{fault.Seed?.ToString() ?? "corpus"}.bin");
        File.WriteAllBytes(path, fault.Input);
        Console.Error.WriteLine(fault.Problem);
        Console.Error.WriteLine($"The input is saved as {path}; take it again with ./dev fuzz {name} --input {path}, or --seed {fault.Seed}.");
        return 1;
    }

    private static RunOptions? Options(IEnumerable<string> args)
    {
        var options = new RunOptions();
        foreach (var pair in args.Chunk(2))
        {
            switch (pair)
            {
                case ["--minutes", var text] when double.TryParse(text, out var minutes) && minutes is > 0 and <= 10_000:
                    options.Minutes = minutes;
                    break;
                case ["--seed", var text] when int.TryParse(text, out var seed):
                    options.Seed = seed;
                    break;
                case ["--input", var file] when File.Exists(file):
                    options.Input = file;
                    break;
                default:
                    return null;
            }
        }

        return options;
    }

    private sealed class RunOptions
    {
        public double Minutes { get; set; } = 1;

        public int Seed { get; set; } = 1;

        public string? Input { get; set; }
    }
}

/// <summary>An input that a target did not take well.</summary>
/// <param name="Seed">Makes it again; null: it is of the corpus.</param>
internal sealed record FuzzFault(int? Seed, byte[] Input, Exception Problem);
