import java.io.Serializable;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.function.Function;
import javax.persistence.CascadeType;
import javax.persistence.Column;
import javax.persistence.DiscriminatorColumn;
import javax.persistence.DiscriminatorValue;
import javax.persistence.Entity;
import javax.persistence.EntityManager;
import javax.persistence.EntityManagerFactory;
import javax.persistence.Id;
import javax.persistence.IdClass;
import javax.persistence.Inheritance;
import javax.persistence.InheritanceType;
import javax.persistence.JoinColumn;
import javax.persistence.JoinTable;
import javax.persistence.ManyToMany;
import javax.persistence.ManyToOne;
import javax.persistence.OneToMany;
import javax.persistence.Persistence;
import javax.persistence.PrimaryKeyJoinColumn;
import javax.persistence.Table;
import javax.persistence.Version;
import org.eclipse.persistence.annotations.CascadeOnDelete;

/** Deletes through JPA (EclipseLink) and JDBC. Runs twice, as ../django/checks.py says. */
public class Checks {
    @Entity(name = "Customer") @Table(name = "customers")
    public static class Customer {
        @Id int id;
        String name;
        @Version int version;
        @OneToMany(mappedBy = "customer", cascade = CascadeType.ALL, orphanRemoval = true)
        List<Order> orders = new ArrayList<>();
        @OneToMany(mappedBy = "customer", cascade = CascadeType.REMOVE) @CascadeOnDelete
        List<Note> notes = new ArrayList<>();
        @ManyToMany @JoinTable(name = "customer_tags", joinColumns = @JoinColumn(name = "customer_id"),
                               inverseJoinColumns = @JoinColumn(name = "tag_id"))
        List<Tag> tags = new ArrayList<>();
    }

    @Entity(name = "Order") @Table(name = "orders")
    public static class Order {
        @Id int id;
        String number;
        @ManyToOne @JoinColumn(name = "customer_id") Customer customer;
        @OneToMany(mappedBy = "order", cascade = CascadeType.ALL, orphanRemoval = true)
        List<Line> lines = new ArrayList<>();
    }

    public static class LineId implements Serializable {
        int order;
        int line;

        public LineId() { }
        LineId(int order, int line) { this.order = order; this.line = line; }
        @Override public int hashCode() { return Objects.hash(order, line); }
        @Override public boolean equals(Object o) { return o instanceof LineId && ((LineId) o).order == order && ((LineId) o).line == line; }
    }

    @Entity(name = "Line") @Table(name = "lines") @IdClass(LineId.class)
    public static class Line {
        @Id @ManyToOne @JoinColumn(name = "order_id") Order order;
        @Id int line;
        String what;
    }

    @Entity(name = "Note") @Table(name = "notes")
    public static class Note {
        @Id int id;
        String body;
        @ManyToOne @JoinColumn(name = "customer_id") Customer customer;
    }

    @Entity(name = "Tag") @Table(name = "tags")
    public static class Tag {
        @Id int id;
        String name;
        @Version int version;
    }

    @Entity(name = "Person") @Table(name = "people") @Inheritance(strategy = InheritanceType.JOINED)
    @DiscriminatorColumn(name = "kind") @DiscriminatorValue("person")
    public static class Person {
        @Id int id;
        String name;
    }

    @Entity(name = "Employee") @Table(name = "employees") @DiscriminatorValue("employee") @PrimaryKeyJoinColumn(name = "id")
    public static class Employee extends Person {
        @Column(name = "salary") int salary;
    }

