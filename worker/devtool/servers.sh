# shellcheck shell=bash
# The state directories of temporal-dev.sh, and its PostgreSQL and Temporal servers.

make_state() {
  if [[ -L $dev || (-e $dev && ! -O $dev) ]]; then
    fail "$dev belongs to another user: run this as that user, or let them reset it"
  fi
  (umask 077 && mkdir -p "$dev")
  mkdir -p "$run" "$log" "$bin"
}

# readable_home sets `home` to a directory for files that PostgreSQL must read. It refuses to run as root, so root runs it as
# another user, who may not be able to read the clone. Then $dev/home names a directory elsewhere.
home=
home_pattern='^/var/tmp/accessbot-dev\.[A-Za-z0-9]{8}$'
readable_home() {
  if ((EUID != 0)); then
    home=$dev
    return
  fi
  if [[ -f $dev/home ]] && is_home "$(<"$dev/home")"; then
    home=$(<"$dev/home")
    return
  fi
  home=$(mktemp -d /var/tmp/accessbot-dev.XXXXXXXX)
  chmod 711 "$home"
  echo "$root" >"$home/clone"
  echo "$home" >"$dev/home"
}

# is_home DIR tells whether readable_home created it for this clone.
is_home() { [[ $1 =~ $home_pattern && -d $1 && ! -L $1 && -O $1 && -f $1/clone && $(<"$1/clone") == "$root" ]]; }

pg_user=
if ((EUID == 0)); then
  if id postgres >/dev/null 2>&1; then pg_user=postgres; else pg_user=nobody; fi
fi

# as_pg COMMAND... replaces the shell with COMMAND, as PostgreSQL's user, in a directory that this user can read.
as_pg() {
  cd /
  if [[ -n $pg_user ]]; then
    exec setpriv --reuid="$pg_user" --regid="$(id -g "$pg_user")" --clear-groups "$@"
  fi
  exec "$@"
}

# init_postgresql BIN DIR creates a cluster without passwords: it only listens on 127.0.0.1.
init_postgresql() {
  mkdir -m 700 "$2"
  if [[ -n $pg_user ]]; then chown "$pg_user" "$2"; fi
  (as_pg "$1/initdb" --pgdata="$2" --username=postgres --auth=trust --encoding=UTF8 --locale=C.UTF-8 --no-instructions)
}

# serve_postgresql NAME BIN DIR PORT [SETTING=VALUE...]
serve_postgresql() {
  local name=$1 postgres=$2/postgres dir=$3 port=$4 setting settings=()
  shift 4
  # No socket: its path could be too long.
  for setting in listen_addresses=127.0.0.1 unix_socket_directories= "$@"; do settings+=(-c "$setting"); done
  start "$name" as_pg "$postgres" -D "$dir" -p "$port" "${settings[@]}"
  step "$("$postgres" --version) on 127.0.0.1:$port" ready_postgresql "$name" "$dir" "$port"
}

ready_postgresql() { # NAME DIR PORT
  await 60 "$1" grep -q '^ready' "$2/postmaster.pid"
  "$bin/devtool" databases -admin "$(pg_url postgres "$3" postgres)"
}

pg_url() { echo "postgres://$1@127.0.0.1:$2/$3?sslmode=disable"; } # USER PORT DATABASE

search_attributes='AccessState=Keyword AccessRequester=Keyword AccessApplication=KeywordList AccessApprover=KeywordList AccessUntil=Datetime'
retention=30d # of closed runs

# The caller's settings of the CLI are for other servers.
temporal_cli() { "$temporal" "$@" --disable-config-file --disable-config-env; }

# serve_temporal PORT [FLAG...]
serve_temporal() {
  local port=$1 attribute flags=(--disable-config-file --disable-config-env)
  shift
  for attribute in $search_attributes; do flags+=(--search-attribute "$attribute"); done
  start temporal "$temporal" server start-dev --ip 127.0.0.1 --port "$port" --namespace default "${flags[@]}" "$@"
  step "Temporal on 127.0.0.1:$port" ready_temporal "127.0.0.1:$port"
}

ready_temporal() { # ADDRESS
  local attribute
  await 60 temporal temporal_cli operator cluster health --address "$1"
  # The flag for search attributes has no effect once the database file exists.
  for attribute in $search_attributes; do
    temporal_cli operator search-attribute create --address "$1" --name "${attribute%=*}" --type "${attribute#*=}"
  done
  temporal_cli operator namespace update --address "$1" --namespace default --retention "$retention"
}

