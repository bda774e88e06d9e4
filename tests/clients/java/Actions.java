// The functions that start and change jobs, in pgjdbc's ways to ask.

import java.sql.CallableStatement;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Types;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

final class Actions extends Checks {
    Actions() {
        ours("actions with constants", to -> {
            Connection connection = to.open();
            String name = "constant" + Jobs.suffix();
            Statement statement = connection.createStatement();
            ResultSet started = statement.executeQuery("SELECT pgclone.table_async(" + Jobs.literal(to.source)
                + ", 'sales', 'orders', target_table_name => '" + name + "')");
            assertEquals("[table_async int4]", List.of(started.getMetaData().getColumnLabel(1) + " "
                + started.getMetaData().getColumnTypeName(1)));
            assertTrue(started.next(), "no row");
            Jobs.ended(connection, started.getInt(1), "completed");
            assertEquals(2000, Jobs.value(connection, "SELECT count(*) FROM sales." + name));
            return null;
        });

        ours("an action prepared once", to -> {
            Connection connection = to.open();
            List<Integer> jobs = new ArrayList<>();
            try (PreparedStatement statement = Jobs.prepare(connection, Jobs.START, to.source, "sales", "orders", "")) {
                for (int use = 0; use < 6; use++) {
                    statement.setString(4, "again" + Jobs.suffix());
                    ResultSet started = statement.executeQuery();
                    assertTrue(started.next(), "no row");
                    jobs.add(started.getInt("job"));
                }
            }
            return distinctAndEnded(connection, jobs);
        });

        ours("actions per row", to -> {
            Connection connection = to.open();
            for (boolean autocommit : new boolean[] {true, false}) {
                connection.setAutoCommit(autocommit);
                String end = Jobs.suffix();
                PreparedStatement statement = Jobs.prepare(connection, Jobs.PER_ROW, to.source, end);
                statement.setFetchSize(1);
                ResultSet started = statement.executeQuery();
                List<Integer> here = new ArrayList<>();
                while (started.next()) here.add(started.getInt("job"));
                assertEquals(2, here.size());
                distinctAndEnded(connection, here);
                String name = "SELECT table_name FROM pgclone_jobs_view WHERE job_id = ?";
                assertEquals("customers", Jobs.value(connection, name, here.get(0)));
                assertEquals(2000, Jobs.value(connection, "SELECT count(*) FROM sales.orders" + end));
            }
            return null;
        });

        ours("batches of actions", to -> {
            Connection connection = to.open();
            for (String mode : new String[] {"autocommit", "transaction"}) {
                connection.setAutoCommit(mode.equals("autocommit"));
                PreparedStatement statement = connection.prepareStatement(
                    "INSERT INTO started SELECT pgclone_table_async(?, 'sales', ?, true, ?)");
                assertEquals("[1, 1]", Arrays.toString(batch(to, statement)));
            }
            return startedAreEnded(connection, 4);
        });

        ours("a batch of actions rewritten by the driver, with generated keys", to -> {
            Connection connection = to.open("reWriteBatchedInserts", "true");
            connection.setAutoCommit(false);
            PreparedStatement statement = connection.prepareStatement(
                "INSERT INTO started VALUES (pgclone_table_async(?, 'sales', ?, true, ?))", new String[] {"job_id"});
            assertEquals(2, batch(to, statement).length);
            assertEquals(2, Told.rows(statement.getGeneratedKeys()).size());
            return startedAreEnded(connection, 2);
        });

        ours("callable statements, reads and actions", to -> {
            Connection connection = to.open();
            int job = Jobs.completed(to, connection);
            String plain = called(connection, "{? = call reverse(?)}", Types.VARCHAR, "123");
            // In simple mode the driver writes its OUT parameter as an argument, which no function has.
            if (plain.equals("42883")) {
                assertEquals(plain, called(connection, "{? = call pgclone_progress(?)}", Types.VARCHAR, job));
                return null;
            }
            assertEquals("321", plain);
            for (int use = 0; use < 7; use++) {
                String progress = called(connection, "{? = call pgclone_progress(?)}", Types.VARCHAR, job);
                assertTrue(progress.contains("\"completed\""), progress);
                String version = called(connection, "{? = call pgclone.version()}", Types.VARCHAR);
                assertTrue(version.contains("pgclone"), version);
            }
            List<Integer> jobs = new ArrayList<>();
            for (int use = 0; use < 2; use++) {
                String call = "{? = call pgclone_table_async(?, ?, ?, ?, ?)}";
                Object[] values = {to.source, "sales", "customers", true, "called" + Jobs.suffix()};
                jobs.add(Integer.valueOf(called(connection, call, Types.INTEGER, values)));
            }
            return distinctAndEnded(connection, jobs);
        });

        ours("a clone that is waited for", to -> {
            Connection connection = to.open();
            String name = "waited" + Jobs.suffix();
            String sql = "SELECT pgclone_table(?, 'sales', 'customers', true, ?)";
            assertEquals("OK", Jobs.value(connection, sql, to.source, name));
            assertEquals(1000, Jobs.value(connection, "SELECT count(*) FROM sales." + name));
            return null;
        });

        ours("an action in a transaction that is rolled back", to -> {
            Connection connection = to.open();
            connection.setAutoCommit(false);
            Statement statement = connection.createStatement();
            statement.executeUpdate("INSERT INTO started VALUES (1)");
            int job = Jobs.start(connection, to.source, "sales", "orders");
            connection.rollback();
            assertEquals("[]", Told.rows(statement.executeQuery("SELECT * FROM started")));
            Jobs.ended(connection, job, "completed");
            return null;
        });

        ours("several statements with an action in one string", to -> {
            Connection connection = to.open();
            Statement statement = connection.createStatement();
            String start = "SELECT pgclone_table_async(" + Jobs.literal(to.source) + ", 'sales', 'orders', true, "
                + Jobs.literal("several" + Jobs.suffix()) + ") AS job";
            statement.execute("SELECT 1 AS one; " + start + "; SELECT count(*) > 0 AS any FROM pgclone_jobs_view");
            assertTrue(statement.getMoreResults(), "no second result");
            ResultSet started = statement.getResultSet();
            assertTrue(started.next(), "no row");
            int job = started.getInt("job");
            assertTrue(statement.getMoreResults(), "no third result");
            assertEquals("[[true]]", Told.rows(statement.getResultSet()));
            Jobs.ended(connection, job, "completed");
            return null;
        });

        ours("a job is cancelled and resumed", to -> {
            Connection connection = to.open();
            Jobs.Waiting waiting = Jobs.waiting(to, connection);
            until(() -> Jobs.value(connection, Jobs.STATUS, waiting.job()).equals("running") ? true : null);
            assertEquals("cancelled", Jobs.value(connection, "SELECT pgclone_cancel(?)", waiting.job()));
            Jobs.ended(connection, waiting.job(), "cancelled");
            waiting.goOn();
            String resumed = Jobs.value(connection, "SELECT pgclone_resume(?)", waiting.job());
            Jobs.ended(connection, Integer.parseInt(resumed), "completed");
            return null;
        });
    }

