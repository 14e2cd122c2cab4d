#!/usr/bin/env bats
# Signals: a run that is asked to stop, its claude, and claude's children.

# shellcheck disable=SC2016,SC2030,SC2031,SC2119 # see helper.bash
# shellcheck source=../../support/refresh/helper.bash
source "$BATS_TEST_DIRNAME/../../support/refresh/helper.bash"

setup_file() {
  # If a signal is lost, its target would run for minutes.
  export BATS_TEST_TIMEOUT=${OAUTHKIT_TEST_LIMIT_S:-60}
}

expired() {
  credentials "$OLD_TOKEN" -$HOUR_MS
  raw_dotenv 'CLAUDE_CODE_OAUTH_TOKEN=before\n'
}

# Start the script in its own process group with all signals at their defaults: bash makes
# background commands ignore SIGINT and SIGQUIT, and nohup makes these tests ignore SIGHUP.
start_run() {
  : >"$calls/order"
  set -m
  env --default-signal=HUP,INT,QUIT -i "${environment[@]}" bash "$script" >"$world/stdout" 2>"$world/stderr" 3>&- &
  set +m
  started=$!
  background+=("$started")
}

# Wait for the script to exit. Set status, output and stderr as bats' run does.
end_run() {
  status=0
  wait "$started" || status=$?
  output=$(<"$world/stdout")
  stderr=$(<"$world/stderr")
}

# A stand-in's command that waits until lets_go, for at most 5 s.
readonly WAITS=': >"$world/waits"; for _ in {1..250}; do [[ -e $world/go ]] || "$sleep" 0.02; done'

lets_go() {
  printf '' >"$world/go"
}

# Check that the command $@ succeeds at once or within 3 s.
soon() {
  local deadline=$((SECONDS + 3))
  until "$@"; do
    ((SECONDS < deadline)) || return 1
    sleep 0.02
  done
}

# --- A run that is asked to end ------------------------------------------------------------------

# Check that the signal $1 lets claude exit in its own way, and that the run continues to its end.
ends_claude() {
  rm -rf "$project/logs" "${units:?}"/*
  expired
  plan claude '[[ ! -e $world/waits ]] || exit 3 # at a second try' \
    'trap "printf x >\"\$world/tidy\"; exit 7" TERM' "$WAITS"
  start_run
  wait_until test -e "$world/waits"
  kill "-$1" "$started"
  soon test -e "$world/tidy"
  end_run
  ended 1
  log_has "ERROR: claude CLI refresh failed (exit 124). User may need to run 'claude login'."
  is "$(count_calls claude)" 1
  due_in $((5 * MINUTE_MS))
}

@test "SIGTERM ends claude and schedules the next run" {
  ends_claude TERM
}

@test "SIGINT ends claude and schedules the next run" {
  ends_claude INT
}

@test "SIGHUP ends claude and schedules the next run" {
  ends_claude HUP
}

@test "SIGTERM ends claude with any IFS" {
  split_numbers
  ends_claude TERM
}

# Send the signal to the run $started while it waits for systemctl, and then continue.
signal_late() {
  wait_until test -e "$world/waits"
  kill -TERM "$started"
  lets_go
  end_run
}

@test "a signal without a running claude ends nothing, and the run succeeds" {
  credentials "$OLD_TOKEN" $((2 * HOUR_MS))
  plan systemctl "$(declare -f change_units)" "$WAITS" 'change_units "$@"'
  start_run
  signal_late
  ended 0
  is "$(call_names)" 'systemctl systemd-run'
  due_in $((90 * MINUTE_MS))
}

@test "a signal after claude has exited does not reach claude's children" {
  expired
  plan claude '"$sleep" 300 & printf "%s\n" "$!" >"$world/child"' "renew $NEW_TOKEN $((8 * HOUR_MS))"
  plan systemctl "$(declare -f change_units)" "$WAITS" 'change_units "$@"'
  start_run
  signal_late
  background+=("$(<"$world/child")")
  ended 0
  due_in $((450 * MINUTE_MS))
  run ! gone "$(<"$world/child")"
}

# This early, a signal reaches no group: a timeout that never creates one prolongs the moment.
@test "a signal before claude has a process group ends claude" {
  local signal problem="claude CLI refresh failed (exit 124). User may need to run 'claude login'."
  make_stand_in timeout
  plan timeout 'exec "${@:4}"'
  split_numbers
  for signal in TERM HUP; do
    rm -rf "$project/logs" "${units:?}"/* "$world/waits" "$world/go"
    expired
    plan claude ': >"$world/waits"' 'exec "$sleep" 600'
    start_run
    wait_until test -e "$world/waits"
    kill "-$signal" "$started"
    end_run
    ended 1
    log_has "ERROR: $problem"
    due_in $((5 * MINUTE_MS))
  done
}

@test "a signal just after claude has exited: the run continues and prints nothing" {
  # before the first command after claude and its process group have exited
  printf '%s\n' 'set -T' "trap '[[ \$BASH_COMMAND != *\"_group == 0\"* ]] || kill -TERM \$\$' DEBUG" \
    >>"$world/clock"
  expired
  claude_renews
  refresh
  ended 0
  log_has 'WARN: claude exited 124 after it had renewed the token'
  due_in $((450 * MINUTE_MS))
}

# --- What claude leaves behind at its limit ------------------------------------------------------

# Check a claude that exits with $1, the status of the limit: its process group is ended after five
# checks, one per second, and there is no second try.
has_grace() {
  rm -rf "$project/logs" "${units:?}"/* "$world/slept" && : >"$calls/order"
  expired
  make_stand_in sleep
  # a second is short here, and the eighth check would end the run
  plan sleep '[[ $1 == 1 ]] || exit 0' 'printf "noise\n"; printf "noise\n" >&2; "$sleep" 0.02; printf x >>"$world/slept"' \
    '[[ $(<"$world/slept") != xxxxxxxx ]] || kill -KILL "$PPID"'
  plan claude '(trap "" TERM; exec "$sleep" 300) & printf "%s\n" "$!" >"$world/child"' "exit $1"
  refresh
  background+=("$(<"$world/child")")
  ended 1
  log_has "ERROR: claude CLI refresh failed (exit $1). User may need to run 'claude login'."
  is "$(count_calls claude)" 1
  has_bytes "$world/slept" xxxxx
  called_with sleep 1 1
  has_bytes "$(call sleep).descriptors" ''
  soon gone "$(<"$world/child")"
}

@test "claude's children have 5 s of grace after the limit and are then killed" {
  has_grace 124
  has_grace 137
}

@test "claude's children are killed after the limit with any IFS" {
  split_numbers
  has_grace 124
}

@test "SIGHUP ignored by nohup stays ignored" {
  expired
  plan claude "$WAITS" "renew $NEW_TOKEN $((8 * HOUR_MS))"
  env -i "${environment[@]}" bash -c 'trap "" HUP; exec bash "$0"' "$script" >/dev/null 2>&1 3>&- &
  started=$!
  background+=("$started")
  wait_until test -e "$world/waits"
  kill -HUP "$started"
  lets_go
  wait_until gone "$started"
  log_has 'Claude CLI refreshed token successfully'
}
