using EdgeVirt.Contracts.Protos;

namespace EdgeVirt.Node.Containers.Logs;

/// <summary>One run's log, read from where the last reading ended. conmon puts a new file in its place when it is full.</summary>
internal sealed class LogFile(string path) : IDisposable
{
    private const int BufferSize = 64 << 10;

    private FileStream? file;
    private long position;

    /// <summary>Makes the next reading begin with the last <paramref name="count"/> lines.</summary>
    public void SeekToTail(long count)
    {
        var starts = new Queue<long>();
        var bufferStart = 0L;
        var buffer = new byte[BufferSize];
        if (!Open())
        {
            return;
        }

        file!.Position = 0;
        var lineStart = 0L;
        int read;
        while ((read = file.Read(buffer)) > 0)
        {
            for (var i = 0; i < read; i++)
            {
                if (buffer[i] != '\n')
                {
                    continue;
                }

                starts.Enqueue(lineStart);
                if (starts.Count > count)
                {
                    starts.Dequeue();
                }

                lineStart = bufferStart + i + 1;
            }

            bufferStart += read;
        }

        position = starts.Count > 0 ? starts.Peek() : lineStart;
    }

    /// <summary>Whole lines that were not read yet. Lines that are damaged are left out.</summary>
    public IEnumerable<LogLine> ReadNew()
    {
        if (!Open())
        {
            yield break;
        }

        if (IsReplaced())
        {
            foreach (var line in ReadToEnd())
            {
                yield return line;
            }

            file!.Dispose();
            file = null;
            position = 0;
            if (!Open())
            {
                yield break;
            }
        }

        foreach (var line in ReadToEnd())
        {
            yield return line;
        }
    }

    public void Dispose() => file?.Dispose();

    private IEnumerable<LogLine> ReadToEnd()
    {
        if (file!.Length < position)
        {
            position = 0;
        }

        file.Position = position;
        var buffer = new byte[BufferSize];
        var line = new MemoryStream();
        int read;
        while ((read = file.Read(buffer)) > 0)
        {
            var from = 0;
            for (var newline = Array.IndexOf(buffer, (byte)'\n', 0, read); newline >= 0; newline = Array.IndexOf(buffer, (byte)'\n', from, read - from))
            {
                line.Write(buffer, from, newline - from);
                position += line.Length + 1;
                if (LogLines.TryParse(line.GetBuffer().AsSpan(0, (int)line.Length), out var parsed))
                {
                    yield return parsed;
                }

                line.SetLength(0);
                from = newline + 1;
            }

            line.Write(buffer, from, read - from);
        }
    }

    private bool Open()
    {
        if (file is null && File.Exists(path))
        {
            file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
        }

        return file is not null;
    }

    // The open file was renamed away: its directory entry leads to another one.
    private bool IsReplaced()
    {
        var target = File.ResolveLinkTarget($"/proc/self/fd/{file!.SafeFileHandle.DangerousGetHandle()}", returnFinalTarget: false)?.FullName;
        return target != Path.GetFullPath(path) && File.Exists(path);
    }
}
