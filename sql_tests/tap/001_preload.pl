# Ways to load the library, sessions without it, plans cached in other sessions.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(allows_streaming => 1);
$node->start;

# a server without the library: the extension can be made, and says what to do
my ($ret, $out, $err) = $node->psql('postgres', 'CREATE EXTENSION softdelete');
is($ret, 0, 'CREATE EXTENSION without preloading');
like($err, qr/WARNING:  softdelete is not preloaded/, 'warns');
like($err, qr/ALTER DATABASE postgres SET session_preload_libraries = 'softdelete'/, 'with the exact command');
($ret, $out, $err) = $node->psql('postgres', q{
    CREATE TABLE p (id int PRIMARY KEY);
    CREATE TABLE c (id int PRIMARY KEY, p_id int REFERENCES p ON DELETE CASCADE);
    INSERT INTO p SELECT generate_series(1, 50);
    INSERT INTO c SELECT i, i FROM generate_series(1, 50) i;
    SELECT softdelete_register('p')});
like($err, qr/WARNING:  softdelete is not preloaded/, 'softdelete_register warns too');

# a session without the library cannot delete
($ret, $out, $err) = $node->psql('postgres', 'DELETE FROM p WHERE id = 1', extra_params => ['-v', 'VERBOSITY=verbose']);
isnt($ret, 0, 'DELETE is refused');
like($err, qr/55000.*cannot be really deleted/, 'by the guard');
like($err, qr/HINT:.*Preload softdelete/, 'with a hint');
is($node->safe_psql('postgres', 'SELECT count(*) FROM p'), 50, 'no row is gone');
# nor can a foreign key of an unregistered table
($ret, $out, $err) = $node->psql('postgres', q{CREATE TABLE above (id int PRIMARY KEY); INSERT INTO above VALUES (1);
    ALTER TABLE c ADD above_id int DEFAULT 1 REFERENCES above ON DELETE CASCADE; DELETE FROM above});
like($err, qr/cannot be really deleted.*HINT:.*register the table that was deleted from/s, 'nor a cascade of an unregistered table');
is($node->safe_psql('postgres', 'SELECT count(*) FROM c'), 50, 'no row is gone');
$node->safe_psql('postgres', 'ALTER TABLE c DROP above_id; DROP TABLE above');
# a plan that was made when the library was not there is made again
$node->safe_psql('postgres', q{SET plan_cache_mode = force_generic_plan; PREPARE del(int) AS DELETE FROM p WHERE id = $1;
    EXECUTE del(0); LOAD 'softdelete'; EXECUTE del(1)});
is($node->safe_psql('postgres', q{LOAD 'softdelete'; SELECT softdelete_undelete('p', 1, cascade := true)}), 2, 'a DELETE planned without it is a soft one');
is($node->safe_psql('postgres', 'SELECT count(*) FROM p'), 50, 'no row is gone');
# the guard is no trigger for INSERT, UPDATE and TRUNCATE, which it would slow down
is($node->safe_psql('postgres', q{SELECT count(*), bool_and(tgtype = 1 + 2 + 8) FROM pg_trigger t JOIN pg_proc f ON f.oid = tgfoid
    WHERE prosrc LIKE 'softdelete%'}), '2|t', 'the guard fires BEFORE DELETE and for nothing else');
# unless softdelete.enabled is off, which the library decides when the guard loads it
$node->safe_psql('postgres', 'CREATE ROLE nobody; GRANT SELECT, DELETE ON p TO nobody');
($ret, $out, $err) = $node->psql('postgres', 'SET ROLE nobody; SET softdelete.enabled = off; DELETE FROM p WHERE id = 50', extra_params => ['-v', 'VERBOSITY=verbose']);
like($err, qr/55000.*cannot be really deleted/, 'softdelete.enabled = off without the right: refused');
is($node->safe_psql('postgres', 'BEGIN; SET LOCAL softdelete.enabled = off; DELETE FROM p WHERE id = 50; SELECT count(*) FROM p; ROLLBACK'), 49, 'with it: really deleted');
is($node->safe_psql('postgres', q{BEGIN; SET LOCAL softdelete.enabled = off; DELETE FROM p WHERE id = 50; SELECT relation FROM softdelete.events WHERE event = 'bypass'; ROLLBACK}), 'p', 'and on record');
# nor does a plan made without it show deleted rows any more
$node->safe_psql('postgres', q{LOAD 'softdelete'; DELETE FROM p WHERE id = 49});
is($node->safe_psql('postgres', q{SET plan_cache_mode = force_generic_plan; PREPARE q AS SELECT count(*) FROM p WHERE id > 48;
    EXECUTE q; LOAD 'softdelete'; EXECUTE q}), "2\n1", 'plans made without the library are made again');
