// Statements of ours that most checks need: start a clone, wait for its end, hold it up by a lock.

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;

final class Jobs {
    static final String START = "SELECT pgclone_table_async(?, ?, ?, true, ?) AS job";
    static final String PER_ROW =
        "SELECT tablename, pgclone_table_async(?, schemaname, tablename, true, tablename || ?) AS job FROM pg_tables"
        + " WHERE schemaname = 'sales' AND tablename IN ('customers', 'orders') ORDER BY tablename";
    static final String STATUS = "SELECT status, rows_copied FROM pgclone_jobs_view WHERE job_id = ?";
    private static final AtomicInteger NAMES = new AtomicInteger();
    private static Integer completed;

    /** A job that waits for a lock, and the connection to the source that holds it. */
    record Waiting(int job, Connection lock) {
        void goOn() throws SQLException {
            lock.rollback();
        }
    }

    private Jobs() {}

    /** A suffix for tables on the target that nobody else uses. */
    static String suffix() {
        return "_" + NAMES.incrementAndGet();
    }

    /** A conninfo, or another value, as an SQL constant. */
    static String literal(String value) {
        return "'" + value.replace("'", "''") + "'";
    }

    static PreparedStatement prepare(Connection connection, String sql, Object... values) throws SQLException {
        PreparedStatement statement = connection.prepareStatement(sql);
        for (int i = 0; i < values.length; i++) statement.setObject(i + 1, values[i]);
        return statement;
    }

    /** The first column of all rows. */
    static List<String> column(Connection connection, String sql, Object... values) throws SQLException {
        try (PreparedStatement statement = prepare(connection, sql, values)) {
            ResultSet results = statement.executeQuery();
            List<String> found = new ArrayList<>();
            while (results.next()) found.add(results.getString(1));
            return found;
        }
    }

    static String value(Connection connection, String sql, Object... values) throws SQLException {
        return column(connection, sql, values).get(0);
    }

    static int start(Connection connection, String source, String schema, String table) throws SQLException {
        return Integer.parseInt(value(connection, START, source, schema, table, table + suffix()));
    }

    /** Wait for the end of a job, which must be `status`. */
    static void ended(Connection connection, int job, String status) throws Exception {
        String end = Checks.until(() -> {
            String now = value(connection, "SELECT status FROM pgclone_jobs_view WHERE job_id = ?", job);
            return now.equals("pending") || now.equals("running") ? null : now;
        });
        Checks.assertEquals(status, end);
    }

    /** The job of a completed clone of sales.customers, which has 1000 rows; the same for all that only look at it. */
    static int completed(Checks.Connections to, Connection connection) throws Exception {
        if (completed == null) {
            int job = start(connection, to.source, "sales", "customers");
            ended(connection, job, "completed");
            completed = job;
        }
        return completed;
    }

    /** A connection to the source with a lock that each clone of public.held waits for, until it is rolled back. */
    static Connection locked(Checks.Connections to) throws SQLException {
        Connection lock = to.openSource();
        lock.setAutoCommit(false);
        lock.createStatement().execute("LOCK TABLE public.held IN ACCESS EXCLUSIVE MODE");
        return lock;
    }

    static Waiting waiting(Checks.Connections to, Connection connection) throws SQLException {
        Connection lock = locked(to);
        return new Waiting(start(connection, to.source, "public", "held"), lock);
    }
}
