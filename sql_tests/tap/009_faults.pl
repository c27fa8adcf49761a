# What goes wrong in the middle: killed backends and servers, cancelled statements, timeouts, a full disk,
# deadlocks. A deletion is whole or absent, log and rows agree, and what is there can be undone.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

$PostgreSQL::Test::Utils::timeout_default = 30;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', q{
shared_preload_libraries = 'softdelete'
restart_after_crash = on
max_prepared_transactions = 5
deadlock_timeout = 100ms
autovacuum = off
});
$node->start;
$node->safe_psql('postgres', q{
    CREATE EXTENSION softdelete;
    CREATE TABLE p (id int PRIMARY KEY, name text UNIQUE);
    CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p ON DELETE CASCADE);
    CREATE TABLE g (id int PRIMARY KEY, c int REFERENCES c ON DELETE CASCADE);
    CREATE TABLE n (id int PRIMARY KEY, c int REFERENCES c ON DELETE SET NULL);
    CREATE INDEX ON c (p); CREATE INDEX ON g (c); CREATE INDEX ON n (c);
    INSERT INTO p SELECT i, 'p' || i FROM generate_series(1, 20) i;
    INSERT INTO c SELECT i, 1 + i % 20 FROM generate_series(1, 2000) i;
    INSERT INTO g SELECT i, 1 + i % 2000 FROM generate_series(1, 20000) i;
    INSERT INTO n SELECT i, 1 + i % 2000 FROM generate_series(1, 4000) i;
    SELECT softdelete_register('p');
    CREATE TABLE gate (open boolean);
    -- the cascade, or the undelete, stops at this row of g until the gate is unlocked
    CREATE FUNCTION wait_at() RETURNS trigger LANGUAGE plpgsql AS
    $$BEGIN IF OLD.id % 500 = 0 THEN PERFORM pg_advisory_xact_lock_shared(1); END IF; RETURN OLD; END$$;
    CREATE FUNCTION wait_back() RETURNS trigger LANGUAGE plpgsql AS
    $$BEGIN IF NEW.id % 500 = 0 THEN PERFORM pg_advisory_xact_lock_shared(1); END IF; RETURN NULL; END$$;
    CREATE TRIGGER wait_at BEFORE DELETE ON g FOR EACH ROW EXECUTE FUNCTION wait_at();
    CREATE TRIGGER wait_back AFTER INSERT ON g FOR EACH ROW EXECUTE FUNCTION wait_back();
    CREATE VIEW wrong AS
    SELECT 'orphan' AS what, conname::text AS of FROM pg_constraint
    WHERE contype = 'f' AND conrelid IN ('c'::regclass, 'g'::regclass, 'n'::regclass) AND softdelete.has_orphans(oid)
    UNION ALL
    SELECT 'log', d.id::text FROM softdelete.deletions d WHERE d.row_count <> d.rows_left AND NOT EXISTS (SELECT FROM softdelete.events e WHERE e.deletion_id = d.id)});

sub query { return $node->safe_psql('postgres', shift) }

my $state = q{SELECT (SELECT count(*) FROM p), (SELECT count(*) FROM c), (SELECT count(*) FROM g), (SELECT count(c) FROM n)};
sub state { return query($state) }

# All rows, physically: live and deleted.
sub all_rows { return query("SET softdelete.show_deleted = on; SELECT (SELECT count(*) FROM p), (SELECT count(*) FROM c), (SELECT count(*) FROM g)") }
my $full = '20|2000|20000|4000';
my $all = '20|2000|20000';
is(state(), $full, 'at the start');

# A session that stops in the middle of the statement, and its backend.
sub stopped_in
{
    my ($sql) = @_;
    my $gate = $node->background_psql('postgres', on_error_stop => 0);
    $gate->query('SELECT pg_advisory_lock(1)');
    my $session = $node->background_psql('postgres', on_error_stop => 0);
    my $pid = $session->query('SELECT pg_backend_pid()');
    $session->query_until(qr/begun/, "\\echo begun\n$sql;\n");
    $node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_locks WHERE pid = $pid AND locktype = 'advisory' AND NOT granted")
        or die "it did not stop in: $sql";
    return ($gate, $session, $pid);
}

sub end_of
{
    my ($gate, $session) = @_;
    eval { $gate->quit }; eval { $session->{run}->finish };
}

