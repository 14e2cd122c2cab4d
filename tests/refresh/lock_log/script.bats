#!/usr/bin/env bats
# Step 1 and the log: one run at a time, and the files in logs/.

# shellcheck disable=SC2016,SC2030,SC2031,SC2119 # see helper.bash
# shellcheck source=../../support/refresh/helper.bash
source "$BATS_TEST_DIRNAME/../../support/refresh/helper.bash"

# Hold the lock until release_lock.
hold_lock() {
  mkdir -p "$project/logs"
  mkfifo "$world/release"
  flock "$lock" bash -c 'printf x >"$1/held"; read -r _ <"$1/release"' _ "$world" 3>&- &
  background+=("$!")
  wait_until test -e "$world/held"
}

release_lock() {
  printf '\n' >"$world/release"
}

# Create a log of $1 bytes.
make_log() {
  mkdir -p "$project/logs"
  head -c "$(($1 - 1))" /dev/zero | tr '\0' x >"$log"
  printf '\n' >>"$log"
}

@test "a run waits for the lock and then does its work" {
  local run
  credentials "$OLD_TOKEN" -$HOUR_MS
  claude_renews
  record_tool flock
  hold_lock
  refresh_in_background
  run=$started
  wait_until call flock 2 >/dev/null
  called_with flock 1 -n 9
  called_with flock 2 9
  [[ ! -s $log ]]
  is "$(call_names)" 'flock flock'

  release_lock
  wait "$run"
  has_bytes "$dotenv" "CLAUDE_CODE_OAUTH_TOKEN=$NEW_TOKEN\n"
  is "$(call_names)" 'flock flock flock claude systemctl systemd-run'
}

@test "many runs at the moment of expiry make one call to claude, and all succeed" {
  local run runs=()
  credentials "$OLD_TOKEN" -$HOUR_MS
  plan claude '"$sleep" 0.2' "renew $NEW_TOKEN $((8 * HOUR_MS))"
  for _ in {1..8}; do
    refresh_in_background
    runs+=("$started")
  done
  for run in "${runs[@]}"; do
    wait "$run"
  done
  is "$(count_calls claude)" 1
  is "$(count_calls systemd-run)" 8
  is "$(pending)" "$UNIT.timer"
  has_bytes "$dotenv" "CLAUDE_CODE_OAUTH_TOKEN=$NEW_TOKEN\n"
}

@test "the lock is held: an ERROR, exit 1, and nothing else is done" {
  credentials "$OLD_TOKEN" $((2 * HOUR_MS))
  make_stand_in flock
  plan flock 'printf "noise\n"' 'refuse 1 "flock: in words of its own"'
  plan flock 'refuse 1 "flock: again"'
  refresh
  ended 1
  log_is "ERROR: another refresh has held $lock for 120 s"
  is "$(call_names)" 'flock flock'
  [[ ! -e $dotenv && ! -e $failing ]]
}

@test "a flock that is not executable counts as missing" {
  credentials "$OLD_TOKEN" $((2 * HOUR_MS))
  without flock
  : >"$world/bin/flock"
  refresh
  ended 1
  log_is "ERROR: flock not found in PATH. It is needed to lock $lock"
  [[ ! -e $dotenv ]]
}

@test "an earlier run's lock file does not lock" {
  credentials "$OLD_TOKEN" $((2 * HOUR_MS))
  mkdir "$project/logs"
  printf 'of another time\n' >"$lock"
  refresh
  ended 0
  has_bytes "$lock" 'of another time\n'
}

@test "no program inherits the lock" {
  local tool name pid
  for tool in cp jq mv readlink rm stat sync timeout; do
    record_tool "$tool"
  done
  make_log 1048577
  ln -s real "$dotenv"
  printf 'A=1\n' >"$project/real"
  : >"$failing"
  credentials "$OLD_TOKEN" -$HOUR_MS
  plan claude '(($# == 2)) || refuse 1 "error: unknown option"' "renew $NEW_TOKEN $((8 * HOUR_MS))"
  refresh
  ended 0
  [[ -e $log.1 && ! -e $failing ]]
  for tool in cp jq mv readlink rm stat sync timeout; do
    was_called "$tool" || fail "$tool was not called, so this test does not cover it"
  done
  while read -r name pid; do
    # cp and stat get both files of a delivery as streams
    [[ $(<"$calls/$name.$pid.descriptors") == @(|'stdin is not empty') ]] || fail "$name"
  done <"$calls/order"
}

@test "a missing log directory is created, with a log that only its owner can read" {
  credentials "$OLD_TOKEN" $((2 * HOUR_MS))
  environment+=(OAUTHKIT_LOG="$world/new/directory/my.log")
  refresh
  ended 0
  [[ -s $world/new/directory/my.log && -e $world/new/directory/oauth-refresh.lock ]]
  is "$(stat -c %a "$world/new/directory/my.log")" 600
  is "$(stat -c %a "$world/new/directory")" 700
}

@test "a log that cannot be written: one line on stderr, exit 1, and nothing is done" {
  mkdir -p "$log"
  refresh
  is "$status" 1
  is "$output" ''
  is "$stderr" "oauthkit: the log $log cannot be written"
  is "$(call_names)" ''
  [[ ! -e $dotenv ]]
}

@test "the log directory / is not created" {
  record_tool mkdir
  environment+=(OAUTHKIT_LOG=/tmp)
  refresh
  is "$status" 1
  is "$output" ''
  is "$stderr" 'oauthkit: the log /tmp cannot be written'
  is "$(call_names)" ''
}

@test "an existing log directory is not created again" {
  record_tool mkdir
  mkdir "$project/logs"
  refresh
  ended 1
  is "$(count_calls mkdir)" 0
}