    static final String SCHEMA =
        "CREATE TABLE customers (id int PRIMARY KEY, name text UNIQUE, version int NOT NULL DEFAULT 1);"
        + "CREATE TABLE orders (id int PRIMARY KEY, customer_id int REFERENCES customers, number text UNIQUE);"
        + "CREATE TABLE lines (order_id int REFERENCES orders, line int, what text, PRIMARY KEY (order_id, line));"
        + "CREATE TABLE notes (id int PRIMARY KEY, customer_id int REFERENCES customers ON DELETE CASCADE, body text);"
        + "CREATE TABLE tags (id int PRIMARY KEY, name text, version int NOT NULL DEFAULT 1);"
        + "CREATE TABLE customer_tags (customer_id int REFERENCES customers, tag_id int REFERENCES tags, PRIMARY KEY (customer_id, tag_id));"
        + "CREATE TABLE people (id int PRIMARY KEY, kind text, name text);"
        + "CREATE TABLE employees (id int PRIMARY KEY REFERENCES people, salary int)";
    static final String[] TABLES = {"customers", "orders", "lines", "notes", "tags", "customer_tags", "people", "employees"};
    static final String ROWS =
        "TRUNCATE customers, orders, lines, notes, tags, customer_tags, people, employees;"
        + "INSERT INTO customers SELECT i, 'c' || i, 1 FROM generate_series(1, 10) i;"
        + "INSERT INTO orders SELECT i, (i + 1) / 2, 'o' || i FROM generate_series(1, 20) i;"
        + "INSERT INTO lines SELECT i, l, 'thing' FROM generate_series(1, 20) i, generate_series(1, 3) l;"
        + "INSERT INTO notes SELECT i, 1 + i % 10, 'note' FROM generate_series(1, 30) i;"
        + "INSERT INTO tags SELECT i, 't' || i FROM generate_series(1, 4) i;"
        + "INSERT INTO customer_tags SELECT i, t FROM generate_series(1, 10) i, generate_series(1, 3) t;"
        + "INSERT INTO people SELECT i, CASE WHEN i <= 5 THEN 'employee' ELSE 'person' END, 'p' || i FROM generate_series(1, 8) i;"
        + "INSERT INTO employees SELECT i, 100 * i FROM generate_series(1, 5) i";

    static final boolean soft = "soft".equals(System.getenv("MODE"));
    static EntityManagerFactory factory;
    static Connection load;         // with softdelete.enabled off
    static Connection plain;
    static String title;

    static String quoted(Object value) {
        StringBuilder json = new StringBuilder("\"");
        for (char c : String.valueOf(value).toCharArray())
            json.append(c == '"' || c == '\\' ? "\\" + c : c < ' ' ? " " : String.valueOf(c));
        return json.append('"').toString();
    }

    /** What the provider answers, or throws: the twin must say the same. */
    static void says(String name, Callable<?> call) {
        String value;
        try {
            value = String.valueOf(call.call());
        } catch (Exception error) {
            Throwable cause = error;
            while (cause.getCause() != null && !(cause instanceof SQLException))
                cause = cause.getCause();
            value = error.getClass().getSimpleName() + ": "
                + (cause instanceof SQLException ? ((SQLException) cause).getSQLState() + " " + cause.getMessage() : "");
        }
        System.out.println("{\"name\": " + quoted(title + ": " + name) + ", \"value\": " + quoted(value) + "}");
    }

    static void check(String name, boolean ok, String detail) {
        System.out.println("{\"name\": " + quoted(title + ": " + name) + ", \"ok\": " + ok + ", \"detail\": " + quoted(ok ? "" : detail) + "}");
    }

    static void execute(Connection on, String sql) throws SQLException {
        try (Statement statement = on.createStatement()) {
            statement.execute(sql);
        }
    }

    static String ask(String sql) throws SQLException {
        try (Statement statement = plain.createStatement(); ResultSet rows = statement.executeQuery(sql)) {
            rows.next();
            return rows.getString(1);
        }
    }

    /** In a transaction of its own. */
    static <T> T within(Function<EntityManager, T> body) {
        EntityManager manager = factory.createEntityManager();
        try {
            manager.getTransaction().begin();
            T result = body.apply(manager);
            manager.getTransaction().commit();
            return result;
        } finally {
            if (manager.getTransaction().isActive())
                manager.getTransaction().rollback();
            manager.close();
        }
    }

    interface Body {
        void run() throws Exception;
    }

    /** Undeletes the last deletions, if any are named: then everything is there again. */
    static void scenario(String name, int deletions, Body body) throws Exception {
        title = name;
        execute(load, ROWS);
        String before = ask("SELECT orm.snapshot()");
        body.run();
        says("whole database", () -> ask("SELECT orm.snapshot()"));
        if (!soft || deletions == 0)
            return;
        ask("SELECT orm.undelete_last(" + deletions + ")");
        String after = ask("SELECT orm.snapshot()");
        check("undeleted", before.equals(after), after);
    }

