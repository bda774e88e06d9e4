// What stubs on the server add: names in the metadata, and calls that the server makes.  Without them, what is missing.

import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;

final class Stubs extends Checks {
    Stubs() {
        ours("metadata lists the view and its columns", to -> {
            Connection connection = to.open();
            DatabaseMetaData meta = connection.getMetaData();
            List<String> expected = new ArrayList<>();
            ResultSetMetaData shape = connection.prepareStatement(Reads.SHAPE).getMetaData();
            for (int i = 1; i <= shape.getColumnCount(); i++) {
                expected.add(shape.getColumnLabel(i) + " " + shape.getColumnTypeName(i));
            }
            for (String[] view : new String[][] {{"public", "pgclone_jobs_view"}, {"pgclone", "jobs_view"}}) {
                List<String> tables =
                    names(meta.getTables(null, view[0], view[1], new String[] {"VIEW"}), "TABLE_NAME");
                assertEquals(installed(connection) ? List.of(view[1]) : List.of(), tables);
                List<String> columns = names(meta.getColumns(null, view[0], view[1], "%"), "COLUMN_NAME", "TYPE_NAME");
                assertEquals(installed(connection) ? expected : List.of(), columns);
            }
            return null;
        });

        ours("metadata lists the functions and their arguments", to -> {
            Connection connection = to.open();
            DatabaseMetaData meta = connection.getMetaData();
            boolean installed = installed(connection);
            List<String> flat = names(meta.getFunctions(null, "public", "pgclone\\_%"), "FUNCTION_NAME");
            List<String> some = List.of("pgclone_progress", "pgclone_table_async", "pgclone_cancel", "pgclone_version");
            assertTrue(installed ? new TreeSet<>(flat).containsAll(some) : flat.isEmpty(), flat);
            List<String> arguments =
                names(meta.getFunctionColumns(null, "pgclone", "progress", "%"), "COLUMN_NAME", "TYPE_NAME");
            assertEquals(installed ? List.of("returnValue text", "job_id int4") : List.of(), arguments);
            return null;
        });

        ours("calls that the server makes", to -> {
            Connection connection = to.open();
            String block = "DO $$BEGIN PERFORM pgclone_progress(999999); END$$";
            String told = Told.of(() -> connection.createStatement().execute(block));
            assertTrue(told.startsWith("error " + (installed(connection) ? "P0002" : "42883")), told);
            return null;
        });

        ours("a stored view over ours while its job goes on", to -> {
            Connection connection = to.open();
            String view = "CREATE TEMP VIEW mine AS SELECT job_id, status FROM pgclone_jobs_view";
            String told = Told.of(() -> connection.createStatement().execute(view));
            if (!installed(connection)) {
                assertTrue(told.startsWith("error 0A000") && told.contains("install-stubs"), told);
                return null;
            }
            Jobs.Waiting waiting = Jobs.waiting(to, connection);
            PreparedStatement statement =
                Jobs.prepare(connection, "SELECT status FROM mine WHERE job_id = ?", waiting.job());
            until(() -> Told.rows(statement.executeQuery()).toString().equals("[[running]]") ? true : null);
            waiting.goOn();
            until(() -> Told.rows(statement.executeQuery()).toString().equals("[[completed]]") ? true : null);
            return null;
        });
    }

    private static boolean installed(Connection connection) throws SQLException {
        Statement statement = connection.createStatement();
        ResultSet found = statement.executeQuery("SELECT to_regclass('public.pgclone_jobs_view') IS NOT NULL");
        return found.next() && found.getBoolean(1);
    }

    private static List<String> names(ResultSet results, String... columns) throws SQLException {
        List<String> found = new ArrayList<>();
        while (results.next()) {
            List<String> row = new ArrayList<>();
            for (String column : columns) row.add(results.getString(column));
            found.add(String.join(" ", row));
        }
        return found;
    }
}
