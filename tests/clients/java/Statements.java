// Statements that are not ours: each is done directly and through the proxy, and must be the same.

import java.math.BigDecimal;
import java.sql.CallableStatement;
import java.sql.Connection;
import java.sql.ParameterMetaData;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.Statement;
import java.sql.Timestamp;
import java.sql.Types;
import java.time.LocalDate;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.UUID;

final class Statements extends Checks {
    Statements() {
        same("a statement and its metadata", to ->
            Told.query(to.open().createStatement(), "SELECT i.*, now() > made AS past FROM items i WHERE id < 6"));

        same("a prepared statement executed often", to -> {
            Connection connection = to.open();
            List<String> told = new ArrayList<>();
            try (PreparedStatement statement = connection.prepareStatement("SELECT * FROM items WHERE id = ?")) {
                for (int id = 1; id <= 12; id++) {
                    statement.setInt(1, id);
                    told.add(Told.query(statement));
                }
            }
            told.add(Told.query(connection.createStatement(),
                "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%FROM items WHERE id = %'"));
            return told;
        });

        same("parameters of many types", to -> {
            Connection connection = to.open();
            PreparedStatement statement = connection.prepareStatement(
                "SELECT ?::int2, ?::int8, ?::numeric, ?::text, ?::bool, ?::timestamptz, ?::date, ?::uuid,"
                + " ?::text[], ?::jsonb, ?::float8, ?::timestamptz, ?::int");
            Object[] values = {(short) 1, 2L, new BigDecimal("3.50"), "ü'\\", true,
                OffsetDateTime.parse("2020-02-29T12:00:00Z"), LocalDate.of(2020, 2, 29), new UUID(1, 2),
                connection.createArrayOf("text", new String[] {"a", null}), "{\"k\": 1}", 0.1, new Timestamp(0), null};
            List<String> told = new ArrayList<>();
            for (int use = 0; use < 7; use++) {
                for (int i = 0; i < values.length; i++) statement.setObject(i + 1, values[i]);
                told.add(Told.query(statement));
            }
            return told;
        });

        same("bytes", to -> {
            Connection connection = to.open();
            List<String> told = new ArrayList<>();
            for (int use = 0; use < 7; use++) {
                PreparedStatement statement = connection.prepareStatement("SELECT ?::bytea, '\\xff00'::bytea");
                statement.setBytes(1, new byte[] {0, -1, 39, 92});
                told.add(Told.of(() -> Told.query(statement)));
            }
            return told;
        });

        same("parameter metadata", to -> {
            Connection connection = to.open();
            return Told.of(() -> {
                String sql = "UPDATE items SET price = ? WHERE id = ? AND name = ?";
                ParameterMetaData meta = connection.prepareStatement(sql).getParameterMetaData();
                List<String> types = new ArrayList<>();
                for (int i = 1; i <= meta.getParameterCount(); i++) types.add(meta.getParameterTypeName(i));
                return types;
            });
        });

        same("several statements in one string", to -> {
            Connection connection = to.open();
            connection.setAutoCommit(false);
            Statement statement = connection.createStatement();
            String sql = "SELECT 1 AS a; DELETE FROM items WHERE id > 90; SELECT count(*) FROM items; SELECT 'x;y'";
            return Told.of(() -> Told.results(statement, statement.execute(sql)));
        });

        same("rows in portions", to -> {
            Connection connection = to.open();
            connection.setAutoCommit(false);
            PreparedStatement statement =
                connection.prepareStatement("SELECT id, name FROM items WHERE id > ? ORDER BY id");
            statement.setFetchSize(30);
            List<String> told = new ArrayList<>();
            for (int use = 0; use < 7; use++) {
                statement.setInt(1, use);
                told.add(Told.query(statement));
            }
            return told;
        });

        same("at most so many rows", to -> Told.of(() -> {
            Statement statement = to.open().createStatement();
            statement.setMaxRows(7);
            return Told.query(statement, "SELECT id FROM items ORDER BY id");
        }));

        same("scrolling and updating", to -> {
            Connection connection = to.open();
            connection.setAutoCommit(false);
            Statement statement =
                connection.createStatement(ResultSet.TYPE_SCROLL_INSENSITIVE, ResultSet.CONCUR_UPDATABLE);
            ResultSet results = statement.executeQuery("SELECT id, name, price FROM items ORDER BY id");
            results.absolute(50);
            results.updateBigDecimal("price", new BigDecimal("1.5"));
            results.updateRow();
            results.relative(-10);
            return Told.row(results)
                + Told.query(connection.createStatement(), "SELECT price FROM items WHERE id = 50");
        });

        same("batches", to -> {
            Connection connection = to.open();
            connection.setAutoCommit(false);
            PreparedStatement prepared = connection.prepareStatement("UPDATE items SET price = ? WHERE id <= ?");
            for (int i = 1; i < 300; i++) {
                prepared.setInt(1, i);
                prepared.setInt(2, i);
                prepared.addBatch();
            }
            Statement plain = connection.createStatement();
            for (int id = 90; id < 100; id++) plain.addBatch("DELETE FROM items WHERE id = " + id);
            return Arrays.toString(prepared.executeBatch()) + Arrays.toString(plain.executeBatch());
        });

        same("a batch that fails in autocommit", to -> {
            Connection connection = to.open();
            PreparedStatement statement =
                connection.prepareStatement("UPDATE items SET price = price / ? WHERE id = 1");
            for (int divisor : new int[] {1, 1, 0, 1}) {
                statement.setInt(1, divisor);
                statement.addBatch();
            }
            return Told.of(statement::executeBatch)
                + Told.query(connection.createStatement(), "SELECT price FROM items WHERE id = 1");
        });

        same("batched inserts rewritten by the driver, with generated keys", to -> {
            Connection connection = to.open("reWriteBatchedInserts", "true");
            connection.setAutoCommit(false);
            PreparedStatement statement = connection.prepareStatement(
                "INSERT INTO items (id, name) VALUES (?, ?)", Statement.RETURN_GENERATED_KEYS);
            for (int id = 800; id < 1000; id++) {
                statement.setInt(1, id);
                statement.setString(2, "new " + id);
                statement.addBatch();
            }
            return Arrays.toString(statement.executeBatch()) + Told.result(statement.getGeneratedKeys());
        });

        same("callable statements", to -> {
            Connection connection = to.open();
            List<String> told = new ArrayList<>();
            for (int use = 0; use < 7; use++) {
                CallableStatement upper = connection.prepareCall("{? = call upper(?)}");
                upper.registerOutParameter(1, Types.VARCHAR);
                upper.setString(2, "pgclone_" + use);
                told.add(Told.of(() -> upper.execute() + upper.getString(1)));
                CallableStatement next = connection.prepareCall("{call next_item(?, ?)}");
                next.setInt(1, use);
                next.registerOutParameter(1, Types.INTEGER);
                next.registerOutParameter(2, Types.VARCHAR);
                told.add(Told.of(() -> next.execute() + " " + next.getInt(1) + next.getString(2)));
            }
            told.add(Told.of(() -> Told.query(connection.createStatement(), "{call upper('x')}")));
            told.add(Told.of(() -> {
                CallableStatement twice = to.open("escapeSyntaxCallMode", "call").prepareCall("{call double(?)}");
                twice.setInt(1, 21);
                twice.registerOutParameter(1, Types.INTEGER);
                return twice.execute() + " " + twice.getInt(1);
            }));
            return told;
        });

        same("statements that are forgotten by the server", to -> {
            Connection connection = to.open();
            PreparedStatement statement = connection.prepareStatement("SELECT id FROM items WHERE id = ?");
            List<String> told = new ArrayList<>();
            for (int use = 0; use < 12; use++) {
                if (use == 8) connection.createStatement().execute("DEALLOCATE ALL");
                statement.setInt(1, use);
                told.add(Told.of(() -> Told.query(statement)));
            }
            return told;
        });

        same("names of ours where they mean nothing", to -> {
            PreparedStatement statement = to.open().prepareStatement(
                "SELECT 'pgclone_progress(1)' AS pgclone_progress, ?::text /* pgclone_jobs() */");
            statement.setString(1, "SELECT pgclone_jobs()");
            return Told.query(statement);
        });
    }
}