# the library comes with the first call of a function: all of it is there at once
is($node->safe_psql('postgres', q{SELECT softdelete_purge('0', 'c')}), 1, 'purge in a session without the library');
is($node->safe_psql('postgres', q{SELECT softdelete_purge('0', 'c'); SELECT count(*) FROM c}), "0\n49", 'and what comes after it sees live rows');
$node->safe_psql('postgres', q{CALL softdelete_purge_batches('0', 'p', 1)});
is($node->safe_psql('postgres', 'SELECT count(*) FROM p'), 49, 'the procedure too');
$node->safe_psql('postgres', q{CREATE TABLE l (id int PRIMARY KEY, p_id int REFERENCES p ON DELETE SET NULL); INSERT INTO l VALUES (1, 48)});
is($node->safe_psql('postgres', q{SELECT softdelete_erase('p', 48, cascade := true)}), 2, 'erase of a live row, with its cascade');
is($node->safe_psql('postgres', q{SELECT (SELECT count(*) FROM p), (SELECT count(*) FROM c), (SELECT p_id IS NULL FROM l)}), '48|48|t', 'by the foreign keys');
$node->safe_psql('postgres', q{DROP TABLE l; INSERT INTO p VALUES (48), (49); INSERT INTO c VALUES (48, 48), (49, 49)});
# what a user sets before the library is there counts only if he may
$node->safe_psql('postgres', q{CREATE ROLE viewers; GRANT SELECT ON p, c TO nobody; LOAD 'softdelete'; DELETE FROM p WHERE id = 49});
$node->append_conf('postgresql.conf', "softdelete.viewer_role = 'viewers'");
$node->reload;
($ret, $out, $err) = $node->psql('postgres', q{SET ROLE nobody; SET softdelete.viewer_role = ''; SET softdelete.show_deleted = on;
    SELECT softdelete.may_view_deleted(); SELECT count(*) FROM p});
like($out, qr/^f$/m, 'softdelete.viewer_role set without the right');
like($err, qr/permission denied to see deleted rows/, 'does not count');
$node->append_conf('postgresql.conf', "softdelete.viewer_role = ''");
$node->reload;
$node->safe_psql('postgres', q{SELECT softdelete_undelete('p', 49, cascade := true)});
# without a restart
$node->safe_psql('postgres', q{ALTER DATABASE postgres SET session_preload_libraries = 'softdelete'});
is($node->safe_psql('postgres', 'DELETE FROM p WHERE id = 1; SELECT count(*) FROM p'), 49, 'session_preload_libraries: deleted');
is($node->safe_psql('postgres', 'SET softdelete.show_deleted = on; SELECT count(*) FROM p'), 50, 'and still there');
{
    local $ENV{PGOPTIONS} = '-c session_preload_libraries=';
    ($ret, $out, $err) = $node->psql('postgres', 'DELETE FROM p WHERE id = 2');
    like($err, qr/cannot be really deleted/, 'refused in a session that has emptied it');
    is($node->safe_psql('postgres', 'SELECT count(*) FROM p'), 50, 'no row is gone');
}
($ret, $out, $err) = $node->psql('postgres', q{SELECT softdelete_register('p')});
unlike($err, qr/WARNING/, 'no warning');
$node->safe_psql('postgres', 'ALTER DATABASE postgres RESET session_preload_libraries');

