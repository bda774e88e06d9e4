// The checks of pgjdbc: each has a name, is done within a limit, and is reported as TAP.
//
//   same(name, work)  work is done directly and through the proxy: both must come to the same value
//   ours(name, work)  work is done through the proxy; it throws where pgclone's answers are not what they should be
//
// Arguments: URLs of the target directly, of the target through the proxy and of a source; then connection properties,
// which are the mode that all checks are done in.  What is asked is the business of the classes in TABLES.

import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.URI;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

class Checks {
    static final int LIMIT_SECONDS = 30;
    static final int PAUSE_MS = 20;

    static final List<Supplier<Checks>> TABLES =
        List.of(Statements::new, Sessions::new, Reads::new, Actions::new, Refusals::new, Stubs::new);

    interface Work {
        Object with(Connections connections) throws Exception;
    }

    interface Check {
        void on(String direct, String through, String source, Properties mode) throws Exception;
    }

    /** Connects to one place in the mode of this run; what it has opened is closed with it. */
    static final class Connections implements AutoCloseable {
        final String source;
        private final String url;
        private final Properties mode;
        private final List<Connection> opened = new ArrayList<>();

        Connections(String url, String source, Properties mode) {
            this.url = url;
            this.source = source;
            this.mode = mode;
        }

        /** A new connection; `more` are names and values of further properties. */
        Connection open(String... more) throws SQLException {
            Properties properties = new Properties();
            properties.putAll(mode);
            for (int i = 0; i < more.length; i += 2) properties.setProperty(more[i], more[i + 1]);
            return connect(url, properties);
        }

        /** A new connection to the source. */
        Connection openSource() throws SQLException {
            return connect(source, new Properties());
        }

        private Connection connect(String to, Properties properties) throws SQLException {
            URI uri = URI.create(to);
            properties.setProperty("user", uri.getUserInfo());
            String address = "jdbc:postgresql://" + uri.getHost() + ":" + uri.getPort() + uri.getPath();
            opened.add(DriverManager.getConnection(address, properties));
            return opened.get(opened.size() - 1);
        }

        @Override
        public void close() throws SQLException {
            for (Connection connection : opened) connection.close();
        }
    }

    private final Map<String, Check> table = new LinkedHashMap<>();

    void same(String name, Work work) {
        table.put(name, (direct, through, source, mode) -> {
            Object expected = value(work, direct, source, mode);
            assertEquals(expected, value(work, through, source, mode));
        });
    }

    void ours(String name, Work work) {
        table.put(name, (direct, through, source, mode) -> value(work, through, source, mode));
    }

    private static Object value(Work work, String url, String source, Properties mode) throws Exception {
        try (Connections connections = new Connections(url, source, mode)) {
            return work.with(connections);
        }
    }

    static void assertEquals(Object expected, Object found) {
        if (!String.valueOf(expected).equals(String.valueOf(found))) {
            throw new AssertionError("\nexpected " + expected + "\n   found " + found);
        }
    }

    static void assertTrue(boolean right, Object found) {
        if (!right) throw new AssertionError("found " + found);
    }

    /** The first value of `look` that is not null; the limit of the check ends the wait. */
    static <T> T until(Callable<T> look) throws Exception {
        for (;;) {
            T found = look.call();
            if (found != null) return found;
            Thread.sleep(PAUSE_MS);
        }
    }

    public static void main(String[] arguments) throws Exception {
        Properties mode = new Properties();
        for (int i = 3; i < arguments.length; i++) {
            String[] property = arguments[i].split("=", 2);
            mode.setProperty(property[0], property[1]);
        }
        Map<String, Check> all = new LinkedHashMap<>();
        for (Supplier<Checks> checks : TABLES) all.putAll(checks.get().table());
        ExecutorService threads = Executors.newCachedThreadPool();
        int number = 0;
        for (Map.Entry<String, Check> entry : all.entrySet()) {
            String wrong = failure(threads, () -> {
                entry.getValue().on(arguments[0], arguments[1], arguments[2], mode);
                return null;
            });
            System.out.println((wrong.isEmpty() ? "ok " : "not ok ") + ++number + " - " + entry.getKey());
            System.out.print(wrong);
            System.out.flush();
        }
        System.out.println("1.." + number);
        System.exit(0); // a check that hung may still have its thread
    }

    Map<String, Check> table() {
        return table;
    }

    private static String failure(ExecutorService threads, Callable<Void> check) {
        try {
            threads.submit(check).get(LIMIT_SECONDS, TimeUnit.SECONDS);
            return "";
        } catch (Exception failed) {
            StringWriter text = new StringWriter();
            (failed.getCause() == null ? failed : failed.getCause()).printStackTrace(new PrintWriter(text, true));
            return text.toString().replaceAll("(?m)^", "# ").replaceFirst("# $", "");
        }
    }
}
