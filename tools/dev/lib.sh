# shellcheck shell=bash
# What every verb uses: messages, steps with progress and a log, processes that cannot be mistaken for others.

artifacts=$repo/artifacts
logs=$artifacts/dev
state=$artifacts/dev/state

# Builds leave no server process behind.
export MSBUILDDISABLENODEREUSE=1 DOTNET_CLI_USE_MSBUILD_SERVER=0 UseSharedCompilation=false
# A fresh Debian has no libicu, without which the SDK ends at once; nothing here needs cultures.
export DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1

say() { printf '%s\n' "$*"; }
fail() { printf 'dev: %s\n' "$*" >&2; exit 1; }

native_architecture() {
  case $(uname -m) in
    x86_64) echo x64 ;;
    aarch64) echo arm64 ;;
    *) fail "there is no build for $(uname -m)" ;;
  esac
}

# Ctrl-C ends the step in hand too: a background job of a script does not hear it.
step_pid=""
trap 'interrupt' INT TERM HUP
interrupt() {
  trap "" INT TERM HUP
  [ -z "$step_pid" ] || kill_tree "$step_pid"
  exit 130
}

kill_tree() {
  local child
  cat "/proc/$1/task/"*/children 2>/dev/null | tr ' ' '\n' | while read -r child; do kill_tree "$child"; done || true
  kill -TERM "$1" 2>/dev/null || true
}

# step LOG TEXT COMMAND...: runs a command with its output in artifacts/dev/LOG.log and shows how long it takes.
# When it fails: the end of the log, its path, and the command's exit code.
step() {
  local log=$logs/$1.log text=$2 start=$SECONDS pid code=0 shown=false
  shift 2
  mkdir -p "$logs"
  # Without the lock, so that a start that was killed does not hold it through its last step.
  "$@" >"$log" 2>&1 </dev/null 8<&- &
  pid=$!
  step_pid=$pid
  if [ -t 1 ]; then
    while kill -0 "$pid" 2>/dev/null; do
      printf '\r\033[K  %s … %d s' "$text" "$((SECONDS - start))"
      sleep 0.2
    done
    printf '\r\033[K'
  else
    # A line at once for what takes long, none for what does not.
    for _ in 1 2 3 4 5 6 7 8 9 10; do
      kill -0 "$pid" 2>/dev/null || break
      sleep 0.2
    done
    if kill -0 "$pid" 2>/dev/null; then say "  $text …"; shown=true; fi
  fi
  wait "$pid" || code=$?
  step_pid=""
  if [ "$code" -ne 0 ]; then
    say "  $text: failed after $((SECONDS - start)) s"
    sed 's/^/    | /' < <(tail -n 25 "$log")
    say "  log: ${log#"$repo"/}"
    return "$code"
  fi
  if [ -t 1 ] || $shown || [ $((SECONDS - start)) -ge 2 ]; then say "  $text: done ($((SECONDS - start)) s)"; else say "  $text: done"; fi
}

# start_time PID: clock ticks after boot at which it began; with the id, it names one process for good.
start_time() {
  local stat
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  # The name in parentheses may hold spaces, so count from behind it.
  # shellcheck disable=SC2086
  set -- ${stat##*)}
  case $1 in Z | X) return 1 ;; esac
  printf '%s\n' "${20}"
}

# launch NAME USER COMMAND...: a process of its own session, noted in the state and logging to artifacts/dev/NAME.log.
launch() {
  local name=$1 user=$2 pid drop=()
  shift 2
  [ "$user" -eq 0 ] || drop=(setpriv --reuid "$user" --regid "$user" --clear-groups --no-new-privs --)
  mkdir -p "$state/processes"
  # Each part of the command replaces itself by the next, so that the id noted is the program's own.
  setsid "${drop[@]}" "$@" >"$logs/$name.log" 2>&1 </dev/null 8<&- &
  pid=$!
  disown "$pid"
  printf '%s %s\n' "$pid" "$(start_time "$pid" || echo 0)" >"$state/processes/$name"
}

# running NAME: whether the process noted under that name is alive.
running() {
  local pid start
  [ -f "$state/processes/$1" ] || return 1
  read -r pid start <"$state/processes/$1" || return 1
  [ "$(start_time "$pid" || true)" = "$start" ]
}

# stop NAME SECONDS: SIGTERM, and SIGKILL when that was not heard.
stop() {
  local name=$1 seconds=$2 pid i
  if running "$name"; then
    read -r pid _ <"$state/processes/$name"
    kill -TERM "$pid" 2>/dev/null || true
    for ((i = 0; i < seconds * 10; i++)); do
      running "$name" || break
      sleep 0.1
    done
    if running "$name"; then kill -KILL "$pid" 2>/dev/null || true; fi
    for ((i = 0; i < 50; i++)); do
      running "$name" || break
      sleep 0.1
    done
  fi
  if running "$name"; then say "  $name (process $pid) does not end"; return 1; fi
  rm -f "$state/processes/$name"
}

# wait_for SECONDS NAME COMMAND...: until the command succeeds; fails early when process NAME ended.
wait_for() {
  local deadline=$((SECONDS + $1)) name=$2
  shift 2
  until "$@"; do
    if ! running "$name"; then
      say "$name ended before it was ready. The end of its log:"
      tail -n 20 "$logs/$name.log"
      return 1
    fi
    if [ "$SECONDS" -ge "$deadline" ]; then
      say "$name is not ready in time. The end of its log:"
      tail -n 20 "$logs/$name.log"
      return 1
    fi
    sleep 0.1
  done
}
