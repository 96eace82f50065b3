namespace EdgeVirt.Contracts.Manifests;

/// <summary>A piece of a manifest, with the line (from 1) on which it begins.</summary>
internal abstract record ManifestNode(int Line);

internal sealed record ManifestMapping(int Line, IReadOnlyList<ManifestEntry> Entries) : ManifestNode(Line)
{
    public ManifestEntry? Find(string key) => Entries.FirstOrDefault(entry => entry.Key == key);
}

internal sealed record ManifestEntry(string Key, int Line, ManifestNode Value);

internal sealed record ManifestSequence(int Line, IReadOnlyList<ManifestNode> Items) : ManifestNode(Line);

/// <param name="Line">Where it begins.</param>
/// <param name="Text">Its value.</param>
/// <param name="IsPlain">Not quoted, so that <c>8080</c> is a number and <c>true</c> a truth value.</param>
internal sealed record ManifestScalar(int Line, string Text, bool IsPlain) : ManifestNode(Line)
{
    public bool IsNull => IsPlain && Text is "" or "~" or "null" or "Null" or "NULL";
}
