using EdgeVirt.Linux;

namespace EdgeVirt.Node.Boards;

/// <summary>A factory reset is out of the question. The message says what to do instead.</summary>
internal sealed class FactoryResetException(string message) : Exception(message);

/// <summary>
/// Prepares a factory reset: the mark on the first partition, by which the image wipes and remakes the data partition on the way up. Nothing is
/// changed unless the mark is written.
/// </summary>
internal sealed class FactoryReset(BoardTree board)
{
    private static readonly string[] NetworkSettings = ["ethernet", "wifi", "cellular"];

    /// <summary>Refuses where nothing would act on the mark.</summary>
    /// <exception cref="FactoryResetException">It would not.</exception>
    public void Check()
    {
        if (NodeImage.Read(board.Root).Id is null || !Directory.Exists(board.CardDirectory))
        {
            throw new FactoryResetException(
                "This system is no EdgeVirt node image, so nothing would wipe it on the way up. To begin anew here: delete what the node runs at its hub, "
                + "'systemctl stop edgevirt-agent', remove /var/lib/edgevirt, start it again and enroll it.");
        }
    }

    /// <summary>Sets the mark, and takes the claim token out of the card's settings or puts another one in.</summary>
    /// <param name="claimToken">For the board to enroll with afterwards; null: none.</param>
    /// <param name="forgetNetwork">Takes out what they say about the network, too.</param>
    /// <exception cref="FactoryResetException">The card refused; nothing is marked.</exception>
    public void Mark(string? claimToken, bool forgetNetwork)
    {
        Check();
        try
        {
            var card = CardEdit.Read(board.CardFile).Set("claimToken", claimToken);
            foreach (var name in forgetNetwork ? NetworkSettings : [])
            {
                card.Set(name, null);
            }

            card.ToBytes();
            SetMark();
            try
            {
                card.Write();
                DurableFile.SyncDirectory(board.CardDirectory);
            }
            catch (IOException)
            {
                File.Delete(board.ResetMark);
                throw;
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new FactoryResetException($"Nothing is reset, because the card could not be written to: {e.Message}");
        }
    }

    // Its name is all that counts, so it is made in place: FAT has no rename that survives every power cut, and no modes.
    private void SetMark()
    {
        try
        {
            using (var mark = new FileStream(board.ResetMark, FileMode.OpenOrCreate, FileAccess.Write, FileShare.Read, bufferSize: 0))
            {
                mark.Write("requested on the board\n"u8);
                mark.Flush(flushToDisk: true);
            }

            DurableFile.SyncDirectory(board.CardDirectory);
        }
        catch (IOException)
        {
            File.Delete(board.ResetMark);
            throw;
        }
    }
}
