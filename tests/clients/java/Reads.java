// The view and the functions that read, in pgjdbc's ways to ask, while real jobs run.

import java.io.StringReader;
import java.io.StringWriter;
import java.sql.Connection;
import java.sql.ParameterMetaData;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.List;
import org.postgresql.PGConnection;
import org.postgresql.copy.CopyManager;

final class Reads extends Checks {
    /** What the view is to look like. */
    static final String SHAPE = "SELECT NULL::int AS job_id, NULL::text AS status, NULL::text AS op_type,"
        + " NULL::text AS schema_name, NULL::text AS table_name,"
        + " NULL::text AS current_phase, NULL::text AS current_table,"
        + " NULL::int8 AS tables_total, NULL::int8 AS tables_completed, NULL::int8 AS rows_copied,"
        + " NULL::int8 AS bytes_copied, NULL::int8 AS elapsed_ms, NULL::timestamptz AS start_time,"
        + " NULL::timestamptz AS end_time, NULL::text AS error_message, NULL::float8 AS pct_complete,"
        + " NULL::text AS progress_bar, NULL::text AS elapsed_time,"
        + " NULL::text AS owner, NULL::text AS database, NULL::int8 AS rows_total, NULL::int8 AS bytes_total,"
        + " NULL::float8 AS rows_per_second, NULL::timestamptz AS eta";

