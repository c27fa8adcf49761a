# doc/tutorial.md: what it shows is what happens.
use strict;
use warnings;
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $page = dirname(abs_path(__FILE__)) . '/../../doc/tutorial.md';
my $prompt = qr/^    shop[=*]#/;

# The statements of the page, each with its line and the answer that is shown.
my @steps;
my $line = 0;
foreach my $text (split(/\n/, slurp_file($page)))
{
    $line++;
    if ($text =~ s/$prompt ?//)
    {
        push @steps, { line => $line, sql => $text, answer => '' };
    }
    elsif (@steps && !$steps[-1]->{closed})
    {
        if ($text =~ s/^    shop[-*]# ?//)
        {
            $steps[-1]->{sql} .= "\n$text";
        }
        elsif ($text =~ s/^    //)
        {
            $steps[-1]->{answer} .= "$text\n";
        }
        elsif ($text ne '')
        {
            $steps[-1]->{closed} = 1;
        }
    }
}

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'softdelete'");
$node->start;
$node->safe_psql('postgres', 'CREATE DATABASE shop');

# One session, as the reader's: the answers are told apart by lines between them.
my $script = $PostgreSQL::Test::Utils::tmp_check . '/tutorial.sql';
my $output = $PostgreSQL::Test::Utils::tmp_check . '/tutorial.out';
append_to_file($script, join('', map { "$_->{sql}\n\\echo =====\n" } @steps));
system_or_bail('sh', '-c', 'psql -X -d "$1" <"$2" >"$3" 2>&1', 'sh', $node->connstr('shop'), $script, $output);
my @answers = split(/^=====\n/m, slurp_file($output));

sub tidy
{
    my ($text) = @_;
    $text =~ s/[ \t]+$//mg;
    $text =~ s/\n+/\n/g;
    $text =~ s/^\n|\n$//g;
    return $text;
}

cmp_ok(scalar @steps, '>', 20, 'the tutorial has its statements');
foreach my $i (0 .. $#steps)
{
    is(tidy($answers[$i] // ''), tidy($steps[$i]->{answer}), "line $steps[$i]->{line}: " . ($steps[$i]->{sql} =~ s/\n.*//sr));
}

# doc/reference.md: all that there is.
my $reference = slurp_file(dirname(abs_path(__FILE__)) . '/../../doc/reference.md');
my $all = $node->safe_psql('shop', q{
    SELECT p.proname FROM pg_proc p JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
    WHERE p.pronamespace = 'public'::regnamespace
    UNION SELECT name FROM pg_settings WHERE name ~ '^softdelete\.'
    UNION SELECT c.relname || '`.*`' || a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
    WHERE c.relnamespace = 'softdelete'::regnamespace AND c.relname IN ('deletions', 'events', 'tables', 'backup_check')});
foreach my $name (split(/\n/, $all))
{
    like($reference, qr/$name`|`$name[( ]|CALL $name/, "the reference has $name");
}
$node->stop;
done_testing();
