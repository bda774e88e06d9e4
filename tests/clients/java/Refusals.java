// What pgclone refuses, and statements that fail or are cancelled around it, in pgjdbc's ways to ask.

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.util.List;
import java.util.concurrent.FutureTask;

final class Refusals extends Checks {
    /** A statement, the SQLSTATE of its refusal, a word of the message, and the position, if there is one. */
    private static final String[][] REFUSALS = {
        {"SELECT pgclone_progress(999999)", "P0002", "job 999999 not found", "at 0"},
        {"SELECT 'ü', pgclone_progress()", "42883", "pgclone_progress", "at 13"},
        {"SELECT pgclone_schema_async('dbname=x', 's', true, '{\"paralel\": 1}')", "22023", "paralel", "at 0"},
        {"EXPLAIN ANALYZE SELECT pgclone_clear_jobs()", "0A000", "EXPLAIN ANALYZE", "at"},
        {"DECLARE c CURSOR FOR SELECT pgclone_clear_jobs()", "0A000", "cursor", "at"},
        {"DELETE FROM pgclone_jobs_view", "55000", "cannot modify view", "at"},
    };

    Refusals() {
        ours("refusals", to -> {
            Connection connection = to.open();
            for (String[] refusal : REFUSALS) {
                assertRefused(refusal, Told.of(() -> connection.createStatement().execute(refusal[0])));
                for (int use = 0; use < 7; use++) {
                    assertRefused(refusal, Told.of(() -> connection.prepareStatement(refusal[0]).execute()));
                }
            }
            return null;
        });

        ours("a read-only connection reads and does not start", to -> {
            Connection connection = to.open("readOnlyMode", "always");
            connection.setReadOnly(true);
            for (boolean autocommit : new boolean[] {true, false}) {
                connection.setAutoCommit(autocommit);
                Jobs.value(connection, "SELECT count(*) FROM pgclone_jobs_view");
                String told = Told.of(() -> Jobs.start(connection, to.source, "sales", "orders"));
                assertTrue(told.contains("25006") && told.contains("pgclone_table_async"), told);
            }
            return null;
        });

        ours("a failed transaction starts nothing", to -> {
            Connection connection = to.open();
            String before = Jobs.value(connection, "SELECT count(*) FROM pgclone_jobs_view");
            connection.setAutoCommit(false);
            String told = Told.of(() -> Jobs.value(connection, "SELECT pgclone_progress(?)", 999999));
            assertTrue(told.contains("P0002"), told);
            told = Told.of(() -> Jobs.start(connection, to.source, "sales", "orders"));
            assertTrue(told.contains("25P02"), told);
            connection.rollback();
            assertEquals(before, Jobs.value(connection, "SELECT count(*) FROM pgclone_jobs_view"));
            return null;
        });

        ours("the driver's own savepoints, and refusals", to -> {
            Connection connection = to.open("autosave", "always", "cleanupSavepoints", "true");
            connection.setAutoCommit(false);
            int job = Jobs.completed(to, connection);
            for (int use = 0; use < 7; use++) {
                String told = Told.of(() -> Jobs.value(connection, "SELECT pgclone_progress(?)", 999999));
                assertTrue(told.contains("P0002"), told);
                assertEquals("completed", Jobs.value(connection, Jobs.STATUS, job));
            }
            Jobs.ended(connection, Jobs.start(connection, to.source, "sales", "orders"), "completed");
            connection.commit();
            return null;
        });

        ours("a batch with a refusal", to -> {
            Connection connection = to.open();
            connection.setAutoCommit(false);
            PreparedStatement statement =
                connection.prepareStatement("INSERT INTO started SELECT length(pgclone_progress(?))");
            for (int job : new int[] {Jobs.completed(to, connection), 999999}) {
                statement.setInt(1, job);
                statement.addBatch();
            }
            String told = Told.of(statement::executeBatch);
            assertTrue(told.contains("P0002") && told.contains("job 999999 not found"), told);
            connection.rollback();
            assertEquals(0, Jobs.value(connection, "SELECT count(*) FROM started"));
            return null;
        });

        ours("a clone that is waited for is cancelled", to -> {
            Connection lock = Jobs.locked(to);
            Connection watcher = to.open();
            for (boolean autocommit : new boolean[] {true, false}) {
                Connection connection = to.open();
                connection.setAutoCommit(autocommit);
                PreparedStatement statement = Jobs.prepare(connection,
                    "SELECT pgclone_table(?, 'public', 'held', true, ?)", to.source, "held" + Jobs.suffix());
                FutureTask<String> job = new FutureTask<>(() -> {
                    String found = until(() -> running(watcher));
                    statement.cancel();
                    return found;
                });
                new Thread(job).start();
                String told = Told.of(statement::executeQuery);
                assertTrue(told.startsWith("error 57014"), told);
                Jobs.ended(watcher, Integer.parseInt(job.get()), "cancelled");
                if (!autocommit) connection.rollback();
                assertEquals("1", Jobs.value(connection, "SELECT 1"));
            }
            lock.rollback();
            return null;
        });

        ours("a clone that is waited for takes too long", to -> {
            Connection lock = Jobs.locked(to);
            Connection connection = to.open();
            PreparedStatement statement = Jobs.prepare(connection,
                "SELECT pgclone_table(?, 'public', 'held', true, ?)", to.source, "held" + Jobs.suffix());
            statement.setQueryTimeout(1);
            String told = Told.of(statement::executeQuery);
            assertTrue(told.startsWith("error 57014"), told);
            until(() -> running(connection) == null ? true : null);
            lock.rollback();
            return null;
        });

        ours("statements that are cancelled or take too long", to -> {
            Connection connection = to.open();
            String sql = "SELECT pg_sleep(60), count(*) FROM pgclone_jobs_view";
            String told = Sessions.cancelled(to, connection, connection.createStatement(), sql);
            assertTrue(told.contains("57014"), told);
            PreparedStatement statement = connection.prepareStatement(sql + " WHERE job_id > ?");
            statement.setQueryTimeout(1);
            statement.setInt(1, 0);
            told = Told.of(statement::executeQuery);
            assertTrue(told.contains("57014"), told);
            assertEquals("completed", Jobs.value(connection, Jobs.STATUS, Jobs.completed(to, connection)));
            return null;
        });
    }

    /** The one clone of public.held that runs; null if there is none. */
    private static String running(Connection connection) throws SQLException {
        String sql = "SELECT job_id FROM pgclone_jobs_view WHERE status = 'running' AND table_name = 'held'";
        List<String> found = Jobs.column(connection, sql);
        return found.isEmpty() ? null : found.get(0);
    }

    private static void assertRefused(String[] refusal, String told) {
        assertTrue(told.startsWith("error " + refusal[1]) && told.contains(refusal[2]) && told.contains(refusal[3]),
            refusal[0] + ": " + told);
    }
}