    /** What a function gives, or the SQLSTATE of its error. */
    private static String called(Connection connection, String call, int type, Object... values) throws SQLException {
        try (CallableStatement statement = connection.prepareCall(call)) {
            statement.registerOutParameter(1, type);
            for (int i = 0; i < values.length; i++) statement.setObject(i + 2, values[i]);
            statement.execute();
            return String.valueOf(statement.getObject(1));
        } catch (SQLException error) {
            return error.getSQLState();
        }
    }

    private static int[] batch(Connections to, PreparedStatement statement) throws SQLException {
        for (int row = 0; row < 2; row++) {
            statement.setString(1, to.source);
            statement.setString(2, "customers");
            statement.setString(3, "batch" + Jobs.suffix());
            statement.addBatch();
        }
        return statement.executeBatch();
    }

    /** The jobs in the table `started`, which is emptied. */
    private static Object startedAreEnded(Connection connection, int number) throws Exception {
        List<String> started = Jobs.column(connection, "DELETE FROM started RETURNING job_id");
        List<Integer> jobs = started.stream().map(Integer::valueOf).toList();
        if (!connection.getAutoCommit()) connection.commit();
        assertEquals(number, jobs.size());
        return distinctAndEnded(connection, jobs);
    }

    private static Object distinctAndEnded(Connection connection, List<Integer> jobs) throws Exception {
        assertEquals(jobs.size(), jobs.stream().distinct().count());
        for (int job : jobs) Jobs.ended(connection, job, "completed");
        return jobs;
    }
}
