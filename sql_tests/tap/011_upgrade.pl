# ALTER EXTENSION softdelete UPDATE: from each older version to the newest, with tables registered and rows deleted.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'softdelete'");
$node->start;

# Everything that belongs to the extension, with definitions, comments and rights.
my $objects = q{
    SELECT pg_describe_object(d.classid, d.objid, 0) || ' ' ||
           COALESCE(md5(CASE WHEN d.classid = 'pg_proc'::regclass THEN (SELECT pg_get_functiondef(p.oid) || p.proacl::text FROM pg_proc p WHERE p.oid = d.objid)
                    ELSE (SELECT COALESCE(pg_get_viewdef(c.oid), '') || c.relacl::text FROM pg_class c WHERE c.oid = d.objid AND c.relkind IN ('v', 'r', 'S')) END), '') || ' ' ||
           COALESCE(md5(obj_description(d.objid, d.classid::regclass::text::name)), 'no comment')
    FROM pg_depend d WHERE d.refclassid = 'pg_extension'::regclass AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'softdelete') AND d.deptype = 'e'
    ORDER BY 1};
$node->safe_psql('postgres', 'CREATE DATABASE fresh');
$node->safe_psql('fresh', 'CREATE EXTENSION softdelete');
my $newest = $node->safe_psql('fresh', "SELECT extversion FROM pg_extension WHERE extname = 'softdelete'");
my $expected = $node->safe_psql('fresh', $objects);
cmp_ok(scalar(split(/\n/, $expected)), '>', 40, 'the extension has objects');
unlike($expected, qr/^(?:function|view) .* no comment$/m, 'and each has a comment');

my @older = split(/\n/, $node->safe_psql('postgres', "SELECT source FROM pg_extension_update_paths('softdelete') WHERE target = '$newest' AND source <> target AND path IS NOT NULL ORDER BY 1"));
ok(@older > 0, "there are older versions than $newest");
foreach my $version (@older)
{
    my $db = "from_$version" =~ s/\./_/gr;
    $node->safe_psql('postgres', "CREATE DATABASE $db");
    $node->safe_psql($db, qq{
        CREATE EXTENSION softdelete VERSION '$version';
        CREATE TABLE p (id int PRIMARY KEY, name text UNIQUE);
        CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p ON DELETE CASCADE);
        INSERT INTO p VALUES (1, 'a'), (2, 'b');
        INSERT INTO c VALUES (1, 1), (2, 2);
        SELECT softdelete_register('p');
        DELETE FROM p WHERE id = 1});
    my $session = $node->safe_psql($db, q{
        PREPARE gone(int) AS DELETE FROM p WHERE id = $1;
        ALTER EXTENSION softdelete UPDATE;
        EXECUTE gone(2);
        SELECT count(*) FROM c});
    is($session, '0', "$version: a session goes on over the update");
    is($node->safe_psql($db, "SELECT extversion FROM pg_extension WHERE extname = 'softdelete'"), $newest, 'to the newest');
    is($node->safe_psql($db, $objects), $expected, 'which is as if made new');
    is($node->safe_psql($db, 'SELECT sum(softdelete_undelete_deletion(id)) FROM softdelete.deletions; SELECT (SELECT count(*) FROM p), (SELECT count(*) FROM c)'),
        "4\n2|2", 'and what was deleted before it comes back');
    like($node->safe_psql($db, 'SELECT softdelete_report()'), qr/<html/, 'what is new is there');
}
$node->stop;
done_testing();
