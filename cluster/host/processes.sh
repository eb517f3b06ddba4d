# Processes of the cluster, found by their executable (in $BIN), not by pid files.
# shellcheck shell=bash

# pids_below_bin: every living process of ours (a zombie has no executable any more).
pids_below_bin() { find /proc/[0-9]*/exe -maxdepth 0 -lname "$BIN/*" 2>/dev/null | cut -d/ -f3; }

# pid_of NAME: the process of that component; empty when it doesn't run.
pid_of() {
  local p argv
  for p in $(pids_below_bin); do
    argv=()
    mapfile -d '' -t argv 2>/dev/null <"/proc/$p/cmdline" || continue
    [ ${#argv[@]} -gt 0 ] || continue # the processes in which gVisor runs programs have no command line
    if [ "${argv[0]##*/}" = "$1" ] || { [ "${argv[0]##*/}" = kube ] && [ "${argv[1]:-}" = "$1" ]; }; then echo "$p"; return 0; fi
  done
}
running() { [ -n "$(pid_of "$1")" ]; }

# start NAME CMD…: in the background, in a separate session, log in $LOG/NAME.log. A running process stays, unless its
# program, its arguments or the file $CONFIG have changed since: then it is replaced. Pods survive that.
start() {
  local name=$1 as program=kube
  shift
  [ "$name" != containerd ] || program=containerd
  as=$(printf '%s\n' "$*" | cat - "$BIN/$program.id" "${CONFIG:-/dev/null}" | sha256sum)
  if running "$name"; then
    [ "$(cat "$RUN/$name.as" 2>/dev/null)" != "$as" ] || return 0
    say "restarting $name: its program or configuration has changed"
    stop "$name" TERM
  fi
  [ ! -e "$LOG/$name.log" ] || [ "$(stat -c %s "$LOG/$name.log")" -lt 50000000 ] || mv "$LOG/$name.log" "$LOG/$name.log.old"
  setsid "$@" >>"$LOG/$name.log" 2>&1 </dev/null &
  echo "$as" >"$RUN/$name.as"
}

# stop NAME SIGNAL: waits for its end, and kills it after ten seconds.
stop() {
  local p
  p=$(pid_of "$1")
  [ -n "$p" ] || return 0
  kill "-$2" "$p" 2>/dev/null || true
  for _ in $(seq 100); do [ -e "/proc/$p/exe" ] && readlink "/proc/$p/exe" >/dev/null 2>&1 || return 0; sleep 0.1; done
  kill -9 "$p" 2>/dev/null || true
}

# wait_for WHAT CMD…: two minutes at most; then prints where to look.
wait_for() {
  local what=$1
  shift
  for _ in $(seq 600); do "$@" >/dev/null 2>&1 && return 0; sleep 0.2; done
  echo "gave up after two minutes waiting for $what; the logs are in $LOG (newest lines of each below)" >&2
  tail -qn 2 "$LOG"/*.log >&2
  return 1
}