    static Connection connect(String options) throws SQLException {
        return DriverManager.getConnection(url() + (options.isEmpty() ? "" : "&options=" + options));
    }

    static String url() {
        return "jdbc:postgresql://localhost/" + System.getenv("PGDATABASE") + "?user=" + System.getenv("PGUSER")
            + "&socketFactory=UnixSocketFactory&sslmode=disable&gssEncMode=disable";
    }

    static Customer find(EntityManager manager, int id) {
        return manager.find(Customer.class, id);
    }

    static void scenarios() throws Exception {
        scenario("remove()", 2, () -> {
            says("cascade = ALL and REMOVE, join rows", () -> within(m -> { m.remove(find(m, 1)); return "removed"; }));
            says("find() afterwards", () -> within(m -> find(m, 1)));
            says("a reference to it", () -> within(m -> m.find(Order.class, 1)));
            says("count", () -> within(m -> m.createQuery("SELECT count(c) FROM Customer c").getSingleResult()));
            says("what the transaction itself sees", () -> within(m -> {
                m.remove(find(m, 2));
                m.flush();
                m.clear();
                return find(m, 2) + " " + m.createQuery("SELECT count(n) FROM Note n").getSingleResult();
            }));
        });
        scenario("rolled back", 0, () -> says("remove()", () -> {
            EntityManager manager = factory.createEntityManager();
            manager.getTransaction().begin();
            manager.remove(find(manager, 3));
            manager.flush();
            manager.getTransaction().rollback();
            manager.close();
            return within(m -> find(m, 3).orders.size());
        }));
        scenario("orphanRemoval", 1, () -> says("removed from the collection", () -> within(m -> {
            find(m, 1).orders.remove(0);
            return "flushed";
        })));
        scenario("join table", 0, () -> {
            says("all tags go", () -> within(m -> { find(m, 1).tags.clear(); return "cleared"; }));
            says("and come again", () -> within(m -> find(m, 1).tags.add(m.find(Tag.class, 2))));
            says("removed and added in one transaction", () -> within(m -> {
                Tag tag = m.find(Tag.class, 1);
                find(m, 2).tags.remove(tag);
                m.flush();
                return find(m, 2).tags.add(tag);
            }));
            says("a tag that is in use", () -> within(m -> { m.remove(m.find(Tag.class, 3)); return "removed"; }));
            says("a tag that is not", () -> within(m -> { m.remove(m.find(Tag.class, 4)); return "removed"; }));
        });
        scenario("@Version", 0, () -> {
            says("a stale one, found out by merge()", () -> {
                Customer stale = within(m -> find(m, 5));
                within(m -> find(m, 5).name = "changed");
                return within(m -> { m.remove(m.merge(stale)); return "removed"; });
            });
            says("a stale one, found out by DELETE ... WHERE version", () -> within(m -> {
                Tag tag = m.find(Tag.class, 4);
                within(other -> other.find(Tag.class, 4).name = "changed");
                m.remove(tag);
                m.flush();
                return "removed";
            }));
            says("deleted by somebody else", () -> within(m -> {
                Customer customer = find(m, 6);
                within(other -> { other.remove(find(other, 6)); return null; });
                customer.name = "too late";
                m.flush();
                return "changed";
            }));
            says("removed twice", () -> within(m -> {
                Customer customer = find(m, 7);
                within(other -> { other.remove(find(other, 7)); return null; });
                m.remove(customer);
                m.flush();
                return "removed";
            }));
        });
        scenario("JPQL", 3, () -> {
            says("bulk DELETE", () -> within(m -> m.createQuery("DELETE FROM Line l WHERE l.line = 2").executeUpdate()));
            says("what nothing matches", () -> within(m -> m.createQuery("DELETE FROM Line l WHERE l.line = 2").executeUpdate()));
            says("with a condition on the parent", () -> within(m -> m.createQuery("DELETE FROM Note n WHERE n.customer.name LIKE 'c1%'").executeUpdate()));
            says("native", () -> within(m -> m.createNativeQuery("DELETE FROM lines WHERE order_id = ?1").setParameter(1, 4).executeUpdate()));
            says("a parent in use", () -> within(m -> m.createQuery("DELETE FROM Customer c WHERE c.id = 9").executeUpdate()));
        });
        scenario("keys", 0, () -> {
            says("a unique value in two transactions", () -> {
                within(m -> { m.remove(find(m, 1)); return null; });
                return within(m -> {
                    Customer customer = new Customer();
                    customer.id = 101;
                    customer.name = "c1";
                    m.persist(customer);
                    return "persisted";
                });
            });
            says("and in one", () -> within(m -> {
                Order order = m.find(Order.class, 5);
                m.remove(order);
                m.flush();
                Order again = new Order();
                again.id = 105;
                again.number = "o5";
                m.persist(again);
                return "persisted";
            }));
            says("a composite key", () -> {
                within(m -> { m.remove(m.find(Line.class, new LineId(8, 1))); return null; });
                return within(m -> {
                    Line line = new Line();
                    line.order = m.find(Order.class, 8);
                    line.line = 1;
                    line.what = "another";
                    m.persist(line);
                    return "persisted";
                });
            });
        });
        scenario("inheritance", 1, () -> {
            says("JOINED", () -> within(m -> { m.remove(m.find(Person.class, 2)); return "removed"; }));
            says("left", () -> within(m -> m.createQuery("SELECT count(p) FROM Person p").getSingleResult()
                                      + " " + m.createQuery("SELECT count(e) FROM Employee e").getSingleResult()));
        });
        scenario("JDBC", 3, () -> {
            says("a batch", () -> {
                try (PreparedStatement delete = plain.prepareStatement("DELETE FROM lines WHERE order_id = ? AND line = ?")) {
                    for (int i = 1; i <= 3; i++) {
                        delete.setInt(1, 6 + i / 3 * 100);
                        delete.setInt(2, i);
                        delete.addBatch();
                    }
                    return java.util.Arrays.toString(delete.executeBatch());
                }
            });
            says("RETURNING", () -> {
                try (PreparedStatement delete = plain.prepareStatement("DELETE FROM notes WHERE id = ? RETURNING body, customer_id")) {
                    delete.setInt(1, 30);
                    ResultSet rows = delete.executeQuery();
                    return rows.next() + " " + rows.getString(1) + " " + rows.getInt(2) + " " + rows.next();
                }
            });
            says("an updatable result set", () -> {
                try (Statement select = plain.createStatement(ResultSet.TYPE_SCROLL_SENSITIVE, ResultSet.CONCUR_UPDATABLE)) {
                    ResultSet rows = select.executeQuery("SELECT id, name FROM tags WHERE id = 4");
                    rows.next();
                    rows.deleteRow();
                    return ask("SELECT count(*) FROM tags");
                }
            });
        });
        if (soft)
            broughtBack();
    }