# with a restart
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'softdelete'\nmax_prepared_transactions = 5");
$node->restart;
is($node->safe_psql('postgres', 'DELETE FROM p WHERE id = 2; SELECT count(*) FROM p'), 48, 'shared_preload_libraries: deleted');

# a walsender shows all rows, as a logical copy needs them, but not to everybody
$node->safe_psql('postgres', 'CREATE ROLE copier LOGIN REPLICATION; GRANT SELECT ON p TO copier; ALTER ROLE copier SET softdelete.viewer_role = viewers');
my $walsender = $node->connstr('postgres') . ' replication=database user=copier';
is($node->safe_psql('postgres', 'SELECT count(*) FROM p'), 48, 'live rows');
($ret, $out, $err) = $node->psql('postgres', 'SELECT count(*) FROM p', connstr => $walsender);
like($err, qr/permission denied to see deleted rows of table "p"/, 'a walsender of one who may not see deleted rows');
($ret, $out, $err) = $node->psql('postgres', 'COPY p TO STDOUT', connstr => $walsender);
like($err, qr/permission denied to see deleted rows of table "p"/, 'nor by COPY');
$node->safe_psql('postgres', 'GRANT viewers TO copier');
($ret, $out, $err) = $node->psql('postgres', 'SELECT count(*) FROM p', connstr => $walsender);
is($out, 50, 'and of one who may');

# plans cached in another session, before registration and across changes of it
$node->safe_psql('postgres', 'CREATE TABLE late (id int PRIMARY KEY); INSERT INTO late SELECT generate_series(1, 20)');
my $other = $node->background_psql('postgres');
$other->query_safe(q{SET plan_cache_mode = force_generic_plan;
    PREPARE del(int) AS DELETE FROM late WHERE id = $1;
    PREPARE num AS SELECT count(*) FROM late;
    CREATE FUNCTION del(int) RETURNS void LANGUAGE plpgsql AS 'BEGIN DELETE FROM late WHERE id = $1; END';
    EXECUTE del(1); EXECUTE num; SELECT del(2)});
$node->safe_psql('postgres', q{SELECT softdelete_register('late')});
$other->query_safe(q{EXECUTE del(3); SELECT del(4)});
is($other->query_safe('EXECUTE num'), 16, 'a cached plan counts live rows');
is($node->safe_psql('postgres', 'SET softdelete.show_deleted = deleted; SELECT count(*) FROM late'), 2, 'a cached DELETE is soft');
is($other->query_safe(q{SET softdelete.show_deleted = on; EXECUTE num}), 18, 'cached plans follow show_deleted');
is($other->query_safe(q{SET softdelete.show_deleted = deleted; EXECUTE num}), 2, 'to deleted rows');
is($other->query_safe(q{RESET softdelete.show_deleted; EXECUTE num}), 16, 'and back');
is($other->query_safe(q{SET row_security = off; EXECUTE num}), 18, 'cached plans follow row_security');
is($other->query_safe(q{RESET row_security; EXECUTE num}), 16, 'and back');
$other->quit;

# a crash leaves a deletion whole or absent
my $open = $node->background_psql('postgres');
$open->query_safe('BEGIN; DELETE FROM p WHERE id < 10');
$node->safe_psql('postgres', 'DELETE FROM p WHERE id BETWEEN 20 AND 29');
$node->safe_psql('postgres', q{BEGIN; DELETE FROM p WHERE id = 30; PREPARE TRANSACTION 'half'});
$node->stop('immediate');
eval { $open->quit };
$node->start;
is($node->safe_psql('postgres', 'SELECT (SELECT count(*) FROM p), (SELECT count(*) FROM c)'), '38|38', 'after a crash: committed deletions only');
$node->safe_psql('postgres', q{COMMIT PREPARED 'half'});
is($node->safe_psql('postgres', 'SELECT (SELECT count(*) FROM p), (SELECT count(*) FROM c)'), '37|37', 'a prepared one is committed later');
is($node->safe_psql('postgres', q{SELECT softdelete_undelete_deletion(id) FROM softdelete.deletions WHERE relations ? 'p' ORDER BY id DESC LIMIT 1}), 2, 'and undeleted');

$node->stop;
done_testing();
