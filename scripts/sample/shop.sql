-- shop.sql: a sample database of an online shop, for scripts/demo and for tests.
--
-- 17 tables in the schemas public and warehouse, about 5,000 rows, made by arithmetic only: every load
-- gives the same rows. Triggers keep updated_at, versions and an audit trail; there are views, partitions,
-- generated columns and row security. Needs an empty UTF8 database of PostgreSQL 15 or later and no extension:
--
--     psql -v ON_ERROR_STOP=1 -q -f shop.sql
--
-- Every seventh customer is a regular with a rich tree of orders, tickets and reviews: customer 42 can
-- be deleted with all of it. Customers 5, 15, 25 ... still pay by instalments and cannot be deleted. A
-- product that was ordered (1 to 120) cannot either; one that never was (121 to 150) can.

BEGIN;

SET LOCAL client_encoding = 'UTF8';
SET LOCAL timezone = 'UTC';


-- Tables ------------------------------------------------------------------------------------------

CREATE SCHEMA warehouse;
COMMENT ON SCHEMA warehouse IS 'What is on the shelves and on its way';

CREATE TABLE customers (
    id                  integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    first_name          text NOT NULL,
    last_name           text NOT NULL,
    full_name           text GENERATED ALWAYS AS (first_name || ' ' || last_name) STORED,
    email               text NOT NULL UNIQUE,
    default_address_id  integer,        -- its foreign key closes a circle and comes last
    created_at          timestamptz NOT NULL,
    updated_at          timestamptz NOT NULL
);
COMMENT ON TABLE customers IS 'People who buy here';

CREATE TABLE addresses (
    id                  integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id         integer NOT NULL REFERENCES customers ON DELETE CASCADE,
    label               text NOT NULL,
    street              text NOT NULL,
    postcode            text NOT NULL,
    city                text NOT NULL,
    UNIQUE (customer_id, label)
);
COMMENT ON TABLE addresses IS 'Where customers have their orders sent';

CREATE TABLE "Loyalty Card" (
    "Card No"           text PRIMARY KEY,
    customer_id         integer NOT NULL UNIQUE REFERENCES customers ON DELETE CASCADE,
    "Member Since"      date NOT NULL,
    points              integer NOT NULL DEFAULT 0 CHECK (points >= 0)
);
COMMENT ON TABLE "Loyalty Card" IS 'Bonus cards, at most one for a customer';

CREATE TABLE employees (
    id                  integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name                text NOT NULL UNIQUE,
    job                 text NOT NULL,
    manager_id          integer REFERENCES employees ON DELETE SET NULL,
    hired_on            date NOT NULL
);
COMMENT ON TABLE employees IS 'Staff, each below a manager';

CREATE TABLE categories (
    id                  integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    parent_id           integer REFERENCES categories ON DELETE CASCADE,
    name                text NOT NULL UNIQUE
);
COMMENT ON TABLE categories IS 'The tree of product categories';

CREATE TABLE products (
    id                  integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sku                 text NOT NULL UNIQUE,
    name                text NOT NULL,
    price               numeric(8,2) NOT NULL CHECK (price > 0),
    version             integer NOT NULL DEFAULT 1
);
COMMENT ON TABLE products IS 'What is for sale';

CREATE TABLE product_categories (
    product_id          integer REFERENCES products ON DELETE CASCADE,
    category_id         integer REFERENCES categories ON DELETE CASCADE,
    PRIMARY KEY (product_id, category_id)
);
COMMENT ON TABLE product_categories IS 'Which products stand in which categories';

CREATE TABLE coupons (
    code                text PRIMARY KEY,
    percent             integer NOT NULL CHECK (percent BETWEEN 0 AND 50)
);
COMMENT ON TABLE coupons IS 'Discounts; an order without one has the coupon NONE';

CREATE TABLE orders (
    id                  bigint GENERATED ALWAYS AS IDENTITY,
    ordered_at          timestamptz NOT NULL,
    customer_id         integer NOT NULL REFERENCES customers ON DELETE CASCADE,
    address_id          integer REFERENCES addresses ON DELETE SET NULL,
    coupon_code         text NOT NULL DEFAULT 'NONE' REFERENCES coupons ON DELETE SET DEFAULT,
    status              text NOT NULL CHECK (status IN ('open', 'sent', 'delivered')),
    updated_at          timestamptz NOT NULL,
    PRIMARY KEY (id, ordered_at)
) PARTITION BY RANGE (ordered_at);
COMMENT ON TABLE orders IS 'Orders, one partition for a year';

