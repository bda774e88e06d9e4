// All that the driver says of a result or an error, as text that can be compared.

import java.sql.BatchUpdateException;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.postgresql.util.PSQLException;
import org.postgresql.util.ServerErrorMessage;

final class Told {
    interface Attempt {
        Object go() throws Exception;
    }

    private Told() {}

    /** Columns with their types and origin, and the rows. */
    static String result(ResultSet results) throws SQLException {
        return columns(results.getMetaData()) + " " + rows(results);
    }

    static List<String> columns(ResultSetMetaData columns) throws SQLException {
        List<String> told = new ArrayList<>();
        for (int i = 1; i <= columns.getColumnCount(); i++) {
            told.add(columns.getColumnLabel(i) + " " + columns.getColumnTypeName(i) + " " + columns.getColumnType(i)
                + " " + columns.getColumnClassName(i) + " " + columns.getPrecision(i) + "," + columns.getScale(i)
                + " " + columns.getTableName(i) + " " + columns.isNullable(i) + columns.isAutoIncrement(i));
        }
        return told;
    }

    static List<List<String>> rows(ResultSet results) throws SQLException {
        List<List<String>> rows = new ArrayList<>();
        while (results.next()) rows.add(row(results));
        return rows;
    }

    /** The row that the result set is at. */
    static List<String> row(ResultSet results) throws SQLException {
        List<String> row = new ArrayList<>();
        for (int i = 1; i <= results.getMetaData().getColumnCount(); i++) {
            Object value = results.getObject(i);
            row.add(value instanceof byte[] bytes ? Arrays.toString(bytes) : String.valueOf(value));
        }
        return row;
    }

    /** All results of a statement that has been executed, counts and rows in their order. */
    static List<String> results(Statement statement, boolean rows) throws SQLException {
        List<String> told = new ArrayList<>();
        for (boolean isRows = rows; ; isRows = statement.getMoreResults()) {
            int count = isRows ? 0 : statement.getUpdateCount();
            if (count == -1) return told;
            told.add(isRows ? result(statement.getResultSet()) : "count " + count);
        }
    }

    static String query(Statement statement, String sql) throws SQLException {
        try (ResultSet results = statement.executeQuery(sql)) {
            return result(results);
        }
    }

    static String query(PreparedStatement statement) throws SQLException {
        try (ResultSet results = statement.executeQuery()) {
            return result(results);
        }
    }

    /** What came of it: its value, or every field of the error. */
    static String of(Attempt attempt) throws Exception {
        try {
            return "done: " + attempt.go();
        } catch (SQLException error) {
            return error(error);
        }
    }

    static String error(SQLException error) {
        StringBuilder told = new StringBuilder("error " + error.getSQLState());
        if (error instanceof BatchUpdateException batch) told.append(Arrays.toString(batch.getUpdateCounts()));
        ServerErrorMessage server = error instanceof PSQLException p ? p.getServerErrorMessage() : null;
        told.append(server == null ? error.getMessage() : fields(server));
        SQLException next = error.getNextException();
        return next == null ? told.toString() : told + "; " + error(next);
    }

    private static String fields(ServerErrorMessage e) {
        return String.join("|", Arrays.asList(
            e.getSeverity(), e.getSQLState(), e.getMessage(), e.getDetail(), e.getHint(), "at " + e.getPosition(),
            "in " + e.getInternalQuery() + e.getInternalPosition(), e.getWhere(), e.getSchema(), e.getTable(),
            e.getColumn(), e.getConstraint(), e.getDatatype(), e.getFile() + ":" + e.getLine(), e.getRoutine()));
    }
}