@test "a log of 1 MiB is kept, and one with one more byte is rotated" {
  credentials "$OLD_TOKEN" $((2 * HOUR_MS))
  make_log 1048576
  printf 'of yesterday\n' >"$log.1"
  refresh
  ended 0
  has_bytes "$log.1" 'of yesterday\n'
  is "$(tail -n +2 "$log" | wc -l)" 3

  cp "$log" "$world/before"
  refresh
  ended 0
  cmp "$log.1" "$world/before"
  is "$(wc -l <"$log")" 3
  is "$(stat -c %a "$log")" 600
}

@test "a log that cannot be rotated is continued" {
  credentials "$OLD_TOKEN" $((2 * HOUR_MS))
  make_log 1048577
  mkdir "$log.1"
  refresh
  ended 0
  is "$(tail -n +2 "$log" | wc -l)" 3
  has_bytes "$dotenv" "CLAUDE_CODE_OAUTH_TOKEN=$OLD_TOKEN\n"
}

@test "a log with NUL bytes is measured like any other" {
  credentials "$OLD_TOKEN" $((2 * HOUR_MS))
  mkdir "$project/logs"
  head -c 1048575 /dev/zero >"$log"
  printf '\n' >>"$log"
  refresh
  ended 0
  [[ ! -e $log.1 ]]

  head -c 1048576 /dev/zero >"$log"
  printf '\n' >>"$log"
  refresh
  ended 0
  [[ -e $log.1 ]]
}

@test "a NUL byte in a log counts as one byte" {
  credentials "$OLD_TOKEN" $((2 * HOUR_MS))
  mkdir "$project/logs"
  { printf '\0' && head -c 1048574 /dev/zero | tr '\0' x && printf '\n'; } >"$log"
  refresh
  ended 0
  [[ ! -e $log.1 ]]

  { printf '\0' && head -c 1048575 /dev/zero | tr '\0' x && printf '\n'; } >"$log"
  refresh
  ended 0
  [[ -e $log.1 ]]
}

@test "a write-only log is continued" {
  without_override
  credentials "$OLD_TOKEN" $((2 * HOUR_MS))
  mkdir "$project/logs"
  printf 'of yesterday\n' >"$log"
  chmod 0200 "$log"
  refresh
  chmod 0600 "$log"
  ended 0
  is "$(head -n 1 "$log")" 'of yesterday'
  is "$(wc -l <"$log")" 4
}

@test "the size of an endless device as the log is not measured" {
  credentials "$OLD_TOKEN" $((2 * HOUR_MS))
  mkdir "$world/logs"
  ln -s /dev/zero "$world/logs/endless"
  environment+=(OAUTHKIT_LOG="$world/logs/endless")
  prefix=(bash -c 'ulimit -t 1; exec "$@"' _)
  refresh
  ended 0
  has_bytes "$dotenv" "CLAUDE_CODE_OAUTH_TOKEN=$OLD_TOKEN\n"
}

@test "log lines are also printed on a terminal" {
  credentials "$OLD_TOKEN" $((2 * HOUR_MS))
  type -P script >/dev/null || gap 'script(1) makes the terminal; it is in Debian'\''s bsdutils'
  run script -qec "env -i $(printf '%q ' "${environment[@]}") bash $(printf %q "$script")" /dev/null 3>&-
  is "$status" 0
  is "${output//$'\r'/}" "$(cat "$log")"
  [[ -n $output ]]
}

@test "the output of mkdir, mv and rm does not reach the caller" {
  local tool
  for tool in mkdir mv rm; do
    make_stand_in "$tool"
    plan "$tool" 'printf "noise\n"; printf "noise\n" >&2' "exec $(type -P "$tool") \"\$@\""
  done
  refresh
  ended 1
  was_called mkdir

  make_log 1048577
  : >"$calls/order"
  credentials "$OLD_TOKEN" $((2 * HOUR_MS))
  refresh
  ended 0
  was_called mv && was_called rm
  [[ -e $log.1 && ! -e $failing ]]
}

@test "a pipe in place of the mark of a failed run is removed, not written to" {
  mkdir "$project/logs"
  mkfifo "$failing"
  { : <"$failing" && printf x >"$world/opened"; } 3>&- &
  background+=("$!")
  refresh
  ended 1
  [[ -p $failing && ! -e $world/opened ]]
  credentials "$OLD_TOKEN" $((2 * HOUR_MS))
  refresh
  ended 0
  [[ ! -e $failing ]]
}

@test "a log whose size cannot be read: the run continues, and nothing is printed" {
  credentials "$OLD_TOKEN" $((2 * HOUR_MS))
  ln -s /proc/self/mem "$world/unreadable" # like a dying disk: EIO
  environment+=(OAUTHKIT_LOG="$world/unreadable")
  refresh
  ended 0
  has_bytes "$dotenv" "CLAUDE_CODE_OAUTH_TOKEN=$OLD_TOKEN\n"
  is "$(count_calls systemd-run)" 1
}

@test "a token that another project has renewed meanwhile is delivered without claude" {
  credentials "$OLD_TOKEN" -$HOUR_MS
  make_stand_in flock
  plan flock "if [[ \$2 == 6 ]]; then renew $NEW_TOKEN $((8 * HOUR_MS)); fi" \
    "exec $(type -P flock) \"\$@\""
  refresh
  ended 0
  log_has 'The token was renewed by another run'
  is "$(count_calls claude)" 0
  has_bytes "$dotenv" "CLAUDE_CODE_OAUTH_TOKEN=$NEW_TOKEN\n"
}