CREATE TABLE orders_2023 PARTITION OF orders FOR VALUES FROM ('2023-01-01') TO ('2024-01-01');
CREATE TABLE orders_2024 PARTITION OF orders FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE orders_2025 PARTITION OF orders FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE orders_default PARTITION OF orders DEFAULT;

CREATE TABLE order_lines (
    order_id            bigint,
    ordered_at          timestamptz,
    line_no             smallint,
    product_id          integer NOT NULL REFERENCES products,
    quantity            integer NOT NULL CHECK (quantity > 0),
    unit_price          numeric(8,2) NOT NULL,
    amount              numeric(10,2) GENERATED ALWAYS AS (quantity * unit_price) STORED,
    PRIMARY KEY (order_id, ordered_at, line_no),
    FOREIGN KEY (order_id, ordered_at) REFERENCES orders ON DELETE CASCADE
);
COMMENT ON TABLE order_lines IS 'What was ordered; a product that was ordered stays';

CREATE TABLE payments (
    id                  integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id            bigint NOT NULL,
    ordered_at          timestamptz NOT NULL,
    method              text NOT NULL CHECK (method IN ('card', 'transfer')),
    amount              numeric(10,2) NOT NULL,
    due_at              timestamptz NOT NULL,
    FOREIGN KEY (order_id, ordered_at) REFERENCES orders ON DELETE RESTRICT
);
COMMENT ON TABLE payments IS 'Instalments still to be paid; until then the order stays';

CREATE TABLE reviews (
    id                  integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id         integer NOT NULL REFERENCES customers ON DELETE CASCADE,
    product_id          integer NOT NULL REFERENCES products ON DELETE CASCADE,
    stars               smallint NOT NULL CHECK (stars BETWEEN 1 AND 5),
    body                text,
    written_at          timestamptz NOT NULL,
    UNIQUE (customer_id, product_id)
);
COMMENT ON TABLE reviews IS 'Opinions on products, one for a customer and product';

CREATE TABLE support_tickets (
    id                  integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id         integer NOT NULL REFERENCES customers ON DELETE CASCADE,
    assigned_to         integer REFERENCES employees ON DELETE SET NULL,
    order_id            bigint,
    ordered_at          timestamptz,
    subject             text NOT NULL,
    status              text NOT NULL CHECK (status IN ('open', 'closed')),
    opened_at           timestamptz NOT NULL,
    updated_at          timestamptz NOT NULL,
    FOREIGN KEY (order_id, ordered_at) REFERENCES orders ON DELETE SET NULL
);
COMMENT ON TABLE support_tickets IS 'Questions and complaints, some about an order';

CREATE TABLE ticket_messages (
    id                  integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ticket_id           integer NOT NULL REFERENCES support_tickets ON DELETE CASCADE,
    reply_to            integer REFERENCES ticket_messages ON DELETE CASCADE,
    employee_id         integer REFERENCES employees ON DELETE SET NULL,
    body                text NOT NULL,
    sent_at             timestamptz NOT NULL
);
COMMENT ON TABLE ticket_messages IS 'The thread of a ticket; without employee, the customer wrote';

CREATE TABLE warehouse.stock (
    product_sku         text REFERENCES products (sku) ON UPDATE CASCADE ON DELETE CASCADE,
    location            text,
    quantity            integer NOT NULL CHECK (quantity >= 0),
    PRIMARY KEY (product_sku, location)
);
COMMENT ON TABLE warehouse.stock IS 'How many of a product lie where';

CREATE TABLE warehouse.shipments (
    id                  integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id            bigint NOT NULL,
    ordered_at          timestamptz NOT NULL,
    packed_by           integer REFERENCES employees ON DELETE SET NULL,
    carrier             text NOT NULL,
    tracking_no         text NOT NULL UNIQUE,
    sent_at             timestamptz NOT NULL,
    FOREIGN KEY (order_id, ordered_at) REFERENCES orders ON DELETE CASCADE
);
COMMENT ON TABLE warehouse.shipments IS 'Parcels sent for an order';