    static void broughtBack() throws Exception {
        title = "brought back";
        execute(load, ROWS);
        within(m -> { m.remove(find(m, 4)); return null; });
        ask("SELECT softdelete_undelete_deletion((SELECT max(id) FROM softdelete.deletions))");
        String again = within(m -> {
            Customer customer = find(m, 4);
            return customer.orders.size() + " " + customer.orders.get(0).lines.size() + " " + customer.notes.size()
                + " " + customer.tags.size() + " " + customer.version;
        });
        check("the entity as it was", again.equals("2 3 3 3 1"), again);
        String actor = within(m -> {
            m.createNativeQuery("SELECT set_config('softdelete.actor', ?1, true)").setParameter(1, "ann").getSingleResult();
            m.remove(m.find(Tag.class, 4));
            m.flush();
            return String.valueOf(m.createNativeQuery("SELECT actor FROM softdelete.deletions ORDER BY id DESC LIMIT 1").getSingleResult());
        });
        check("softdelete.actor", actor.equals("ann"), actor);
    }

    public static void main(String[] arguments) throws Exception {
        load = connect("-c%20softdelete.enabled=off");
        plain = connect("");
        execute(plain, SCHEMA);
        execute(plain, Files.readString(Path.of("..", "snapshot.sql")));
        if (soft) {
            execute(plain, "CREATE EXTENSION softdelete");
            for (String table : TABLES)
                ask("SELECT count(*) FROM softdelete_register('" + table + "')");
        }
        Map<String, String> properties = new HashMap<>();
        properties.put("javax.persistence.jdbc.url", url());
        factory = Persistence.createEntityManagerFactory("shop", properties);
        scenarios();
        factory.close();
    }
}
