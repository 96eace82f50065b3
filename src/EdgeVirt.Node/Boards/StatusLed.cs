using System.Globalization;

namespace EdgeVirt.Node.Boards;

/// <summary>
/// One light below /sys/class/leds (Documentation/leds/leds-class.rst in the kernel). The kernel's triggers blink it, so that a code costs nothing while it is
/// shown, and a kernel that hangs is seen by a heart that stops.
/// </summary>
/// <param name="directory">The light's.</param>
internal sealed class StatusLed(string directory)
{
    /// <summary>What a code looks like, the best way first; the first one that the kernel offers is taken.</summary>
    private static readonly Dictionary<StatusLedCode, LedShow[]> Shows = new()
    {
        [StatusLedCode.Starting] = [Blink(100, 100)],
        [StatusLedCode.NotEnrolled] = [Flashes(2), Blink(1000, 1000)],
        [StatusLedCode.Fault] = [Flashes(3), Blink(250, 250)],
        [StatusLedCode.Updating] = [Blink(900, 100)],
        [StatusLedCode.HubUnreachable] = [Blink(100, 1900)],
        [StatusLedCode.Working] = [new LedShow("heartbeat"), new LedShow("default-on")],
    };

    // A kernel without a trigger for a code: lit when all is well, dark when somebody should look.
    private static readonly LedShow Lit = new("none") { Brightness = true };
    private static readonly LedShow Dark = new("none") { Brightness = false };

    private readonly HashSet<string> offered = new(StringComparer.Ordinal);
    private LedShow? shown;

    /// <summary>The trigger in force, in brackets among all that the kernel offers; null: it cannot be told.</summary>
    /// <exception cref="IOException">The light is gone.</exception>
    public string? Trigger => Offered().Where(word => word.StartsWith('[')).Select(word => word.Trim('[', ']')).FirstOrDefault();

    /// <summary>Shows a code; does nothing where it is shown already.</summary>
    /// <exception cref="IOException">The light is gone, or the kernel refused.</exception>
    public void Show(StatusLedCode code)
    {
        // Modules with more of them may be loaded later.
        offered.UnionWith(Offered().Select(word => word.Trim('[', ']')));
        var show = Shows[code].FirstOrDefault(one => offered.Contains(one.Trigger)) ?? (code is StatusLedCode.Working or StatusLedCode.Updating ? Lit : Dark);
        if (show == shown && Trigger == show.Trigger)
        {
            return;
        }

        Set("trigger", show.Trigger);
        if (show.Blink is var (on, off))
        {
            Set("delay_on", on.ToString(CultureInfo.InvariantCulture));
            Set("delay_off", off.ToString(CultureInfo.InvariantCulture));
        }

        if (show.Flashes > 0)
        {
            Set("pattern", PatternOf(show.Flashes));
        }

        if (show.Brightness is { } lit)
        {
            Set("brightness", lit ? Text("max_brightness") : "0");
        }

        shown = show;
    }

    /// <summary>Puts a trigger in force that was before.</summary>
    /// <exception cref="IOException">The light is gone, or the kernel refused.</exception>
    public void Restore(string trigger)
    {
        shown = null;
        Set("trigger", trigger);
    }

    // Pairs of brightness and milliseconds; from one to the next the kernel fades, so each step has one of no time behind it.
    private string PatternOf(int flashes)
    {
        var full = Text("max_brightness");
        var flash = $"{full} 100 {full} 0 0 150 0 0";
        return $"{string.Join(' ', Enumerable.Repeat(flash, flashes))} 0 1000 0 0";
    }

    private string[] Offered() => Text("trigger").Split([' ', '\n'], StringSplitOptions.RemoveEmptyEntries);

    private string Text(string name) => Try(name, path => File.ReadAllText(path).Trim());

    private void Set(string name, string value) => Try(name, path =>
    {
        File.WriteAllText(path, value);
        return value;
    });

    private string Try(string name, Func<string, string> act)
    {
        try
        {
            return act(Path.Combine(directory, name));
        }
        catch (UnauthorizedAccessException e)
        {
            throw new IOException(e.Message, e);
        }
    }

    private static LedShow Blink(int on, int off) => new("timer") { Blink = (on, off) };

    private static LedShow Flashes(int count) => new("pattern") { Flashes = count };

    private sealed record LedShow(string Trigger)
    {
        /// <summary>Milliseconds lit and dark.</summary>
        public (int On, int Off)? Blink { get; init; }

        /// <summary>Short flashes, then a pause.</summary>
        public int Flashes { get; init; }

        /// <summary>Steadily lit or dark; null: the trigger decides.</summary>
        public bool? Brightness { get; init; }
    }
}
