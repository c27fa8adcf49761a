# Physical standbys and logical subscribers: what they show, keep and refuse.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('primary');
$node->init(allows_streaming => 'logical');
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'softdelete'\nautovacuum = off");
$node->start;
my $tables = q{
    CREATE TABLE p (id int PRIMARY KEY, name text UNIQUE);
    CREATE TABLE c (id int PRIMARY KEY, p_id int REFERENCES p ON DELETE CASCADE);
    CREATE TABLE filtered (id int PRIMARY KEY, name text);
    CREATE TABLE m (id int, part int, PRIMARY KEY (id, part)) PARTITION BY LIST (part);
    CREATE TABLE m1 PARTITION OF m FOR VALUES IN (1);
    CREATE TABLE m2 PARTITION OF m FOR VALUES IN (2);};
my $register = q{CREATE EXTENSION softdelete; SELECT softdelete_register(t) FROM unnest('{p,filtered,m}'::regclass[]) t;};
$node->safe_psql('postgres', "$tables $register" . q{
    ALTER TABLE filtered REPLICA IDENTITY FULL;
    INSERT INTO p SELECT i, 'n' || i FROM generate_series(1, 20) i; INSERT INTO c SELECT i, i FROM generate_series(1, 20) i;
    INSERT INTO filtered SELECT i, 'f' || i FROM generate_series(1, 5) i;
    INSERT INTO m SELECT i, 1 + i % 2 FROM generate_series(1, 10) i;
    SELECT setval('softdelete.deletion_id_seq', 1000);
    DELETE FROM p WHERE id <= 2; DELETE FROM filtered WHERE id = 1; DELETE FROM m WHERE id = 1});
my $all = q{SET row_security = off; SELECT (SELECT count(*) FROM p), (SELECT count(*) FROM p WHERE active), (SELECT count(*) FROM c WHERE active),
    (SELECT count(*) FROM m), (SELECT count(*) FROM m WHERE active), (SELECT max(deletion_id) FROM p)};
my $live = 'SELECT (SELECT count(*) FROM p), (SELECT count(*) FROM c), (SELECT count(*) FROM m)';

# ---------- a physical standby ----------

