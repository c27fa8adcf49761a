# pg_stat_statements and auto_explain beside softdelete, loaded before it and after.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', q{
compute_query_id = on
pg_stat_statements.track_planning = on
});

my $recorded = q{SELECT toplevel, calls, rows, plans, query FROM pg_stat_statements
    WHERE query ~ '^(DELETE|INSERT|SELECT|UPDATE)' AND query !~ 'pg_stat_' ORDER BY toplevel DESC, query COLLATE "C"};

# What one session wrote to the server's log.
sub logged
{
    my ($settings, $sql) = @_;
    my $from = -s $node->logfile;
    $node->safe_psql('postgres', join('', map { "SET $_;" } "auto_explain.log_min_duration = 0", @$settings) . $sql);
    my $log = slurp_file($node->logfile, $from);
    return join('', grep { !/LOG:  statement:/ } split(/^/, $log));
}

my $made = 0;
for my $libraries ('softdelete, pg_stat_statements, auto_explain', 'auto_explain, pg_stat_statements, softdelete')
{
    note $libraries;
    $node->append_conf('postgresql.conf', "shared_preload_libraries = '$libraries'");
    $node->${\($made++ ? 'restart' : 'start')};
    $node->safe_psql('postgres', q{SET softdelete.enabled = off; DROP EXTENSION IF EXISTS pg_stat_statements; DROP TABLE IF EXISTS real_c, real_p, c, p, seen;
        CREATE EXTENSION IF NOT EXISTS softdelete; CREATE EXTENSION pg_stat_statements;
        CREATE TABLE p (id int PRIMARY KEY);
        CREATE TABLE c (id int PRIMARY KEY, p_id int REFERENCES p ON DELETE CASCADE);
        CREATE TABLE real_p (id int PRIMARY KEY);
        CREATE TABLE real_c (id int PRIMARY KEY, p_id int REFERENCES real_p ON DELETE CASCADE);
        INSERT INTO p SELECT generate_series(1, 100); INSERT INTO c SELECT i, 1 + i % 100 FROM generate_series(1, 400) i;
        INSERT INTO real_p TABLE p; INSERT INTO real_c SELECT * FROM c;
        SELECT softdelete_register('p')});

    # counted once, as the DELETE that it is
    $node->safe_psql('postgres', 'SELECT pg_stat_statements_reset()');
    $node->safe_psql('postgres', "DELETE FROM p WHERE id <= 3;\nDELETE FROM real_p WHERE id <= 3");
    is($node->safe_psql('postgres', $recorded),
        "t|1|3|1|DELETE FROM p WHERE id <= \$1\nt|1|3|1|DELETE FROM real_p WHERE id <= \$1", 'a DELETE is counted once, with its rows');

    # the cascade is nested, as the statements of PostgreSQL's foreign keys are
    $node->safe_psql('postgres', 'SELECT pg_stat_statements_reset()');
    $node->safe_psql('postgres', q{SET pg_stat_statements.track = 'all'; DELETE FROM p WHERE id BETWEEN 4 AND 6});
    my $top = $node->safe_psql('postgres', "$recorded LIMIT 1");
    is($top, 't|1|3|1|DELETE FROM p WHERE id BETWEEN $1 AND $2', 'track = all: still once');
    is($node->safe_psql('postgres', q{SELECT toplevel, calls, rows FROM pg_stat_statements
        WHERE query LIKE 'DELETE FROM ONLY public.c c USING softdelete_rows%'}), 'f|1|12', 'and the cascade below it');
    is($node->safe_psql('postgres', q{SELECT top.total_exec_time > nested.total_exec_time FROM pg_stat_statements top, pg_stat_statements nested
        WHERE top.query LIKE 'DELETE FROM p %' AND nested.query LIKE 'DELETE FROM ONLY public.c%'}), 't', 'the time of the cascade is in that of the DELETE');
    $node->safe_psql('postgres', q{CREATE FUNCTION work() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE real_p SET id = id WHERE id = 50; RETURN OLD; END $$;
        CREATE TRIGGER work BEFORE DELETE ON p EXECUTE FUNCTION work(); CREATE TRIGGER work_row BEFORE DELETE ON p FOR EACH ROW EXECUTE FUNCTION work();
        CREATE TRIGGER work_after AFTER DELETE ON p EXECUTE FUNCTION work(); SELECT pg_stat_statements_reset()});
    $node->safe_psql('postgres', q{SET pg_stat_statements.track = 'all'; DELETE FROM p WHERE id = 15});
    is($node->safe_psql('postgres', q{SELECT toplevel, calls FROM pg_stat_statements WHERE query LIKE 'UPDATE real_p%'}), 'f|3', 'so are statements of triggers');
    $node->safe_psql('postgres', 'DROP FUNCTION work CASCADE');

    # one query id, from parse analysis to the end
    $node->safe_psql('postgres', q{CREATE TABLE seen (id bigint);
        CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            INSERT INTO seen SELECT query_id FROM pg_stat_activity WHERE pid = pg_backend_pid(); RETURN OLD; END $$;
        CREATE TRIGGER see BEFORE DELETE ON p FOR EACH ROW EXECUTE FUNCTION see()});
    $node->safe_psql('postgres', 'SELECT pg_stat_statements_reset()');
    my $log = logged(['auto_explain.log_verbose = on'], 'DELETE FROM p WHERE id = 7');
    my $id = $node->safe_psql('postgres', q{SELECT queryid FROM pg_stat_statements WHERE query LIKE 'DELETE FROM p%'});
    is($node->safe_psql('postgres', 'SELECT id FROM seen'), $id, 'pg_stat_activity has the id of pg_stat_statements');
    like($log, qr/Query Text: DELETE FROM p WHERE id = 7\b(?:(?!Query Text).)*Query Identifier: \Q$id\E\b/s, 'and the plan has it')
        if $node->pg_version >= 16;
    $node->safe_psql('postgres', 'DROP TRIGGER see ON p; DROP FUNCTION see; DROP TABLE seen');

    # what auto_explain logs
    $log = logged([], 'DELETE FROM p WHERE id = 8');
    like($log, qr/Query Text: DELETE FROM p WHERE id = 8\b\s+Delete on p .*\s+Soft Delete: active and deletion_id are set.*\s+Foreign Key c_p_id_fkey on c: CASCADE, rows are soft-deleted$/m,
        'auto_explain logs a soft delete');
    unlike($log, qr/softdelete_rows/, 'and nothing of its inside');
    $log = logged(['auto_explain.log_analyze = on', 'auto_explain.log_triggers = on', 'auto_explain.log_timing = off',
        'auto_explain.log_nested_statements = on'], 'DELETE FROM p WHERE id IN (9, 10)');
    like($log, qr/Query Text: DELETE FROM p WHERE(?:(?!Query Text).)*Foreign Key c_p_id_fkey on c: CASCADE, rows are soft-deleted \(actual rows=8\)(?:(?!Query Text).)*Trigger for constraint c_p_id_fkey on p: calls=2/s,
        'log_analyze and log_triggers show the cascade');
    like($log, qr/Query Text: DELETE FROM ONLY public\.c c USING softdelete_rows .*\s+Delete on c /, 'log_nested_statements shows its statements');
    $log = logged(['auto_explain.log_analyze = on', "auto_explain.log_format = 'json'"], 'DELETE FROM p WHERE id = 11');
    like($log, qr/"Operation": "Delete".*"Soft Delete": .*"Actual Rows": 4\b/s, 'as JSON too');

    # EXPLAIN itself, with just-in-time compilation where there is any
    $node->safe_psql('postgres', 'SELECT pg_stat_statements_reset()');
    my $plan = $node->safe_psql('postgres', q{SET jit = on; SET jit_above_cost = 0; SET jit_inline_above_cost = 0;
        EXPLAIN ANALYZE DELETE FROM p WHERE id BETWEEN 12 AND 13});
    is(scalar(() = $plan =~ /Soft Delete:/g), 1, 'EXPLAIN says it once');
    like($plan, qr/Foreign Key c_p_id_fkey .*rows=8\)/, 'with jit');
    is($node->safe_psql('postgres', 'SET jit = on; SET jit_above_cost = 0; DELETE FROM p WHERE id = 14; SELECT count(*) FROM c WHERE p_id = 14'), 0, 'DELETE with jit');
    is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_statements WHERE query LIKE 'DELETE FROM p%'}), 1,
        'EXPLAIN is counted as EXPLAIN');

    # the statistics of the table: rows are updated
    is($node->safe_psql('postgres', q{SELECT pg_stat_force_next_flush() \gset
        SELECT n_tup_del, n_tup_upd FROM pg_stat_user_tables WHERE relname = 'p'}), '0|15', 'a soft delete is an update to the statistics');
}

$node->stop;
done_testing();
