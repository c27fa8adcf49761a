# scripts/check: what monitoring sees; and what softdelete_check() says of preloading.
use strict;
use warnings;
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $check = dirname(abs_path(__FILE__)) . '/../../scripts/check';
my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'softdelete'");
$node->start;

# Exit status and output of scripts/check.
sub status
{
    my ($out, $err);
    my $ok = IPC::Run::run(['bash', $check, '-d', $node->connstr(shift // 'postgres')], '>', \$out, '2>', \$err);
    return ($? >> 8, $out . $err);
}

my ($status, $output) = status();
is($status, 2, 'no extension: critical');
like($output, qr/^SOFTDELETE CRITICAL: .*does not exist/, 'and says why');

$node->safe_psql('postgres', q{
    CREATE EXTENSION softdelete;
    CREATE TABLE p (id int PRIMARY KEY);
    CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p ON DELETE CASCADE);
    CREATE INDEX ON c (p);
    SELECT softdelete_register('p', cascade := false)});
($status, $output) = status();
is($status, 2, 'a table that would be left out: critical');
like($output, qr/^SOFTDELETE CRITICAL: 1 error, 1 warning \| errors=1 warnings=1\n/, 'the summary');
like($output, qr/^error: public\.c: .* is refused.*\n    SELECT softdelete_register\('public\.c'\)$/m, 'the finding and its remedy');

$node->safe_psql('postgres', q{SELECT softdelete_register('p')});
($status, $output) = status();
is($status, 1, 'no backup has been proven: warning');
like($output, qr/^SOFTDELETE WARNING: 0 errors, 1 warning /, 'the summary');

$node->safe_psql('postgres', q{SELECT softdelete.record_backup_check('x', true, NULL)});
($status, $output) = status();
is($status, 0, 'all is well');
is($output, "SOFTDELETE OK: 0 errors, 0 warnings | errors=0 warnings=0\n", 'and says so');

# a name that looks like findings
$node->safe_psql('postgres', qq{
    CREATE TABLE "x\nerror\tforged\tz\tw\nwarning\tforged\ty" (id int PRIMARY KEY, p int REFERENCES p ON DELETE SET NULL)});
($status, $output) = status();
is($status, 1, 'a name that looks like an error is none');
like($output, qr/^SOFTDELETE WARNING: 0 errors, 1 warning /, 'nor is it counted');
unlike($output, qr/^(error|warning): forged/m, 'nor shown as one');
$node->safe_psql('postgres', qq{DROP TABLE "x\nerror\tforged\tz\tw\nwarning\tforged\ty"});

# how the library comes
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'pg_stat_statements'\nsession_preload_libraries = 'softdelete'");
$node->restart;
($status, $output) = status();
is($status, 1, 'session_preload_libraries: warning');
like($output, qr/\n    ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements', 'softdelete'\n/, 'with the command');
my ($remedy) = $output =~ /(ALTER SYSTEM .*)/;
$node->safe_psql('postgres', $remedy);
$node->restart;
is((status())[0], 0, 'which mends it');
$node->safe_psql('postgres', 'ALTER SYSTEM RESET shared_preload_libraries');
$node->append_conf('postgresql.conf', "shared_preload_libraries = ''\nsession_preload_libraries = ''");
$node->restart;
is((status())[0], 2, 'none: critical');
$node->stop;
is((status())[0], 2, 'no server: critical');
done_testing();
