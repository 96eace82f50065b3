namespace EdgeVirt.Cli.Output;

/// <summary>Text from elsewhere, made safe to show: a name or message must not steer the terminal.</summary>
internal static class Plain
{
    /// <summary>On one line, control characters as spaces.</summary>
    public static string Line(string text) =>
        text.AsSpan().IndexOfAnyInRange('\0', '\u001f') < 0 && !text.Any(char.IsControl)
            ? text
            : string.Create(text.Length, text, (span, source) =>
            {
                for (var i = 0; i < span.Length; i++)
                {
                    span[i] = char.IsControl(source[i]) ? ' ' : source[i];
                }
            });
}
