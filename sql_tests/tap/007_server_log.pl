# softdelete.log_min_rows: what the server log hears of large deletions, and of no others.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', q{
shared_preload_libraries = 'softdelete'
softdelete.log_min_rows = 3
log_statement = none
max_prepared_transactions = 2
});
$node->start;
$node->safe_psql('postgres', q{
    CREATE EXTENSION softdelete;
    CREATE TABLE p (id int PRIMARY KEY);
    CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p ON DELETE CASCADE);
    INSERT INTO p SELECT generate_series(1, 9);
    INSERT INTO c SELECT i, i / 2 FROM generate_series(2, 19) i;
    SELECT softdelete_register('p');
});

# What these statements write to the log about deletions.
sub logged
{
    my $from = -s $node->logfile;
    $node->psql('postgres', shift);
    return join('', map { s/.*(LOG|HINT): +/$1: /r } grep { /deletion/ && /LOG: |HINT: / } split(/^/, slurp_file($node->logfile, $from)));
}

is(logged('DELETE FROM c WHERE id = 2'), '', 'a small deletion is not told');
like(logged('DELETE FROM p WHERE id = 2'),
    qr/^LOG: deletion (\d+): 3 rows: 1 of "p", 2 of "c"\nHINT: SELECT softdelete_undelete_deletion\(\1\) brings them back\.\n$/,
    'a large one is, with the command that undoes it');
is(logged('BEGIN; DELETE FROM p WHERE id = 3; ROLLBACK'), '', 'not when it is rolled back');
is(logged('BEGIN; SAVEPOINT s; DELETE FROM p WHERE id = 3; ROLLBACK TO s; DELETE FROM c WHERE id = 3; COMMIT'), '', 'nor what a savepoint took back');
like(logged('BEGIN; DELETE FROM c WHERE id = 8; DELETE FROM c WHERE id = 9; DELETE FROM c WHERE id = 10; COMMIT'),
    qr/^LOG: deletion \d+: 3 rows: 3 of "c"\n/, 'the transaction counts');
like(logged(q{BEGIN; DELETE FROM p WHERE id = 7; PREPARE TRANSACTION 'x'}), qr/^LOG: deletion \d+: 3 rows/, 'prepared');
is(logged(q{COMMIT PREPARED 'x'}), '', 'and not again');
# a deletion that fails at its very end has not been
my $other = $node->background_psql('postgres', on_error_stop => 0);
my $from = -s $node->logfile;
$other->query_safe('BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT count(*) FROM p; DELETE FROM p WHERE id = 4');
my $first = $node->background_psql('postgres');
$first->query_safe('BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT count(*) FROM p; INSERT INTO p VALUES (90); COMMIT');
$first->quit;
$other->query('COMMIT');
$other->quit;
my $log = slurp_file($node->logfile, $from);
like($log, qr/could not serialize access/, 'it failed');
unlike($log, qr/LOG: +deletion/, 'and the log does not tell of it');
$from = -s $node->logfile;
is($node->safe_psql('postgres', 'SELECT count(*) FROM p WHERE id = 4'), 1, 'its rows are live');

# names without end, in a procedure that commits
$node->safe_psql('postgres', join(';', map { sprintf("CREATE TABLE c_%s_%d (p int REFERENCES p ON DELETE CASCADE); INSERT INTO c_%s_%d VALUES (4)", 'x' x 50, $_, 'x' x 50, $_) } 1 .. 40));
like(logged(q{DO $$BEGIN DELETE FROM p WHERE id = 4; COMMIT; RAISE LOG 'afterwards, no deletion'; END$$}),
    qr/^LOG: deletion (\d+): 41 rows: .{900,1021}\.\.\.\nHINT: SELECT softdelete_undelete_deletion\(\1\)/, 'a long line is cut');
$node->stop;
done_testing();
