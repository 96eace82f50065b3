using System.Globalization;
using Microsoft.Data.Sqlite;

namespace EdgeVirt.Hub.Storage;

/// <summary>One statement, one line. Values always travel as parameters.</summary>
internal static class SqliteCommands
{
    /// <summary>Runs a statement.</summary>
    /// <returns>Rows changed.</returns>
    public static int Execute(this SqliteConnection connection, string sql, params ReadOnlySpan<(string Name, object? Value)> values)
    {
        using var command = Command(connection, sql, values);
        return command.ExecuteNonQuery();
    }

    /// <summary>All rows, each made by <paramref name="read"/>.</summary>
    public static List<T> Query<T>(
        this SqliteConnection connection, string sql, Func<SqliteDataReader, T> read, params ReadOnlySpan<(string Name, object? Value)> values)
    {
        using var command = Command(connection, sql, values);
        using var rows = command.ExecuteReader();
        var result = new List<T>();
        while (rows.Read())
        {
            result.Add(read(rows));
        }

        return result;
    }

    /// <summary>First column of the first row; the default of <typeparamref name="T"/> (null for <c>long?</c>) without a row or for NULL.</summary>
    public static T? Scalar<T>(this SqliteConnection connection, string sql, params ReadOnlySpan<(string Name, object? Value)> values)
    {
        using var command = Command(connection, sql, values);
        var type = Nullable.GetUnderlyingType(typeof(T)) ?? typeof(T);
        return command.ExecuteScalar() switch
        {
            null or DBNull => default,
            T value => value,
            var value => (T)Convert.ChangeType(value, type, CultureInfo.InvariantCulture),
        };
    }

    /// <summary>A column that may be NULL.</summary>
    public static T? Optional<T>(this SqliteDataReader row, int column) => row.IsDBNull(column) ? default : row.GetFieldValue<T>(column);

    private static SqliteCommand Command(SqliteConnection connection, string sql, ReadOnlySpan<(string Name, object? Value)> values)
    {
        var command = connection.CreateCommand();
#pragma warning disable CA2100 // The texts are constants of this program; values are parameters.
        command.CommandText = sql;
#pragma warning restore CA2100
        foreach (var (name, value) in values)
        {
            command.Parameters.AddWithValue(name, value ?? DBNull.Value);
        }

        return command;
    }
}