    Reads() {
        ours("the view has the types of its columns", to -> {
            Connection connection = to.open();
            PreparedStatement shape = connection.prepareStatement(SHAPE);
            PreparedStatement view = connection.prepareStatement("SELECT * FROM pgclone.jobs_view");
            assertEquals(Told.columns(shape.getMetaData()), Told.columns(view.getMetaData()));
            for (int use = 0; use < 7; use++) {
                assertEquals(
                    Told.columns(shape.executeQuery().getMetaData()), Told.columns(view.executeQuery().getMetaData()));
            }
            return null;
        });

        ours("a row of the view", to -> {
            Connection connection = to.open();
            int job = Jobs.completed(to, connection);
            PreparedStatement statement =
                Jobs.prepare(connection, "SELECT * FROM pgclone_jobs_view WHERE job_id = ?", job);
            for (int use = 0; use < 7; use++) {
                ResultSet row = statement.executeQuery();
                assertTrue(row.next(), "no row");
                assertEquals(1000L, row.getLong("rows_copied"));
                assertEquals(100.0, row.getDouble("pct_complete"));
                OffsetDateTime start = row.getObject("start_time", OffsetDateTime.class);
                assertTrue(!row.getObject("end_time", OffsetDateTime.class).isBefore(start), start);
                assertTrue(row.getString("progress_bar").contains("█"), row.getString("progress_bar"));
                assertTrue(row.getString("error_message") == null && row.wasNull(), row.getString("error_message"));
            }
            return null;
        });

        ours("reads with constants, with parameters and per row", to -> {
            Connection connection = to.open();
            int job = Jobs.completed(to, connection);
            String read = "SELECT pgclone_progress(?)::jsonb ->> 'status'";
            for (int use = 0; use < 7; use++) assertEquals("completed", Jobs.value(connection, read, job));
            ResultSet constant = connection.createStatement().executeQuery(read.replace("?", "" + job));
            assertEquals("[[completed]]", Told.rows(constant));
            int other = Jobs.start(connection, to.source, "sales", "customers");
            Jobs.ended(connection, other, "completed");
            String perRow = read.replace("?", "job_id") + " FROM pgclone_jobs_view WHERE job_id = ANY(?)";
            Object both = connection.createArrayOf("int4", new Integer[] {job, other});
            assertEquals("[completed, completed]", Jobs.column(connection, perRow, both));
            assertTrue(Jobs.value(connection, "SELECT pgclone_version()").contains("pgclone"), "no version");
            String listed = "SELECT pgclone_jobs()::jsonb @> jsonb_build_array(jsonb_build_object('job_id', ?))";
            assertEquals("t", Jobs.value(connection, listed, job));
            return null;
        });

        ours("a prepared statement while its job goes on", to -> {
            Connection connection = to.open();
            Jobs.Waiting waiting = Jobs.waiting(to, connection);
            PreparedStatement statement = Jobs.prepare(connection, Jobs.STATUS, waiting.job());
            until(() -> Told.rows(statement.executeQuery()).toString().equals("[[running, 0]]") ? true : null);
            for (int use = 0; use < 10; use++) assertEquals("[[running, 0]]", Told.rows(statement.executeQuery()));
            waiting.goOn();
            String last = until(() -> {
                String now = Told.rows(statement.executeQuery()).toString();
                return now.contains("running") ? null : now;
            });
            assertEquals("[[completed, 500]]", last);
            return null;
        });

        ours("a transaction sees its job go on", to -> {
            Connection connection = to.open();
            connection.setAutoCommit(false);
            connection.setTransactionIsolation(Connection.TRANSACTION_REPEATABLE_READ);
            Jobs.ended(connection, Jobs.start(connection, to.source, "sales", "orders"), "completed");
            connection.commit();
            return null;
        });

        ours("rows in portions, and at most so many", to -> {
            Connection connection = to.open();
            int job = Jobs.completed(to, connection);
            connection.setAutoCommit(false);
            String rows = "generate_series(1, 100) g";
            String sql = "SELECT g, status FROM pgclone_jobs_view, " + rows + " WHERE job_id = ? ORDER BY g";
            String plain = "SELECT g, 'completed'::text AS status FROM " + rows + " WHERE ? > 0 ORDER BY g";
            for (int most : new int[] {0, 70}) {
                List<String> told = new ArrayList<>();
                for (String text : new String[] {plain, sql, sql, sql, sql, sql, sql, sql}) {
                    PreparedStatement statement = Jobs.prepare(connection, text, job);
                    statement.setFetchSize(30);
                    statement.setMaxRows(most);
                    told.add(Told.query(statement));
                }
                for (String one : told) assertEquals(told.get(0), one);
            }
            return null;
        });

        ours("scrolling, and a cursor in SQL", to -> {
            Connection connection = to.open();
            int job = Jobs.completed(to, connection);
            connection.setAutoCommit(false);
            Statement statement =
                connection.createStatement(ResultSet.TYPE_SCROLL_INSENSITIVE, ResultSet.CONCUR_READ_ONLY);
            ResultSet results = statement.executeQuery("SELECT * FROM pgclone_jobs_view ORDER BY job_id");
            assertTrue(results.last() && results.getInt("job_id") >= job && results.first(), job);
            statement.execute("DECLARE c CURSOR FOR SELECT status FROM pgclone_jobs_view WHERE job_id = " + job);
            assertEquals("[[completed]]", Told.rows(statement.executeQuery("FETCH 10 FROM c")));
            return null;
        });

        ours("COPY of the view", to -> {
            Connection connection = to.open();
            int job = Jobs.completed(to, connection);
            CopyManager copy = connection.unwrap(PGConnection.class).getCopyAPI();
            StringWriter out = new StringWriter();
            assertEquals(1, copy.copyOut(
                "COPY (SELECT job_id, status FROM pgclone_jobs_view WHERE job_id = " + job + ") TO STDOUT", out));
            assertEquals(job + "\tcompleted\n", out);
            String action = "COPY (SELECT pgclone_clear_jobs()) TO STDOUT";
            String refused = Told.of(() -> copy.copyOut(action, new StringWriter()));
            assertTrue(refused.contains("0A000"), refused);
            assertEquals(1, copy.copyIn("COPY started FROM STDIN", new StringReader("1\n")));
            return connection.createStatement().executeUpdate("DELETE FROM started");
        });

        ours("parameter metadata shows the client's parameters only", to -> {
            Connection connection = to.open();
            String where = " WHERE job_id = ? AND status = ?";
            Object plain = parameters(connection, "SELECT 1 FROM (SELECT 1 AS job_id, ''::text AS status) v" + where);
            assertEquals(plain, parameters(connection, "SELECT 1 FROM pgclone_jobs_view" + where));
            String action = "SELECT pgclone_table_async(?, 's', 't', true, ?)";
            assertEquals(parameters(connection, "SELECT ?::text || ?::text"), parameters(connection, action));
            return null;
        });
    }

    private static Object parameters(Connection connection, String sql) throws SQLException {
        try {
            ParameterMetaData meta = connection.prepareStatement(sql).getParameterMetaData();
            List<String> types = new ArrayList<>();
            for (int i = 1; i <= meta.getParameterCount(); i++) types.add(meta.getParameterTypeName(i));
            return types;
        } catch (SQLException error) {
            return error.getSQLState(); // simple mode has no metadata
        }
    }
}