$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
$node->safe_psql('postgres', 'DELETE FROM p WHERE id = 3');
$node->wait_for_catchup($standby);
is($standby->safe_psql('postgres', $live), '17|17|9', 'standby: deleted rows are hidden');
is($standby->safe_psql('postgres', 'SET softdelete.show_deleted = on; SELECT count(*) FROM p'), 20, 'standby: and shown');
is($standby->safe_psql('postgres', 'SET softdelete.show_deleted = deleted; SELECT count(*) FROM p'), 3, 'standby: or they alone');
is($standby->safe_psql('postgres', 'COPY p TO STDOUT') =~ tr/\n//, 16, 'standby: COPY hides them');
for my $sql ('DELETE FROM p WHERE id = 4', q{SELECT softdelete_undelete('p', 1)})
{
    my ($ret, $out, $err) = $standby->psql('postgres', $sql, extra_params => ['-v', 'VERBOSITY=verbose']);
    like($err, qr/25006.*(in a read-only transaction|during recovery)/, "standby: $sql is refused");
}
is($standby->safe_psql('postgres', 'SELECT count(*) FROM softdelete.deletions'), $node->safe_psql('postgres', 'SELECT count(*) FROM softdelete.deletions'),
    'standby: the log is there');
is($standby->safe_psql('postgres', q{SELECT root, rows_left, undelete FROM softdelete.deletions WHERE statement LIKE '%p WHERE id = 3%'}),
    q{p(3)|2|SELECT softdelete_undelete('p', '3', cascade := true);}, 'standby: and says what is left and how to bring it back');
is($standby->safe_psql('postgres', 'SELECT count(*) FROM softdelete_deleted(NULL::p) WHERE id < 3'), 2, 'standby: deleted rows as a set');
$node->safe_psql('postgres', q{INSERT INTO p VALUES (30, 'n3');
    CREATE TABLE base (id int PRIMARY KEY); CREATE TABLE heir () INHERITS (base); SELECT softdelete_register('base'); INSERT INTO heir VALUES (1); DELETE FROM base});
$node->wait_for_catchup($standby);
is($standby->safe_psql('postgres', q{SELECT kind, key, blocking_key FROM softdelete_conflicts('p', 3, true)}), 'unique key|3|30', 'standby: what would stop an undelete');
is($standby->safe_psql('postgres', q{SELECT (SELECT rows_left FROM softdelete.deletions WHERE statement LIKE '%base%'),
    (SELECT count(*) FROM softdelete_conflicts('base', 1)), (SELECT count(*) FROM softdelete_deleted(NULL::heir))}), '1|0|1', 'standby: of tables that inherit too');
$node->safe_psql('postgres', q{SET softdelete.enabled = off; DELETE FROM p WHERE id = 30; DROP TABLE heir, base});

# ---------- logical subscribers ----------

# one with the extension, one without, and one that keeps what is deleted
my $server = PostgreSQL::Test::Cluster->new('subscribers');
$server->init;
$server->append_conf('postgresql.conf', "shared_preload_libraries = 'softdelete'\nautovacuum = off\nmax_logical_replication_workers = 12\nmax_worker_processes = 20\nmax_sync_workers_per_subscription = 4");
$server->start;
$server->safe_psql('postgres', "CREATE DATABASE $_") for 'mirror', 'plain', 'keeper';
$server->safe_psql('mirror', "$tables $register");
$server->safe_psql('plain', $tables . q{ALTER TABLE p ADD active boolean, ADD deletion_id bigint; ALTER TABLE c ADD active boolean, ADD deletion_id bigint;
    ALTER TABLE m ADD active boolean, ADD deletion_id bigint; ALTER TABLE filtered ADD active boolean, ADD deletion_id bigint});
$server->safe_psql('keeper', "$tables $register" . q{SELECT setval('softdelete.deletion_id_seq', 5000);
    ALTER TABLE p ENABLE ALWAYS TRIGGER softdelete_guard; ALTER TABLE c ENABLE ALWAYS TRIGGER softdelete_guard;
    ALTER TABLE m ENABLE ALWAYS TRIGGER softdelete_guard; ALTER TABLE filtered ENABLE ALWAYS TRIGGER softdelete_guard});
$node->safe_psql('postgres', 'CREATE PUBLICATION everything FOR TABLE p, c, m; CREATE PUBLICATION living FOR TABLE filtered WHERE (active)');
my $connection = $node->connstr . ' dbname=postgres';
for my $database ('mirror', 'plain', 'keeper')
{
    $server->safe_psql($database, "CREATE SUBSCRIPTION $database CONNECTION '$connection' PUBLICATION everything, living");
}
$server->wait_for_subscription_sync($node, $_, $_) for 'mirror', 'plain', 'keeper';

sub caught_up { $node->wait_for_catchup($_) for 'mirror', 'plain', 'keeper' }

for my $database ('mirror', 'keeper', 'plain')
{
    is($server->safe_psql($database, $all), '20|17|17|10|9|1004', "$database: the first copy has deleted rows, too");
    is($server->safe_psql($database, 'SET row_security = off; SELECT count(*), count(*) FILTER (WHERE active) FROM filtered'), '4|4', "$database: but where the publication has live ones only");
}
is($server->safe_psql($_, $live), '17|17|9', "$_: they are hidden") for 'mirror', 'keeper';

# soft deletes and undeletes
$node->safe_psql('postgres', q{DELETE FROM p WHERE id = 4; DELETE FROM m WHERE id = 2; DELETE FROM filtered WHERE id = 2; SELECT softdelete_undelete('p', 1, cascade := true)});
caught_up();
my $expected = $node->safe_psql('postgres', $all);
is($server->safe_psql($_, $all), $expected, "$_: mirrors a soft delete and an undelete") for 'mirror', 'keeper', 'plain';
is($server->safe_psql($_, $live), '17|17|8', "$_: hides what is deleted") for 'mirror', 'keeper';
is($server->safe_psql($_, 'SET row_security = off; SELECT count(*) FROM filtered'), 3, "$_: live rows only: a soft delete is a delete") for 'mirror', 'plain';
is($server->safe_psql('keeper', 'SET row_security = off; SELECT count(*), count(*) FILTER (WHERE active), max(deletion_id) FROM filtered'), '4|3|5001',
    'keeper: it stays, as a deleted row, under an id of its own');
is($server->safe_psql('keeper', q{SELECT id, relations, row_count FROM softdelete.deletions}), '5001|{"filtered": 1}|1', 'keeper: and is on record');

# real deletes: mirrored or kept
$node->safe_psql('postgres', q{BEGIN; SET LOCAL softdelete.enabled = off; SET LOCAL softdelete.show_deleted = on;
    DELETE FROM p WHERE id IN (2, 10, 11); DELETE FROM m WHERE id IN (1, 3, 4); COMMIT});
caught_up();
is($server->safe_psql($_, $all), $node->safe_psql('postgres', $all), "$_: mirrors real deletes") for 'mirror', 'plain';
is($server->safe_psql('keeper', $all), '20|15|15|10|6|5002', 'keeper: keeps the rows as deleted ones');
is($server->safe_psql('keeper', q{SELECT relations FROM softdelete.deletions WHERE id = 5002}), '{"c": 2, "m": 2, "p": 2}', 'keeper: those that were live are on record');
is($server->safe_psql('keeper', q{SET softdelete.show_deleted = on; SELECT id, deletion_id FROM p WHERE id = 2}), '2|1001', 'keeper: one deleted before stays as it was');
is($server->safe_psql('keeper', q{BEGIN; SELECT softdelete_undelete_deletion(5002); SELECT count(*) FROM p WHERE id IN (10, 11); ROLLBACK}), "6\n2", 'keeper: they can be undeleted');
$server->safe_psql('keeper', 'SET session_replication_role = replica; DELETE FROM p WHERE id = 5');
is($server->safe_psql('keeper', $live), '14|15|6', 'keeper: a DELETE there is a soft one');

# undelete of what a filter had taken for deleted; rows that move between partitions
$server->safe_psql('keeper', 'DROP SUBSCRIPTION keeper');
$node->safe_psql('postgres', q{SELECT softdelete_undelete('filtered', 2); UPDATE m SET part = 3 - part WHERE id = 6});
$node->wait_for_catchup($_) for 'mirror', 'plain';
for my $database ('mirror', 'plain')
{
    is($server->safe_psql($database, 'SELECT count(*) FROM filtered'), 4, "$database: live rows only: an undelete is an insert");
    is($server->safe_psql($database, $all), $node->safe_psql('postgres', $all), "$database: a row moves between partitions");
}

# ---------- promotion ----------

$standby->promote;
is($standby->safe_psql('postgres', q{DELETE FROM p WHERE id = 6; SELECT count(*) FROM p;
    SELECT max(id) > (SELECT max(id) FROM softdelete.deletions WHERE statement NOT LIKE '%id = 6%') FROM softdelete.deletions}), "14\nt", 'a promoted standby goes on deleting, with new ids');

# a subscriber has its own sequence, which knows nothing of the ids in its rows
$server->safe_psql('mirror', 'DROP SUBSCRIPTION mirror');
$server->safe_psql('mirror', q{SELECT softdelete_register(t) FROM unnest('{p,filtered,m}'::regclass[]) t});
is($server->safe_psql('mirror', q{DELETE FROM p WHERE id = 7; SET row_security = off;
    SELECT (SELECT deletion_id FROM p WHERE id = 7) > max(deletion_id) FROM (SELECT deletion_id FROM p WHERE id <> 7 UNION ALL SELECT deletion_id FROM m UNION ALL SELECT deletion_id FROM c WHERE p_id <> 7) x}), 't',
    'a promoted subscriber: softdelete_register() moves its ids past those of its rows');

$server->stop('fast');
$standby->stop;
$node->stop;
done_testing();
