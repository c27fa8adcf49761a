# Other extensions in the same server, loaded before softdelete and after it: each does its work, on
# registered tables and on others.  Those that are not installed are left out.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
my $libdir = $node->config_data('--pkglibdir');
my @known = qw(pg_stat_statements auto_explain pgaudit hypopg pg_cron periods);
my %installed = map { $_ => -e "$libdir/$_.so" } @known;
my @company = grep { $installed{$_} } @known;
$node->append_conf('postgresql.conf', q{
log_statement = none
pg_stat_statements.track = all
auto_explain.log_min_duration = 0
auto_explain.log_nested_statements = on
pgaudit.log = 'write'
pgaudit.log_relation = on
cron.use_background_workers = on
max_worker_processes = 20
});

# What one session wrote to the server's log.
sub logged
{
    my $from = -s $node->logfile;
    $node->safe_psql('postgres', shift);
    return slurp_file($node->logfile, $from);
}

# Runs the tests of an extension, or says why not.
sub with
{
    my ($name, $tests) = @_;
    subtest $name => sub {
        plan skip_all => "$name is not installed" if !$installed{$name};
        $tests->();
    };
}

my $made = 0;
for my $libraries (join(', ', 'softdelete', @company), join(', ', @company, 'softdelete'))
{
    note $libraries;
    $node->append_conf('postgresql.conf', "shared_preload_libraries = '$libraries'");
    $node->${\($made ? 'restart' : 'start')};
    $node->safe_psql('postgres', join('', map { "CREATE EXTENSION $_ CASCADE;" } 'softdelete', grep { $_ ne 'auto_explain' } @company))
        if !$made++;
    $node->safe_psql('postgres', q{
        SET client_min_messages = warning;
        SET softdelete.enabled = off;
        DROP TABLE IF EXISTS real_c, real_p, c, p;
        RESET softdelete.enabled;
        CREATE TABLE p (id int PRIMARY KEY, name text);
        CREATE TABLE c (id int PRIMARY KEY, p_id int REFERENCES p ON DELETE CASCADE);
        CREATE TABLE real_p (id int PRIMARY KEY, name text);
        CREATE TABLE real_c (id int PRIMARY KEY, p_id int REFERENCES real_p ON DELETE CASCADE);
        INSERT INTO p SELECT i, 'name ' || i FROM generate_series(1, 100) i; INSERT INTO c SELECT i, 1 + i % 100 FROM generate_series(1, 400) i;
        INSERT INTO real_p TABLE p; INSERT INTO real_c TABLE c;
        SELECT softdelete_register('p'); ANALYZE});

    # with all of them at once
    is($node->safe_psql('postgres', 'WITH d AS (DELETE FROM p WHERE id <= 3 RETURNING id, name) SELECT count(*), min(name) FROM d'), '3|name 1', 'DELETE');
    is($node->safe_psql('postgres', 'SELECT (SELECT count(*) FROM p), (SELECT count(*) FROM c)'), '97|388', 'with what is below');
    is($node->safe_psql('postgres', 'SET softdelete.show_deleted = deleted; SELECT (SELECT count(*) FROM p), (SELECT count(*) FROM c)'), '3|12', 'softly');
    is($node->safe_psql('postgres', q{SELECT softdelete_undelete('p', 1, cascade := true)}), 5, 'undelete');
    is($node->safe_psql('postgres', q{SELECT softdelete_undelete_deletion(max(id)) FROM softdelete.deletions}), 10, 'undelete of the rest');
    is($node->safe_psql('postgres', 'DELETE FROM real_p WHERE id <= 3; SELECT (SELECT count(*) FROM real_p), (SELECT count(*) FROM real_c)'), '97|388', 'DELETE of a table that is not registered');
    my ($ret, $out, $err) = $node->psql('postgres', 'INSERT INTO c VALUES (1000, 1000)');
    like($err, qr/violates foreign key constraint "c_p_id_fkey"/, 'errors are as ever');

    with 'pg_stat_statements', sub {
        $node->safe_psql('postgres', 'SELECT pg_stat_statements_reset()');
        $node->safe_psql('postgres', "DELETE FROM p WHERE id = 4;\nDELETE FROM real_p WHERE id = 4");
        is($node->safe_psql('postgres', q{SELECT query, calls, rows FROM pg_stat_statements WHERE toplevel AND query LIKE 'DELETE%' ORDER BY 1}),
            "DELETE FROM p WHERE id = \$1|1|1\nDELETE FROM real_p WHERE id = \$1|1|1", 'counts both the same way');
    };

    with 'auto_explain', sub {
        my $log = logged('DELETE FROM p WHERE id = 5');
        like($log, qr/Query Text: DELETE FROM p WHERE id = 5\b\s+Delete on p /, 'logs the plan of a DELETE');
        like($log, qr/Query Text: DELETE FROM ONLY public\.c c USING softdelete_rows/, 'and those below it');
        $log = logged('DELETE FROM real_p WHERE id = 5');
        like($log, qr/Query Text: DELETE FROM real_p WHERE id = 5\b\s+Delete on real_p /, 'of a table that is not registered too');
        unlike($log, qr/Soft Delete|softdelete/, 'and nothing else');
    };

    with 'pgaudit', sub {
        my $log = logged('DELETE FROM p WHERE id = 6');
        like($log, qr/AUDIT: SESSION,1,1,WRITE,DELETE,TABLE,public\.p,DELETE FROM p WHERE id = 6,/, 'says DELETE');
        unlike($log, qr/AUDIT: [^\n]*,UPDATE,TABLE,public\./, 'and not UPDATE');
        like($log, qr/AUDIT: [^\n]*,WRITE,DELETE,TABLE,public\.c,/, 'of the rows below as well');
        $log = logged('DELETE FROM real_p WHERE id = 6');
        like($log, qr/AUDIT: SESSION,1,1,WRITE,DELETE,TABLE,public\.real_p,DELETE FROM real_p WHERE id = 6,/, 'as of a table that is not registered');
        unlike($log, qr/softdelete/, 'of which softdelete logs nothing');
        $log = logged('UPDATE p SET name = name WHERE id = 7; MERGE INTO p USING (VALUES (7)) v (id) ON p.id = v.id WHEN MATCHED THEN DELETE');
        like($log, qr/AUDIT: SESSION,1,1,WRITE,UPDATE,TABLE,public\.p,UPDATE p SET name/, 'an UPDATE is an UPDATE');
        like($log, qr/AUDIT: SESSION,2,1,WRITE,DELETE,TABLE,public\.p,MERGE INTO p/, 'a MERGE that deletes is a DELETE');
    };

    # (auto_explain and hypopg do not go together: where both are on, EXPLAIN with a hypothetical index fails by itself)
    with 'hypopg', sub {
        for my $table ('p', 'real_p')
        {
            my $sql = "SET auto_explain.log_min_duration = -1; SET enable_seqscan = off; SELECT hypopg_create_index('CREATE INDEX ON $table (name)');";
            like($node->safe_psql('postgres', "$sql EXPLAIN (COSTS OFF) SELECT * FROM $table WHERE name = 'name 50'"),
                qr/Scan using "?<\d+>btree_${table}_name/, "a hypothetical index on $table");
            like($node->safe_psql('postgres', "$sql EXPLAIN (COSTS OFF) DELETE FROM $table WHERE name = 'name 50'"),
                qr/^Delete on $table\n(?:.*\n)*.*<\d+>btree_${table}_name/m, "and for a DELETE");
            is($node->safe_psql('postgres', "$sql SET client_min_messages = error; WITH d AS (DELETE FROM $table WHERE name = 'name 50' RETURNING id) SELECT id FROM d")
                  =~ s/^.*\n//r, 50, "which does not run with it");
        }
        is($node->safe_psql('postgres', q{SELECT count(*) FROM p WHERE name = 'name 50'}), 0, 'and hides the row');
    };

    with 'pg_cron', sub {
        # a job that runs when the server starts
        $node->safe_psql('postgres', q{SELECT cron.schedule('delete', '@reboot', 'DELETE FROM p WHERE id = 60');
            SELECT cron.schedule('never', '0 0 30 2 *', 'DELETE FROM p')});
        is($node->safe_psql('postgres', q{SELECT cron.unschedule('never'); SELECT count(*) FROM cron.job} ) =~ s/^t\n//r, 1, 'a job is scheduled and another taken away');
        $node->restart;
        ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM cron.job_run_details WHERE status = 'succeeded'}), 'it runs');
        is($node->safe_psql('postgres', 'SELECT return_message FROM cron.job_run_details'), 'DELETE 1', 'and deletes one row');
        is($node->safe_psql('postgres', 'SET softdelete.show_deleted = deleted; SELECT count(*) FROM p WHERE id = 60'), 1, 'softly');
        is($node->safe_psql('postgres', q{WITH d AS (DELETE FROM cron.job_run_details RETURNING 1) SELECT count(*) FROM d}), 1, 'its log can be emptied');
        is($node->safe_psql('postgres', q{SELECT cron.unschedule('delete'); SELECT count(*) FROM cron.job} ) =~ s/^t\n//r, 0, 'and the job taken away');
    };

    with 'periods', sub {
        $node->safe_psql('postgres', q{
            CREATE TABLE room (id int NOT NULL, s date NOT NULL, e date NOT NULL, name text);
            SELECT periods.add_period('room', 'valid', 's', 'e'); SELECT periods.add_unique_key('room', ARRAY['id'], 'valid', key_name => 'room_id');
            CREATE TABLE stay (id int NOT NULL, s date NOT NULL, e date NOT NULL, room int);
            SELECT periods.add_period('stay', 'valid', 's', 'e'); SELECT periods.add_foreign_key('stay', ARRAY['room'], 'valid', 'room_id', key_name => 'stay_room');
            INSERT INTO room VALUES (1, '2020-01-01', '2021-01-01', 'one'), (2, '2020-01-01', '2021-01-01', 'two');
            INSERT INTO stay VALUES (1, '2020-01-01', '2021-01-01', 1);
            CREATE TABLE price (id int PRIMARY KEY, amount int);
            SELECT periods.add_system_time_period('price'); SELECT periods.add_system_versioning('price');
            INSERT INTO price VALUES (1, 10), (2, 20)});
        ($ret, $out, $err) = $node->psql('postgres', 'DELETE FROM room WHERE id = 1');
        like($err, qr/update or delete on table "room" violates foreign key constraint "stay_room"/, 'its foreign keys refuse');
        ($ret, $out, $err) = $node->psql('postgres', q{INSERT INTO stay VALUES (2, '2020-01-01', '2022-01-01', 2)});
        like($err, qr/insert or update on table "stay" violates foreign key constraint "stay_room"/, 'on both sides');
        is($node->safe_psql('postgres', 'DELETE FROM room WHERE id = 2; SELECT count(*) FROM room'), 1, 'or let a row go');
        is($node->safe_psql('postgres', 'UPDATE price SET amount = 11 WHERE id = 1; DELETE FROM price WHERE id = 1; SELECT amount FROM price_history ORDER BY 1'), "10\n11", 'its triggers write the history');
        is($node->safe_psql('postgres', 'TRUNCATE price; SELECT count(*) FROM price_history'), 0, 'and TRUNCATE empties it, as it should');
        $node->safe_psql('postgres', q{SELECT periods.drop_system_versioning('price', purge => true); SELECT periods.drop_system_time_period('price'); DROP TABLE price; DROP TABLE stay; DROP TABLE room CASCADE});
    };
}

$node->stop;
done_testing();
