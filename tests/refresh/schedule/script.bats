#!/usr/bin/env bats
# Step 6: after every run exactly one timer is pending.

# shellcheck disable=SC2016,SC2030,SC2031,SC2119 # see helper.bash
# shellcheck source=../../support/refresh/helper.bash
source "$BATS_TEST_DIRNAME/../../support/refresh/helper.bash"

# Check that a token with $1 ms left leads to a run in $2 ms, and that the log has the lines $3….
armed() {
  credentials "$OLD_TOKEN" "$1"
  rm -rf "$project/logs"
  refresh
  ended 0
  due_in "$2"
  local line
  for line in "${@:3}"; do
    log_has "$line"
  done
}

@test "30 min before the expiry, at most 24 h from now, never in the past" {
  armed $((8 * HOUR_MS)) $((450 * MINUTE_MS)) 'Scheduled next refresh at 2026-01-02T10:34:05+00:00'
  armed $((24 * HOUR_MS + 30 * MINUTE_MS)) $((24 * HOUR_MS)) \
    'Scheduled next refresh at 2026-01-03T03:04:05+00:00'
  armed $((300 * 24 * HOUR_MS)) $((24 * HOUR_MS)) \
    'Scheduled next refresh at 2026-01-03T03:04:05+00:00'
  armed $((30 * MINUTE_MS + 1)) 1000 'Scheduled next refresh at 2026-01-02T03:04:06+00:00'
  run ! grep -q WARN "$log"
}

@test "a token with at most 30 min left is checked again in 5 min" {
  armed $((30 * MINUTE_MS)) $((5 * MINUTE_MS)) \
    'WARN: token expires in <30 min, scheduling retry in 5 min' \
    'Scheduled next refresh at 2026-01-02T03:09:05+00:00'
  armed $((10 * MINUTE_MS)) $((5 * MINUTE_MS)) \
    'WARN: token expires in <30 min, scheduling retry in 5 min'
}

@test "the next run is due when 5 min are left, even if that is in less than 5 min" {
  armed $((6 * MINUTE_MS)) $((1 * MINUTE_MS)) \
    'WARN: token expires in <30 min, scheduling retry in 5 min'
}

@test "the exact calls to systemctl and systemd-run" {
  credentials "$OLD_TOKEN" $((2 * HOUR_MS))
  refresh
  ended 0
  called_with systemctl 1 --user --no-block stop "$UNIT.timer" "$own_unit.timer" \
    "$own_unit--alt.timer" "$own_unit--alt-alt.timer"
  called_with systemd-run 1 --user --quiet --collect '--description=NanoClaw OAuth token refresh' \
    --timer-property=AccuracySec=1s --property=RuntimeMaxSec=10min \
    --property=Restart=on-abnormal --property=RestartSec=7min --property=IgnoreSIGPIPE=no \
    --property=WorkingDirectory=/ --property=LimitCORE=0 "--setenv=HOME=$home" \
    "--setenv=PATH=$world/bin:$world/tools" \
    "--on-calendar=@$((NOW_S + 90 * 60))" --on-active=25h "--unit=$UNIT" -- "$world/tools/bash" "$script"
}

@test "times in the log are in the caller's time zone" {
  credentials "$OLD_TOKEN" $((2 * HOUR_MS))
  environment+=(TZ=CET-1)
  refresh
  ended 0
  grep -qxF '2026-01-02T04:04:05+01:00 Scheduled next refresh at 2026-01-02T05:34:05+01:00' "$log"
  due_in $((90 * MINUTE_MS))
}

@test "a pending timer is replaced" {
  printf '%s\n' "$((NOW_S + 60))" | tee "$units/$UNIT.timer" >"$units/$own_unit.timer"
  credentials "$OLD_TOKEN" $((2 * HOUR_MS))
  refresh
  ended 0
  due_in $((90 * MINUTE_MS))
  is "$(pending)" "$UNIT.timer"
}

