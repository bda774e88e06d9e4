// What else a session does, without anything of ours: directly and through the proxy, and the same.

import java.io.StringReader;
import java.io.StringWriter;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.PreparedStatement;
import java.sql.SQLWarning;
import java.sql.Savepoint;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import org.postgresql.PGConnection;
import org.postgresql.PGNotification;
import org.postgresql.copy.CopyManager;
import org.postgresql.largeobject.LargeObject;
import org.postgresql.largeobject.LargeObjectManager;

final class Sessions extends Checks {
    private static final String[] ERRORS = {
        "SELEC 1",
        "SELECT 1 / 0",
        "SELECT nosuch FROM items",
        "SELECT 'ü', pgclone_nosuch(1)",
        "INSERT INTO items (id, name) VALUES (1, 'x')",
        "INSERT INTO items (id, name, price) VALUES (501, 'y', -1)",
        "CALL pgclone_progress(1)",
        "DO $$BEGIN RAISE 'own' USING ERRCODE = 'ZZ123', DETAIL = 'd', HINT = 'h', SCHEMA = 's', DATATYPE = 't'; END$$",
    };

    Sessions() {
        same("COPY both ways", to -> {
            Connection connection = to.open();
            connection.createStatement().execute("CREATE TEMP TABLE copied (n int, name text)");
            CopyManager copy = connection.unwrap(PGConnection.class).getCopyAPI();
            StringBuilder lines = new StringBuilder();
            for (int n = 0; n < 5000; n++) lines.append(n).append("\tpgclone_progress(").append(n).append(")\n");
            long in = copy.copyIn("COPY copied FROM STDIN", new StringReader(lines.toString()));
            StringWriter out = new StringWriter();
            long back = copy.copyOut("COPY (SELECT * FROM copied ORDER BY n) TO STDOUT", out);
            assertEquals(lines, out);
            String refused = Told.of(() -> copy.copyIn("COPY copied FROM STDIN", new StringReader("no number\n")));
            return in + " " + back + refused
                + Told.query(connection.createStatement(), "SELECT count(*) FROM copied");
        });

        same("database metadata", to -> {
            DatabaseMetaData meta = to.open().getMetaData();
            List<String> told = new ArrayList<>();
            for (String name : new String[] {"%", "pgclone%", "pgclone\\_jobs\\_view"}) {
                told.add(Told.result(meta.getTables(null, null, name, new String[] {"TABLE", "VIEW"})));
                told.add(Told.result(meta.getColumns(null, "public", name, "%")));
                told.add(Told.result(meta.getFunctions(null, "public", name)));
                told.add(Told.result(meta.getFunctionColumns(null, "public", name, "%")));
                told.add(Told.result(meta.getProcedures(null, "public", name)));
            }
            told.add(Told.result(meta.getPrimaryKeys(null, "public", "items")));
            told.add(Told.result(meta.getIndexInfo(null, "public", "items", true, true)));
            told.add(Told.result(meta.getTablePrivileges(null, "public", "items")));
            told.add(Told.result(meta.getSchemas()) + Told.result(meta.getTypeInfo()));
            told.add(meta.getDatabaseProductVersion() + meta.getUserName() + meta.getMaxConnections());
            return told;
        });

        same("a read-only connection", to -> {
            Connection connection = to.open("readOnlyMode", "always");
            connection.setReadOnly(true);
            List<String> told = new ArrayList<>();
            for (boolean autocommit : new boolean[] {true, false}) {
                connection.setAutoCommit(autocommit);
                told.add(Told.of(() -> connection.createStatement().executeUpdate("DELETE FROM items")));
                if (!autocommit) connection.rollback();
                told.add(Told.query(connection.createStatement(), "SELECT count(*) FROM items"));
            }
            return told;
        });

        same("a statement that is cancelled", to -> {
            Connection connection = to.open();
            Statement statement = connection.createStatement();
            return cancelled(to, connection, statement, "SELECT pg_sleep(60)")
                + Told.query(connection.createStatement(), "SELECT 1 AS one");
        });

        same("a query timeout", to -> {
            Connection connection = to.open();
            PreparedStatement statement = connection.prepareStatement("SELECT pg_sleep(?)");
            statement.setQueryTimeout(1);
            statement.setInt(1, 60);
            return Told.of(statement::executeQuery) + Told.query(connection.createStatement(), "SELECT 1 AS one");
        });

        same("transactions and savepoints", to -> {
            Connection connection = to.open();
            connection.setTransactionIsolation(Connection.TRANSACTION_SERIALIZABLE);
            connection.setAutoCommit(false);
            Statement statement = connection.createStatement();
            List<String> told = new ArrayList<>();
            Savepoint savepoint = connection.setSavepoint("s");
            told.add(Told.of(() -> statement.executeUpdate("INSERT INTO items (id, name) VALUES (1, 'x')")));
            told.add(Told.of(() -> statement.executeQuery("SELECT 1")));
            connection.rollback(savepoint);
            told.add(Told.query(statement, "SHOW transaction_isolation"));
            connection.rollback();
            return told;
        });

        same("the driver's own savepoints", to -> {
            Connection connection = to.open("autosave", "always", "cleanupSavepoints", "true");
            connection.setAutoCommit(false);
            PreparedStatement statement = connection.prepareStatement("SELECT 10 / ?");
            List<String> told = new ArrayList<>();
            for (int divisor : new int[] {1, 2, 0, 5, 10, 0, 1, 2}) {
                statement.setInt(1, divisor);
                told.add(Told.of(() -> Told.query(statement)));
            }
            return told;
        });

        same("the fields of errors", to -> {
            Connection connection = to.open();
            List<String> told = new ArrayList<>();
            for (String sql : ERRORS) {
                told.add(Told.of(() -> connection.createStatement().execute(sql)));
                told.add(Told.of(() -> connection.prepareStatement(sql).execute()));
            }
            return told;
        });

        same("warnings and notifications", to -> {
            Connection connection = to.open();
            Statement statement = connection.createStatement();
            statement.execute("DO $$BEGIN RAISE NOTICE 'pgclone_%', 1; RAISE WARNING 'w' USING HINT = 'h'; END$$");
            List<String> told = new ArrayList<>();
            for (SQLWarning w = statement.getWarnings(); w != null; w = w.getNextWarning()) told.add(Told.error(w));
            statement.execute("LISTEN news");
            statement.execute("NOTIFY news, 'pgclone_jobs_view'");
            PGConnection notified = connection.unwrap(PGConnection.class);
            for (PGNotification n : until(notified::getNotifications)) told.add(n.getName() + " " + n.getParameter());
            return told;
        });

        same("large objects, by function calls of the protocol", to -> {
            Connection connection = to.open();
            connection.setAutoCommit(false);
            LargeObjectManager manager = connection.unwrap(PGConnection.class).getLargeObjectAPI();
            LargeObject object = manager.open(manager.createLO());
            object.write("pgclone_jobs_view".repeat(9000).getBytes("US-ASCII"));
            object.seek(8);
            return new String(object.read(100_000), "US-ASCII") + object.tell();
        });
    }

    /** Execute `sql` and cancel it as soon as it sleeps on the server: what came of it. */
    static String cancelled(Connections to, Connection connection, Statement statement, String sql) throws Exception {
        int pid = connection.unwrap(PGConnection.class).getBackendPID();
        Statement watcher = to.open().createStatement();
        Thread canceller = new Thread(() -> {
            try {
                String look = "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND pid = " + pid;
                until(() -> watcher.executeQuery(look).next() ? true : null);
                statement.cancel();
            } catch (Exception failed) {
                throw new IllegalStateException(failed); // the check ends by its limit
            }
        });
        canceller.start();
        String told = Told.of(() -> statement.executeQuery(sql));
        canceller.join();
        return told;
    }
}