SKIP: {
skip 'no background_psql in this version', 1 unless PostgreSQL::Test::Cluster->can('background_psql') && eval { my $s = $node->background_psql('postgres'); $s->can('query') && $s->quit; 1 };

# ---------- a backend is cancelled, terminated, killed; the server stops at once ----------
my %acts = (
    'a cascade' => ['DELETE FROM p WHERE id <= 5', $full],
    'a TRUNCATE' => ['BEGIN; TRUNCATE g; SELECT pg_advisory_xact_lock_shared(1); COMMIT', $full],
    'an undelete' => [q{SELECT softdelete_undelete_deletion((SELECT max(id) FROM softdelete.deletions))}, '18|1800|18000|3600'],
    'a purge' => [q{BEGIN; SELECT softdelete_purge('0'); SELECT pg_advisory_xact_lock_shared(1); COMMIT}, '18|1800|18000|3600'],
    'a registration' => [q{BEGIN; SELECT softdelete_register('n'); SELECT pg_advisory_xact_lock_shared(1); COMMIT}, $full]);
foreach my $what (sort keys %acts)
{
    my ($sql, $expected) = @{ $acts{$what} };
    my $deleted = $expected ne $full;
    query('DELETE FROM p WHERE id IN (2, 8)') if $deleted;
    my $before = state();
    is($before, $expected, "before $what");
    foreach my $how ('cancelled', 'terminated', 'killed', 'the server stopped')
    {
        my ($gate, $session, $pid) = stopped_in($sql);
        if ($how eq 'cancelled') { query("SELECT pg_cancel_backend($pid)") }
        elsif ($how eq 'terminated') { query("SELECT pg_terminate_backend($pid)") }
        elsif ($how eq 'killed') { kill 'KILL', $pid }
        else { $node->stop('immediate') }
        if ($how eq 'cancelled')
        {
            # the session goes on
            $gate->query('SELECT pg_advisory_unlock(1)');
            $session->query('ROLLBACK');
            is($session->query($state), $before, "$what cancelled: nothing of it stays");
            like($session->query('BEGIN; DELETE FROM p WHERE id = 9; SELECT count(*) FROM c WHERE p = 9; ROLLBACK; SELECT count(*) FROM c WHERE p = 9'), qr/^0\n100$/m, 'and the session works on');
            $session->quit;
            $gate->quit;
        }
        else
        {
            end_of($gate, $session);
            $node->_update_pid(0) if $how eq 'the server stopped';
            $node->start if $how eq 'the server stopped';
            $node->poll_query_until('postgres', 'SELECT 1', '1');
            $node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pid");
            is(state(), $before, "$what, $how: nothing of it stays");
        }
        is(all_rows(), $all, 'no row is lost');
        is(query('TABLE wrong'), '', 'log and rows agree');
    }
    if ($deleted)
    {
        query(q{SELECT softdelete_undelete_deletion((SELECT max(id) FROM softdelete.deletions))});
        is(state(), $full, "and what $what would have taken comes back");
    }
}

# ---------- committed and then killed: all of it stays ----------
query('DELETE FROM p WHERE id <= 5');
$node->stop('immediate');
$node->_update_pid(0);
$node->start;
is(state(), '15|1500|15000|3000', 'a deletion that was committed survives');
is(query('TABLE wrong'), '', 'with its log');
query(q{SELECT softdelete_undelete_deletion((SELECT max(id) FROM softdelete.deletions))});
is(state(), $full, 'and can be undone');

# ---------- a prepared transaction ----------
query(q{BEGIN; DELETE FROM p WHERE id = 3; PREPARE TRANSACTION 'one'});
query(q{BEGIN; DELETE FROM p WHERE id = 4; PREPARE TRANSACTION 'two'});
$node->stop('immediate');
$node->_update_pid(0);
$node->start;
is(state(), $full, 'prepared: not to be seen');
query(q{COMMIT PREPARED 'one'});
query(q{ROLLBACK PREPARED 'two'});
is(state(), '19|1900|19000|3800', 'committed: whole; rolled back: absent');
is(query('TABLE wrong'), '', 'with its log');
query(q{SELECT softdelete_undelete_deletion((SELECT max(id) FROM softdelete.deletions))});
is(state(), $full, 'and can be undone');

# ---------- deadlock between two cascades ----------
my $first = $node->background_psql('postgres', on_error_stop => 0);
my $second = $node->background_psql('postgres', on_error_stop => 0);
$first->query('BEGIN; DELETE FROM p WHERE id = 1');
$second->query('BEGIN; DELETE FROM p WHERE id = 2');
$first->query_until(qr/begun/, "\\echo begun\nDELETE FROM p WHERE id = 2;\n");
usleep(50_000);
$second->query_until(qr/done/, "DELETE FROM p WHERE id = 1;\n\\echo done\n");
$first->query_until(qr/over/, "\\echo over\n");
$first->query('COMMIT');
$second->query('COMMIT');
$_->quit for ($first, $second);
like(query('SELECT count(*) FROM p WHERE id IN (1, 2)'), qr/^[01]$/, 'of two cascades in a deadlock one finishes');
is(all_rows(), $all, 'no row is lost');
is(query('TABLE wrong'), '', 'log and rows agree');
query(q{SELECT softdelete_undelete_deletion(id) FROM softdelete.deletions WHERE rows_left > 0 ORDER BY id DESC});
is(state(), $full, 'and it can be undone');
}