CREATE TABLE audit_log (
    table_name          text NOT NULL,
    action              text NOT NULL,
    row_key             text,           -- or, of whole statements, what they took
    happened_at         timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE audit_log IS 'What happened to customers, orders, lines and payments, written by triggers';


-- Rows --------------------------------------------------------------------------------------------
-- Keys come from the identity columns: 1, 2, 3 ... in the order of insertion.

-- 200 customers; the first 200 addresses are their homes
INSERT INTO customers (first_name, last_name, email, default_address_id, created_at, updated_at)
SELECT first_name, last_name, 'customer' || n || '@example.com', n, created_at, created_at + interval '20 days'
FROM generate_series(1, 200) AS n,
    LATERAL (SELECT
        (ARRAY['Anna', 'Ben', 'Chloé', 'David', 'Emma', 'Felix', 'Grace', 'Hugo', 'Ines', 'Jack', 'Karin',
            'Liam', 'Maya', 'Noah', 'Olga', 'Pavel', 'Rosa', 'Søren', 'Tina', 'Zoë'])[1 + n * 7 % 20],
        (ARRAY['Adams', 'Baker', 'Clark', 'Díaz', 'Evans', 'Fischer', 'Garcia', 'Hughes', 'Ivanov', 'Jones',
            'Khan', 'Larsson', 'Müller', 'Nowak', 'O''Neill', 'Parker', 'Rossi', 'Smith'])[1 + n * 5 % 18],
        timestamptz '2022-01-01 09:00' + n * interval '20 hours') AS person (first_name, last_name, created_at)
ORDER BY n;

INSERT INTO addresses (customer_id, label, street, postcode, city)
SELECT n, 'home',
    (ARRAY['Mill Lane', 'High Street', 'Station Road', 'Park Avenue', 'Church Hill'])[1 + n % 5] || ' ' || (1 + n % 90),
    lpad((n * 457 % 100000)::text, 5, '0'),
    (ARRAY['Ashford', 'Bridgeton', 'Camford', 'Dunwich'])[1 + n % 4]
FROM generate_series(1, 200) AS n
ORDER BY n;

-- 100 more: every second customer has one for work
INSERT INTO addresses (customer_id, label, street, postcode, city)
SELECT n, 'work',
    (ARRAY['Market Square', 'Harbour Road', 'Science Park'])[1 + n % 3] || ' ' || (1 + n % 40),
    lpad((n * 613 % 100000)::text, 5, '0'),
    (ARRAY['Ashford', 'Bridgeton', 'Camford'])[1 + n % 3]
FROM generate_series(2, 200, 2) AS n
ORDER BY n;

INSERT INTO "Loyalty Card" ("Card No", customer_id, "Member Since", points)
SELECT 'LC-' || lpad(id::text, 6, '0'), id, created_at::date + 30, id * 37 % 1000
FROM customers
WHERE id % 2 = 0;

-- 24 employees; up to three below each manager
INSERT INTO employees (name, job, manager_id, hired_on)
SELECT (ARRAY['Alice', 'Bruno', 'Clara', 'Dieter', 'Elena', 'Frank', 'Gita', 'Henrik', 'Irma', 'Jonas', 'Kim', 'Leo',
              'Mona', 'Nils', 'Olivia', 'Piet', 'Quinn', 'Rita', 'Sven', 'Tara', 'Uwe', 'Vera', 'Will', 'Yara'])[n],
    CASE WHEN n = 1 THEN 'director' WHEN n <= 8 THEN 'team lead' WHEN n % 2 = 0 THEN 'support' ELSE 'packer' END,
    nullif((n + 1) / 3, 0), date '2015-01-01' + n * 97
FROM generate_series(1, 24) AS n
ORDER BY n;

-- 30 categories: 1 to 6 at the top, 7 to 18 below them, 19 to 30 below those
INSERT INTO categories (parent_id, name)
VALUES
    (NULL, 'Home'), (NULL, 'Kitchen'), (NULL, 'Garden'), (NULL, 'Sports'), (NULL, 'Office'), (NULL, 'Toys'),
    (1, 'Lighting'), (1, 'Textiles'), (2, 'Cookware'), (2, 'Tableware'), (3, 'Tools'), (3, 'Planting'),
    (4, 'Outdoor'), (4, 'Fitness'), (5, 'Writing'), (5, 'Storage'), (6, 'Puzzles'), (6, 'Games'),
    (7, 'Table Lamps'), (8, 'Blankets'), (9, 'Pans'), (10, 'Mugs'), (11, 'Shears'), (12, 'Pots'),
    (13, 'Tents'), (14, 'Mats'), (15, 'Pens'), (16, 'Boxes'), (17, 'Wooden Puzzles'), (18, 'Card Games');

-- 150 products, each in a category of the third level, every second one also in the one above
INSERT INTO products (sku, name, price)
SELECT 'P-' || lpad((1000 + n)::text, 5, '0'),
    (ARRAY['Red', 'Blue', 'Green', 'White', 'Small', 'Large', 'Light', 'Sturdy', 'Classic', 'Modern', 'Simple', 'Fancy',
        'Grand'])[1 + n / 12] || ' '
        || (ARRAY['lamp', 'blanket', 'pan', 'mug', 'shears', 'pot', 'tent', 'mat', 'pen', 'box', 'puzzle', 'card game'])
            [1 + n % 12],
    4.95 + n * 37 % 120
FROM generate_series(1, 150) AS n
ORDER BY n;

INSERT INTO product_categories (product_id, category_id)
SELECT id, 19 + id % 12 FROM products
UNION ALL
SELECT id, 7 + id % 12 FROM products WHERE id % 2 = 0;

INSERT INTO coupons (code, percent)
VALUES
    ('NONE', 0), ('WELCOME', 10), ('SPRING', 15), ('SUMMER', 15), ('AUTUMN', 15), ('WINTER', 15), ('FRIEND', 20),
    ('SORRY', 25);

-- about 600 orders from July 2022 to June 2025, numbered by time: six of a regular, one to four of the others
INSERT INTO orders (ordered_at, updated_at, customer_id, address_id, coupon_code, status)
SELECT ordered_at, ordered_at + interval '2 days', id,
    CASE WHEN id % 2 = 0 AND nth % 2 = 0 THEN 200 + id / 2 ELSE id END,
    CASE (id + nth) % 9 WHEN 0 THEN 'SPRING' WHEN 2 THEN 'WINTER' WHEN 4 THEN 'FRIEND' WHEN 6 THEN 'SUMMER'
        ELSE CASE WHEN nth = 1 THEN 'WELCOME' ELSE 'NONE' END END,
    CASE WHEN ordered_at >= '2025-06-01' THEN 'open' WHEN ordered_at >= '2025-05-01' THEN 'sent' ELSE 'delivered' END
FROM customers,
    LATERAL (SELECT CASE WHEN id % 7 = 0 THEN 6 ELSE 1 + id % 4 END) AS total (n),
    LATERAL generate_series(1, n) AS nth,
    LATERAL (SELECT timestamptz '2022-07-01 08:00' + ((nth - 1) * 1090 / n + id * 37 % (1090 / n)) * interval '1 day'
        + id * 7 % 600 * interval '1 minute') AS placed (ordered_at)
ORDER BY ordered_at, customers.id;

-- one to four lines in an order, of the products 1 to 120
INSERT INTO order_lines (order_id, ordered_at, line_no, product_id, quantity, unit_price)
SELECT o.id, o.ordered_at, line_no, p.id, 1 + (o.id + line_no) % 3, p.price
FROM orders AS o
    CROSS JOIN LATERAL generate_series(1, 1 + o.id % 4) AS line_no
    JOIN products AS p ON p.id = 1 + (o.id * 7 + line_no * 31) % 120
ORDER BY o.id, line_no;

-- the customers 5, 15, 25 ... pay for their last order by instalments
INSERT INTO payments (order_id, ordered_at, method, amount, due_at)
SELECT o.id, o.ordered_at, CASE WHEN o.customer_id % 20 = 5 THEN 'card' ELSE 'transfer' END,
    (SELECT sum(l.amount) FROM order_lines AS l WHERE l.order_id = o.id), o.ordered_at + interval '90 days'
FROM (SELECT DISTINCT ON (customer_id) * FROM orders WHERE customer_id % 10 = 5 ORDER BY customer_id, id DESC) AS o
ORDER BY o.id;

-- four reviews of a regular, none to two of the others
INSERT INTO reviews (customer_id, product_id, stars, body, written_at)
SELECT id, 1 + (id * 11 + nth * 53) % 150, stars,
    (ARRAY['Not for me.', 'It could be better.', 'It does its job.', 'Good value.', 'I would buy it again.'])[stars],
    timestamptz '2023-02-01 12:00' + (id * 3 + nth * 50) * interval '1 day'
FROM customers
    CROSS JOIN LATERAL generate_series(1, CASE WHEN id % 7 = 0 THEN 4 ELSE id % 3 END) AS nth
    CROSS JOIN LATERAL (SELECT 1 + (id * 3 + nth) % 5) AS rating (stars)
ORDER BY id, nth;

-- three tickets of a regular, one of every third other customer; the first is about the first order
INSERT INTO support_tickets (customer_id, assigned_to, order_id, ordered_at, subject, status, opened_at, updated_at)
SELECT c.id, 10 + (c.id + nth) % 7 * 2, o.id, o.ordered_at,
    (ARRAY['Where is my order?', 'How do I change my address?', 'Can I get an invoice?'])[nth],
    CASE WHEN nth = 3 THEN 'open' ELSE 'closed' END,
    opened_at, opened_at + interval '9 hours'
FROM customers AS c
    CROSS JOIN LATERAL generate_series(1, CASE WHEN c.id % 7 = 0 THEN 3 WHEN c.id % 3 = 0 THEN 1 ELSE 0 END) AS nth
    LEFT JOIN (SELECT DISTINCT ON (customer_id) * FROM orders ORDER BY customer_id, id) AS o
        ON o.customer_id = c.id AND nth = 1
    CROSS JOIN LATERAL (SELECT coalesce(o.ordered_at, '2023-09-01 10:00') + (nth * 100 + c.id) * interval '1 hour')
        AS began (opened_at)
ORDER BY c.id, nth;

-- four messages in each ticket: the second and third answer the first, the fourth the second
INSERT INTO ticket_messages (ticket_id, reply_to, employee_id, body, sent_at)
SELECT id, CASE WHEN nth > 1 THEN (id - 1) * 4 + nth / 2 END, CASE WHEN nth % 2 = 0 THEN assigned_to END,
    (ARRAY[subject, 'We are looking into it.', 'Is there any news?', 'It is done.'])[nth],
    opened_at + (nth - 1) * interval '3 hours'
FROM support_tickets
    CROSS JOIN generate_series(1, 4) AS nth
ORDER BY id, nth;

INSERT INTO warehouse.stock (product_sku, location, quantity)
SELECT sku, location, (id * 13 + length(location) * 7) % 60
FROM products
    CROSS JOIN (VALUES ('north'), ('harbour')) AS l (location);

-- one parcel for an order that is not open, two for every sixth
INSERT INTO warehouse.shipments (order_id, ordered_at, packed_by, carrier, tracking_no, sent_at)
SELECT id, ordered_at, 9 + (id + nth) % 8 * 2, (ARRAY['Swift', 'Parcel One', 'Blue Van'])[1 + id % 3],
    'T' || lpad((id * 10 + nth)::text, 8, '0'), ordered_at + nth * interval '26 hours'
FROM orders
    CROSS JOIN LATERAL generate_series(1, CASE WHEN id % 6 = 0 THEN 2 ELSE 1 END) AS nth
WHERE status <> 'open'
ORDER BY id, nth;


-- The circle, indexes, triggers, views, row security -------------------------------------------------

ALTER TABLE customers ADD FOREIGN KEY (default_address_id) REFERENCES addresses ON DELETE SET NULL;

-- a unique or primary key that starts with the columns serves the foreign keys not named here
CREATE INDEX ON customers (default_address_id);
CREATE INDEX ON employees (manager_id);
CREATE INDEX ON categories (parent_id);
CREATE INDEX ON product_categories (category_id);
CREATE INDEX ON orders (customer_id);
CREATE INDEX ON orders (address_id);
CREATE INDEX ON orders (coupon_code);
CREATE INDEX ON order_lines (product_id);
CREATE INDEX ON payments (order_id, ordered_at);
CREATE INDEX ON reviews (product_id);
CREATE INDEX ON support_tickets (customer_id);
CREATE INDEX ON support_tickets (assigned_to);
CREATE INDEX ON support_tickets (order_id, ordered_at);
CREATE INDEX ON ticket_messages (ticket_id);
CREATE INDEX ON ticket_messages (reply_to);
CREATE INDEX ON ticket_messages (employee_id);
CREATE INDEX ON warehouse.shipments (order_id, ordered_at);
CREATE INDEX ON warehouse.shipments (packed_by);

CREATE FUNCTION set_updated_at() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    new.updated_at := now();
    RETURN new;
END
$$;

CREATE TRIGGER set_updated_at BEFORE UPDATE ON customers
    FOR EACH ROW EXECUTE FUNCTION set_updated_at();
CREATE TRIGGER set_updated_at BEFORE UPDATE ON orders
    FOR EACH ROW EXECUTE FUNCTION set_updated_at();
CREATE TRIGGER set_updated_at BEFORE UPDATE ON support_tickets
    FOR EACH ROW EXECUTE FUNCTION set_updated_at();

CREATE FUNCTION next_version() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    new.version := old.version + 1;
    RETURN new;
END
$$;

CREATE TRIGGER next_version BEFORE UPDATE ON products
    FOR EACH ROW EXECUTE FUNCTION next_version();

CREATE FUNCTION audit_row() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO audit_log (table_name, action, row_key)
    VALUES (tg_argv[0], tg_op, CASE tg_op WHEN 'INSERT' THEN new.id ELSE old.id END);
    RETURN NULL;
END
$$;

CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON customers
    FOR EACH ROW EXECUTE FUNCTION audit_row('customers');
CREATE TRIGGER audit AFTER INSERT OR DELETE ON orders
    FOR EACH ROW EXECUTE FUNCTION audit_row('orders');
CREATE TRIGGER audit AFTER INSERT OR DELETE ON payments
    FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION audit_row('payments');

-- one entry for a statement, however many lines it takes
CREATE FUNCTION audit_lines() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO audit_log (table_name, action, row_key)
    SELECT 'order_lines', tg_op, format('%s lines worth %s', count(*), sum(amount))
    FROM old_lines
    HAVING count(*) > 0;
    RETURN NULL;
END
$$;

CREATE TRIGGER audit AFTER DELETE ON order_lines
    REFERENCING OLD TABLE AS old_lines FOR EACH STATEMENT EXECUTE FUNCTION audit_lines();

CREATE FUNCTION keep_director() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the director stays' USING ERRCODE = 'check_violation';
END
$$;

CREATE TRIGGER keep_director BEFORE DELETE ON employees
    FOR EACH ROW WHEN (old.job = 'director') EXECUTE FUNCTION keep_director();

CREATE VIEW order_totals AS
SELECT o.id AS order_id, o.ordered_at, o.customer_id, count(l.line_no) AS lines,
    round(coalesce(sum(l.amount), 0) * (100 - c.percent) / 100, 2) AS total
FROM orders AS o
    JOIN coupons AS c ON c.code = o.coupon_code
    LEFT JOIN order_lines AS l ON l.order_id = o.id AND l.ordered_at = o.ordered_at
GROUP BY o.id, o.ordered_at, o.customer_id, c.percent;
COMMENT ON VIEW order_totals IS 'Orders with what they cost after the discount';

CREATE VIEW customer_overview AS
SELECT c.id, c.first_name || ' ' || c.last_name AS name, k.points,
    (SELECT count(*) FROM orders AS o WHERE o.customer_id = c.id) AS orders,
    (SELECT count(*) FROM support_tickets AS t WHERE t.customer_id = c.id AND t.status = 'open') AS open_tickets
FROM customers AS c
    LEFT JOIN "Loyalty Card" AS k ON k.customer_id = c.id;
COMMENT ON VIEW customer_overview IS 'Customers with their points, orders and open tickets';

CREATE VIEW open_tickets WITH (security_barrier) AS
SELECT id, customer_id, assigned_to, subject, status
FROM support_tickets
WHERE status = 'open'
WITH CHECK OPTION;
COMMENT ON VIEW open_tickets IS 'Tickets that somebody waits for; can be written to';

CREATE MATERIALIZED VIEW sales_by_month AS
SELECT date_trunc('month', ordered_at, 'UTC') AS month, count(DISTINCT order_id) AS orders, sum(amount) AS amount
FROM order_lines
GROUP BY 1;
COMMENT ON MATERIALIZED VIEW sales_by_month IS 'What was sold, as of the last refresh';

-- a customer who logs in sees and deletes what is theirs; the owner of the tables sees everything
CREATE FUNCTION customer_of_session() RETURNS integer
LANGUAGE sql STABLE AS $$ SELECT nullif(current_setting('shop.customer', true), '')::integer $$;

ALTER TABLE customers ENABLE ROW LEVEL SECURITY;
ALTER TABLE reviews ENABLE ROW LEVEL SECURITY;
ALTER TABLE support_tickets ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_account ON customers USING (id = customer_of_session());
CREATE POLICY read_all ON reviews FOR SELECT USING (true);
CREATE POLICY own_reviews ON reviews USING (customer_id = customer_of_session());
CREATE POLICY own_tickets ON support_tickets USING (customer_id = customer_of_session());
CREATE POLICY closed_only ON support_tickets AS RESTRICTIVE FOR DELETE USING (status = 'closed');

COMMIT;

ANALYZE;
