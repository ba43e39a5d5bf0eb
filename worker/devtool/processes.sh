# shellcheck shell=bash
# Output and processes of temporal-dev.sh: steps that end, and servers that keep running. A server has a file NAME.pid in
# $run and writes to NAME.log in $log.

say() { printf '%s\n' "$*"; }

fail() {
  printf 'temporal-dev.sh: %s\n' "$*" >&2
  exit 1
}

# step TEXT COMMAND... runs COMMAND in a process group of its own and shows progress and how long it took. Its output is only
# shown if it fails.
step_pid=
step() {
  local text=$1 began=$SECONDS ticks=0
  shift
  printf '%s ' "$text"
  set -m
  "$@" </dev/null >"$log/step.log" 2>&1 &
  step_pid=$!
  set +m
  while kill -0 "$step_pid" 2>/dev/null; do
    sleep 0.1
    if ((++ticks % 30 == 0)); then printf '.'; fi
  done
  if wait "$step_pid"; then
    step_pid=
    printf ' %d s\n' $((SECONDS - began))
  else
    step_pid=
    printf ' failed after %d s:\n' $((SECONDS - began))
    tail -n 30 "$log/step.log" | sed 's/^/  | /'
    exit 1
  fi
}

# show COMMAND... runs it with its output, in a process group of its own, so that this script handles signals at once.
show() {
  local status=0
  set -m
  "$@" </dev/null &
  step_pid=$!
  set +m
  wait "$step_pid" || status=$?
  step_pid=
  return "$status"
}

# born PID prints when a process started, which distinguishes it from a later one with the same number. Fails if there is none.
born() {
  local stat
  if [[ -d /proc/self ]]; then
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    read -r -a stat <<<"${stat##*) }" # after the name, which may contain any character
    [[ ${stat[0]} != Z ]] && echo "${stat[19]}"
  else
    ps -o lstart= -p "$1"
  fi
}

remember() { echo "$2 $(born "$2")" >"$run/$1.pid"; }

# pid_of NAME prints the process that was started under this name, if it still runs.
pid_of() {
  local pid when
  [[ -f $run/$1.pid ]] || return 1
  read -r pid when <"$run/$1.pid" || return 1
  [[ $(born "$pid") == "$when" ]] && echo "$pid"
}

runs() { pid_of "$1" >/dev/null; }

# start NAME COMMAND... runs COMMAND, which must not fork, in a process group of its own, so that Ctrl-C reaches only this
# script, which stops everything in order.
start() {
  local name=$1
  shift
  set -m
  "$@" </dev/null >"$log/$name.log" 2>&1 &
  set +m
  remember "$name" $!
  disown $! # so that the shell prints nothing when it ends
}

# stop NAME [SIGNAL] ends a process, and kills it after 30 seconds: the worker waits up to 20 for its activities.
stop() {
  local pid ticks=0
  if pid=$(pid_of "$1"); then
    kill "-${2:-TERM}" "$pid" 2>/dev/null || true
    while runs "$1"; do
      if ((++ticks == 300)); then
        say "$1 (process $pid) did not stop in 30 seconds: killing it"
        kill -KILL "-$pid" 2>/dev/null || kill -KILL "$pid" 2>/dev/null || true
      fi
      sleep 0.1
    done
  fi
  rm -f "$run/$1.pid"
}

everything=(slackapp worker local-slack temporal postgresql-newer postgresql) # in the order of stopping

stop_everything() {
  local name
  for name in "${everything[@]}"; do
    case $name in
      postgresql*) stop "$name" INT ;; # the "fast" shutdown, which does not wait for sessions
      *) stop "$name" ;;
    esac
  done
}

# await SECONDS NAME COMMAND... waits until COMMAND succeeds. It fails with the log of NAME if that ends or takes too long.
await() {
  local until=$((SECONDS + $1)) name=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    if ! runs "$name"; then
      show_log "$name" "$name stopped unexpectedly"
      return 1
    elif ((SECONDS >= until)); then
      show_log "$name" "$name was not ready in time"
      return 1
    fi
    sleep 0.1
  done
}

show_log() {
  printf '%s. Last lines of %s:\n' "$2" "$log/$1.log"
  tail -n 20 "$log/$1.log" | sed 's/^/  | /'
}

# watch PID waits until that process ends. It fails as soon as a server ends.
watch() {
  local name
  while kill -0 "$1" 2>/dev/null; do
    for name in "${everything[@]}"; do
      if [[ -f $run/$name.pid ]] && ! runs "$name"; then
        show_log "$name" "$name stopped unexpectedly"
        return 1
      fi
    done
    sleep 0.5
  done
}

# watched COMMAND... runs it, and stops it if a server ends.
watched() {
  "$@" &
  watch $! || { kill -TERM $! && return 1; }
  wait $!
}

listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# answers PORT PATH tells whether an HTTP server answers there with success.
answers() (
  exec 3<>"/dev/tcp/127.0.0.1/$1"
  printf 'GET %s HTTP/1.0\r\nHost: 127.0.0.1:%s\r\n\r\n' "$2" "$1" >&3
  read -r -t 5 _ code _ <&3
  [[ $code == 2?? ]]
) 2>/dev/null

# free_port prints a free port below those that the system assigns itself, so that no test's own server takes it meanwhile.
free_port() {
  local port
  while port=$((20000 + RANDOM % 12000)) && listens "$port"; do :; done
  echo "$port"
}

need_port() { # PORT SETTING WHAT
  if listens "$1"; then
    fail "$3 needs port $1 on 127.0.0.1, which is in use: stop the program that uses it, or set $2 to a free port"
  fi
}

