#!/bin/sh
# Installs node_modules (and with them Node 24) when package-lock.json differs from what is installed.
# Every npm script begins with this, so it may use nothing but a POSIX shell and the npm that started it.
set -eu
cd "$(dirname "$0")/.."
stamp=node_modules/.rune-lockfile
want=$(sha256sum package-lock.json 2>/dev/null || shasum -a 256 package-lock.json)

installed() { [ -x node_modules/.bin/node ] && [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$want" ]; }
# npm writes its own copy of the lock file last: a manual installation after the last change of package-lock.json is
# accepted.
installed_by_hand() {
  [ -x node_modules/.bin/node ] && [ ! -f "$stamp" ] && [ -n "$(find node_modules/.package-lock.json -newer package-lock.json 2>/dev/null)" ]
}
installed && exit 0
if installed_by_hand; then
  printf '%s\n' "$want" >"$stamp"
  exit 0
fi

# Two scripts started at once must not install at the same time; a lock left by a dead process is ignored.
lock=.npm-install.lock
until mkdir "$lock" 2>/dev/null; do
  owner=$(cat "$lock/pid" 2>/dev/null || true)
  if [ -n "$owner" ] && ! kill -0 "$owner" 2>/dev/null; then rm -rf "$lock"; continue; fi
  echo "setup: another installation is running (process ${owner:-unknown}); waiting for it" >&2
  sleep 2
done
trap 'rm -rf "$lock"' EXIT
trap 'exit 130' INT TERM
echo $$ >"$lock/pid"
installed && exit 0 # by the process that was waited for

echo "setup: installing what package-lock.json names (about 10 s with a warm npm cache, a minute without) …" >&2
log=$(mktemp)
# Not `npm ci`: it refuses a lockfile that lists only this platform's optional binaries, as npm 11 writes it.
if ! npm install --no-save --no-fund --no-audit --loglevel=error >"$log" 2>&1; then
  cat "$log" >&2
  echo "setup: npm install failed. Its messages are above; check that the package registry can be reached, then run the command again." >&2
  rm -f "$log"
  exit 1
fi
rm -f "$log"
printf '%s\n' "$want" >"$stamp"
echo "setup: $(find node_modules -mindepth 1 -maxdepth 1 -type d | wc -l | tr -d ' ') packages installed, Node $(node_modules/.bin/node --version)" >&2