# ---------- timeouts and a full disk, in one session that goes on ----------
my ($ret, $out, $err) = $node->psql('postgres', q{
    \set ON_ERROR_STOP 0
    CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM pg_sleep(0.01); RETURN OLD; END$$;
    CREATE TRIGGER slow BEFORE DELETE ON g FOR EACH ROW EXECUTE FUNCTION slow();
    SET statement_timeout = '150ms';
    DELETE FROM p WHERE id = 1;
    RESET statement_timeout;
    DROP TRIGGER slow ON g;
    SELECT 'after a timeout', (SELECT count(*) FROM g);
    SET work_mem = '64kB';
    BEGIN;
    DELETE FROM p;
    SET LOCAL temp_file_limit = '64kB';
    SELECT softdelete_undelete_deletion((SELECT max(id) FROM softdelete.deletions));
    ROLLBACK;
    SET temp_file_limit = '64kB';
    SELECT 'after a full disk', (SELECT count(*) FROM g);
    BEGIN;
    SAVEPOINT s;
    DELETE FROM p;
    ROLLBACK TO s;
    RESET temp_file_limit;
    DELETE FROM p WHERE id = 1;
    SELECT 'after a savepoint', (SELECT count(*) FROM g);
    COMMIT;
    SELECT softdelete_undelete_deletion((SELECT max(id) FROM softdelete.deletions));
    SELECT 'undone', (SELECT count(*) FROM g);
}, on_error_stop => 0);
like($err, qr/canceling statement due to statement timeout/, 'a timeout in a cascade');
like($err, qr/temporary file size exceeds "?temp_file_limit/, 'no room for the rows of an undelete');
like($out, qr/after a timeout\|20000\n.*after a full disk\|20000\n.*after a savepoint\|19000\n.*undone\|20000/s, 'the session goes on after each');
is(all_rows(), $all, 'no row is lost');
is(query('TABLE wrong'), '', 'log and rows agree');

# ---------- lock_timeout; a great many savepoints ----------
($ret, $out, $err) = $node->psql('postgres', q{
    BEGIN;
    DO $$BEGIN FOR i IN 1..200 LOOP BEGIN DELETE FROM n WHERE id = i; IF i % 2 = 0 THEN RAISE EXCEPTION 'no'; END IF;
        EXCEPTION WHEN raise_exception THEN NULL; END; END LOOP; END$$;
    DO $$BEGIN FOR i IN 1..200 LOOP BEGIN DELETE FROM g WHERE id = i; IF i % 2 = 0 THEN RAISE EXCEPTION 'no'; END IF;
        EXCEPTION WHEN raise_exception THEN NULL; END; END LOOP; END$$;
    COMMIT;
    SELECT row_count, rows_left FROM softdelete.deletions ORDER BY id DESC LIMIT 1;
    SELECT softdelete_undelete_deletion(max(id)) FROM softdelete.deletions;
});
like($out, qr/^100\|100\n100$/m, 'of many savepoints those count that were not rolled back') or diag($err);
$node->stop;
done_testing();