@test "a run inside a timer's service uses the other name, in turn" {
  local name
  credentials "$OLD_TOKEN" $((2 * HOUR_MS))
  for name in "$UNIT" "$own_unit" "$UNIT" "$own_unit"; do
    rm -f "$units"/*
    printf 'running\n' >"$units/$name.service"
    refresh
    ended 0
    due_in $((90 * MINUTE_MS))
    if [[ $name == "$UNIT" ]]; then
      is "$(pending)" "$own_unit.timer"
    else
      is "$(pending)" "$UNIT.timer"
    fi
  done
}

@test "failed units keep their names only until they are reset" {
  printf 'failed\n' | tee "$units/$UNIT.service" "$units/$own_unit.service" \
    >"$units/$own_unit--alt.service"
  credentials "$OLD_TOKEN" $((2 * HOUR_MS))
  refresh
  ended 0
  is "$(pending)" "$UNIT.timer"
  local -r once='systemctl systemd-run'
  is "$(call_names)" "$once $once $once systemctl $once"
  called_with systemctl 4 --user reset-failed "$UNIT.service" "$own_unit.service" \
    "$own_unit--alt.service"
  run ! grep -q 'ERROR' "$log"
}

@test "a systemd-run killed after its work leaves exactly one timer" {
  credentials "$OLD_TOKEN" $((2 * HOUR_MS))
  plan systemd-run "$(declare -f arm_timer)" 'arm_timer "$@"' '[[ $* == *--unit=*-project* ]] || kill -KILL $$'
  refresh
  ended 0
  is "$(pending)" "$own_unit.timer"
}

@test "a third name is used if one unit runs and another lingers or has failed" {
  printf 'running\n' >"$units/$UNIT.service"
  for state in running failed; do
    rm -f "$units/$own_unit--alt.timer"
    printf '%s\n' "$state" >"$units/$own_unit.service"
    credentials "$OLD_TOKEN" $((2 * HOUR_MS))
    refresh
    ended 0
    is "$(pending)" "$own_unit--alt.timer"
  done
}

@test "systemd-run fails: its output and its status in the log, and exit 0" {
  credentials "$OLD_TOKEN" $((2 * HOUR_MS))
  plan systemd-run 'printf "on stdout\n"; refuse 4 "Failed to connect to bus: No medium found"'
  refresh
  ended 0
  log_has 'systemd-run: Failed to connect to bus: No medium found'
  log_has 'systemd-run: on stdout'
  is "$(tail -n 1 "$log" | cut -d ' ' -f 2-)" \
    'ERROR: systemd-run failed (exit 4), next refresh NOT scheduled'
  is "$(count_calls systemd-run)" 6
}

@test "no systemd-run: a WARN, and the exit status of the delivery" {
  without systemd-run
  credentials "$OLD_TOKEN" $((2 * HOUR_MS))
  refresh
  ended 0
  log_has 'WARN: systemd-run not found, next refresh NOT scheduled'
  is "$(call_names)" ''

  rm "$credentials"
  refresh
  ended 1
}

@test "no systemctl: the next run is still scheduled" {
  without systemctl
  credentials "$OLD_TOKEN" $((2 * HOUR_MS))
  refresh
  ended 0
  due_in $((90 * MINUTE_MS))
}

@test "the settings are passed on as absolute paths" {
  credentials "$OLD_TOKEN" $((2 * HOUR_MS))
  mkdir "$world/caller"
  environment+=(CLAUDE_CONFIG_DIR=../home/.claude OAUTHKIT_DOTENV=a/../.env OAUTHKIT_LOG=b.log
    OAUTHKIT_UNIT=my-unit UNRELATED=1)
  cd "$world/caller"
  refresh
  ended 0
  is "$(pending)" my-unit.timer
  is "$(argument_of systemd-run 1 --setenv | grep -v -e =PATH= -e =HOME=)" \
    "--setenv=CLAUDE_CONFIG_DIR=$home/.claude
--setenv=OAUTHKIT_DOTENV=$world/caller/.env
--setenv=OAUTHKIT_LOG=$world/caller/b.log
--setenv=OAUTHKIT_UNIT=my-unit"
  called_with systemctl 1 --user --no-block stop my-unit.timer \
    "my-unit-$escaped_project.timer" "my-unit-$escaped_project--alt.timer" \
    "my-unit-$escaped_project--alt-alt.timer"
}

@test "empty settings are ignored" {
  credentials "$OLD_TOKEN" $((2 * HOUR_MS))
  environment+=(CLAUDE_CONFIG_DIR= OAUTHKIT_DOTENV= OAUTHKIT_LOG= OAUTHKIT_UNIT=)
  refresh
  ended 0
  is "$(pending)" "$UNIT.timer"
  is "$(argument_of systemd-run 1 --setenv | grep -c .)" 2
  [[ -e $dotenv && -e $log ]]
}

@test "XDG_RUNTIME_DIR is kept; the default is an existing /run/user/UID" {
  credentials "$OLD_TOKEN" $((2 * HOUR_MS))
  refresh
  ended 0
  if [[ -d /run/user/$EUID ]]; then
    is "$(variable_of systemd-run 1 XDG_RUNTIME_DIR)" "/run/user/$EUID"
    is "$(variable_of systemctl 1 XDG_RUNTIME_DIR)" "/run/user/$EUID"
  else
    run ! variable_of systemd-run 1 XDG_RUNTIME_DIR
  fi

  environment+=(XDG_RUNTIME_DIR="$world/runtime")
  refresh
  ended 0
  is "$(variable_of systemd-run 2 XDG_RUNTIME_DIR)" "$world/runtime"
}

# Start the script with its own /run, which the sh commands $1 prepare. Set $directory to the user's
# directory in it.
with_run() {
  local as_root=()
  directory=/run/user/$EUID
  if ((EUID != 0)); then
    as_root=(--user --map-root-user)
    directory=/run/user/0
  fi
  prefix=(unshare "${as_root[@]}" --mount -- sh -c
    "mount -t tmpfs tmpfs /run && mkdir /run/user && $1 && exec \"\$@\"" "$directory")
  "${prefix[@]}" true || gap 'no mount namespaces here'
}

# Check that systemctl and systemd-run both got $1 as XDG_RUNTIME_DIR.
runtime_was() {
  is "$(variable_of systemctl 1 XDG_RUNTIME_DIR)" "$1"
  is "$(variable_of systemd-run 1 XDG_RUNTIME_DIR)" "$1"
}

@test "without XDG_RUNTIME_DIR, /run/user/UID is used if it is a directory" {
  local directory setting
  split_numbers # an unquoted UID would be split
  credentials "$OLD_TOKEN" $((2 * HOUR_MS))
  with_run 'mkdir "$0"'
  for setting in A=1 XDG_RUNTIME_DIR=; do
    : >"$calls/order"
    environment+=("$setting")
    refresh
    ended 0
    runtime_was "$directory"
  done
  environment+=(XDG_RUNTIME_DIR="$world/runtime")
  : >"$calls/order"
  refresh
  ended 0
  runtime_was "$world/runtime"
}

@test "a caller's UID does not lead to another user's directory" {
  local directory
  record_tool id
  credentials "$OLD_TOKEN" $((2 * HOUR_MS))
  with_run 'mkdir "$0" /run/user/4711'
  environment+=(UID=4711)
  refresh
  ended 0
  runtime_was "$directory"
  has_bytes "$(call id).descriptors" ''
  without id # then bash's UID is used
  : >"$calls/order"
  refresh
  ended 0
  runtime_was /run/user/4711
}

@test "a /run/user/UID that is missing, or not a directory, is not used" {
  local directory thing
  credentials "$OLD_TOKEN" $((2 * HOUR_MS))
  for thing in : ': >"$0"'; do
    with_run "$thing"
    : >"$calls/order"
    refresh
    ended 0
    run ! variable_of systemctl 1 XDG_RUNTIME_DIR
    run ! variable_of systemd-run 1 XDG_RUNTIME_DIR
  done
}

@test "the first failed run creates a mark, and the next successful one removes it" {
  refresh
  ended 1
  [[ -e $failing ]]
  is "$(stat -c %a "$failing")" 600
  refresh
  ended 1
  [[ -e $failing ]]
  credentials "$OLD_TOKEN" $((2 * HOUR_MS))
  refresh
  ended 0
  [[ ! -e $failing ]]
}

@test "a name that another project uses is not touched, whatever bytes this project's path has" {
  make_world "$BATS_TEST_TMPDIR/world 2" "$BATS_TEST_TMPDIR/world 2/"$'p-\xff\n"$é'
  credentials "$OLD_TOKEN" $((2 * HOUR_MS))
  mkdir -p "$world/run/systemd/transient"
  printf '[Service]\nExecStart="/bin/bash" "/srv/other/scripts/oauth/refresh.sh"\n' \
    >"$world/run/systemd/transient/$UNIT.service"
  environment+=(XDG_RUNTIME_DIR="$world/run")
  printf '%s\n' "$((NOW_S + 60))" >"$units/$UNIT.timer"
  refresh
  is "$status" 0
  [[ -e $units/$UNIT.timer ]] || fail "stopped $UNIT.timer"
  local -r own="$UNIT-$(systemd-escape --path "$project").timer"
  [[ -e $units/$own ]] || fail "no $own in $(ls "$units")"
}
