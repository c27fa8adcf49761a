# scripts/verify-backup: backups that bring everything back pass, and others do not; and
# softdelete_recover() from a backup behind postgres_fdw.
use strict;
use warnings;
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $verify = dirname(abs_path(__FILE__)) . '/../../scripts/verify-backup';
my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'softdelete'");
$node->start;
($ENV{PG_VERSION}) = `pg_config --version` =~ /PostgreSQL (\d+)/;
my $dir = PostgreSQL::Test::Utils::tempdir;
$node->safe_psql('postgres', 'CREATE DATABASE shop; CREATE ROLE keeper');
$node->safe_psql('shop', q{
    CREATE EXTENSION softdelete;
    CREATE TABLE customers (id int PRIMARY KEY, email text UNIQUE);
    CREATE TABLE orders (id int PRIMARY KEY, customer_id int REFERENCES customers ON DELETE CASCADE);
    CREATE TABLE notes (id int PRIMARY KEY, order_id int REFERENCES orders ON DELETE SET NULL);
    CREATE TABLE "Odd one" (id int PRIMARY KEY, customer_id int REFERENCES customers ON DELETE CASCADE, gone_at timestamptz);
    ALTER TABLE notes OWNER TO keeper;
    INSERT INTO customers SELECT i, i FROM generate_series(1, 50) i;
    INSERT INTO orders SELECT i, 1 + i % 50 FROM generate_series(1, 200) i;
    INSERT INTO notes SELECT i, i FROM generate_series(1, 200) i;
    INSERT INTO "Odd one" SELECT i, i FROM generate_series(1, 50) i;
    SELECT softdelete_register('"Odd one"', flag := 'gone_at');
    SELECT softdelete_register('customers');
    DELETE FROM customers WHERE id < 5;
    DELETE FROM orders WHERE id = 100;
    DELETE FROM customers WHERE id = 9;
    INSERT INTO customers VALUES (1000, '9');
    SELECT softdelete_undelete('customers', 3, cascade := true)});

sub dump_to
{
    my ($file, @options) = @_;
    system_or_bail('pg_dump', '-f', "$dir/$file", @options, '-d', $node->connstr('shop'));
    return "$dir/$file";
}

# Exit status and output of scripts/verify-backup.
sub verified
{
    my ($out, $err);
    IPC::Run::run(['bash', $verify, '-d', $node->connstr('shop'), shift], '>', \$out, '2>', \$err);
    return ($? >> 8, $out . $err);
}

sub last_check
{
    return $node->safe_psql('shop', q{SELECT ok, detail FROM softdelete.backup_check ORDER BY id DESC LIMIT 1});
}

foreach my $format (qw(plain custom directory tar))
{
    my ($status, $output) = verified(dump_to($format, "-F$format"));
    is($status, 0, "$format: all came through") or diag($output);
    is(last_check(), 't|everything came through', 'and that is on record');
    like($output, qr/^ok: customers: 47 live rows, 4 deleted$/m, 'with its rows');
    like($output, qr/^ok: 1 deletions can be undone$/m, 'its deletions');
}
my ($status, $output);

# what must be found out
sub fails
{
    my ($what, $file, $problem) = @_;
    ($status, $output) = verified($file);
    is($status, 1, "$what: not ok") or diag($output);
    like($output, $problem, 'and why');
    like(last_check(), qr/^f\|/, 'on record');
}
my $plain = slurp_file("$dir/plain");
append_to_file("$dir/cut", substr($plain, 0, length($plain) * 0.9));
fails('a file cut off', "$dir/cut", qr/^not ok: the dump cannot be restored: the file is cut off/m);
my $custom = slurp_file("$dir/custom");
open(my $half, '>:raw', "$dir/half");
print $half substr($custom, 0, length($custom) / 2);
close($half);
fails('half of a custom dump', "$dir/half", qr/^not ok: the dump cannot be restored/m);
fails('a table left out', dump_to('without', '-Fc', '-T', 'notes', '-T', '"Odd one"'), qr/^not ok: the dump cannot be restored: .*Odd one/m);
fails('without the schema softdelete', dump_to('schema', '-Fc', '-n', 'public'), qr/^not ok: .*/m);
fails('a dump of what row security shows', dump_to('secured', '-Fc', '--enable-row-security'),
    qr/^not ok: deletion \d+ cannot be undone: .*customers: 0 of 1 rows/m);
(my $nolog = $plain) =~ s/(^COPY softdelete\.deletion .*?\n)(.*?)(^\\\.)/$1$3/ms;
append_to_file("$dir/nolog", $nolog);
fails('the log emptied', "$dir/nolog", qr/^not ok: customers: 4 deleted rows belong to deletions that are not in the log$/m);

($status, $output) = verified("$dir/nothing");
is($status, 2, 'no such file');
IPC::Run::run(['bash', $verify, '-d', $node->connstr('postgres'), "$dir/custom"], '>', \$output, '2>', \$output);
is($? >> 8, 2, 'a database without the extension');
is($node->safe_psql('shop', 'SELECT count(*) FROM customers'), '47', 'the database itself is left alone');

# rows from a backup in another database
$node->safe_psql('postgres', 'CREATE DATABASE shop_backup');
system_or_bail('pg_restore', '-d', $node->connstr('shop_backup'), "$dir/custom");
$node->safe_psql('shop', q{
    SET softdelete.enabled = off;
    DELETE FROM customers WHERE id BETWEEN 20 AND 29;
    DELETE FROM notes WHERE id < 10});
my ($host, $port) = ($node->host, $node->port);
$node->safe_psql('shop', qq{
    CREATE EXTENSION postgres_fdw;
    CREATE SERVER backup FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '$host', port '$port', dbname 'shop_backup');
    CREATE USER MAPPING FOR CURRENT_USER SERVER backup;
    CREATE SCHEMA backup;
    IMPORT FOREIGN SCHEMA public FROM SERVER backup INTO backup});
my $expected = qq{"Odd one"|10|0|0|0\ncustomers|10|0|0|0\nnotes|9|40|0|0\norders|40|0|0|0};
is($node->safe_psql('shop', q{SELECT * FROM softdelete_recover('backup') ORDER BY relation::text COLLATE "C"}), $expected, 'what a backup behind postgres_fdw has more');
is($node->safe_psql('shop', 'SELECT count(*) FROM customers'), '37', 'a dry run changes nothing');
is($node->safe_psql('shop', q{SELECT * FROM softdelete_recover('backup', dry_run := false) ORDER BY relation::text COLLATE "C"}), $expected, 'and it comes');
foreach my $table ('customers', 'orders', 'notes', '"Odd one"')
{
    is($node->safe_psql('shop', "TABLE $table ORDER BY id"), $node->safe_psql('shop_backup', "TABLE $table ORDER BY id"), "$table is as in the backup");
}
$node->stop;
done_testing();
