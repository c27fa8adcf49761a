# Functions shared by the scripts: packages, building, a private server.
# To be sourced by bash; sets $top and leaves the caller's options alone.
#
# A server runs as the user postgres on a Unix-domain socket in a directory of
# its own below $TMPDIR, listens nowhere else, and is stopped and removed when
# the script ends.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
pg_version=${PG_VERSION:-15}
pg_bin=/usr/lib/postgresql/$pg_version/bin

say() { printf '%s\n' "$*"; }
die() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; exit 1; }

# Runs a command as root, through sudo where needed.
as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# Runs a command as the user postgres, in a directory that it may read.
as_postgres() {
    if [ "$(id -un)" = postgres ]; then "$@"
    elif [ "$(id -u)" = 0 ]; then (cd / && setpriv --reuid=postgres --regid=postgres --init-groups env HOME=/tmp "$@")
    else (cd / && sudo -u postgres "$@"); fi
}

# Installs the Debian packages named that are not installed yet.
need_packages() {
    local missing=() package
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok' || missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return 0
    say "installing ${missing[*]}"
    # installing a server package must not start a cluster of its own
    if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
        as_root mkdir -p /etc/postgresql-common
        echo 'create_main_cluster = false' | as_root tee /etc/postgresql-common/createcluster.conf >/dev/null
    fi
    as_root apt-get update -qq >/dev/null
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
        -o Dpkg::Options::=--force-confold "${missing[@]}" >/dev/null ||
        die "could not install ${missing[*]}"
}

# Builds from a copy in $1 (so that nothing is left in the source tree) and installs.
build_and_install() {
    local into=$1
    shift
    mkdir -p "$into"
    (cd "$top" && tar cf - --exclude=.git --exclude=./build --exclude='*.o' --exclude='*.bc' --exclude='*.so' .) | tar xf - -C "$into"
    make -s -C "$into" PG_CONFIG="$pg_bin/pg_config" with_llvm=no "$@" || die "the build failed"
    as_root make -s -C "$into" PG_CONFIG="$pg_bin/pg_config" with_llvm=no install >/dev/null || die "the installation failed"
}

# Makes and starts a private server in $1; more lines of configuration on stdin.
start_server() {
    local dir=$1
    mkdir -p "$dir"
    as_root chown postgres: "$dir"
    as_postgres "$pg_bin/initdb" -D "$dir/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync >/dev/null
    {
        echo "listen_addresses = ''"
        echo "unix_socket_directories = '$dir'"
        echo "fsync = off"
        echo "shared_preload_libraries = 'softdelete'"
        echo "max_prepared_transactions = 10"
        cat
    } | as_postgres tee -a "$dir/data/postgresql.conf" >/dev/null
    as_postgres "$pg_bin/pg_ctl" -D "$dir/data" -l "$dir/log" -w start >/dev/null ||
        { tail -n 20 "$dir/log" >&2; die "the server did not start"; }
    export PGHOST=$dir PGUSER=postgres PGDATABASE=postgres
    unset PGPORT PGSERVICE PGOPTIONS
}

stop_server() {
    local dir=$1
    [ -e "$dir/data/postmaster.pid" ] && as_postgres "$pg_bin/pg_ctl" -D "$dir/data" -m fast -w stop >/dev/null
    return 0
}
