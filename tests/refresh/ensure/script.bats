#!/usr/bin/env bats
# --ensure, the check before a container starts, and the number of processes of a run.

# shellcheck disable=SC2016,SC2030,SC2031,SC2119 # see helper.bash
# shellcheck source=../../support/refresh/helper.bash
source "$BATS_TEST_DIRNAME/../../support/refresh/helper.bash"

live() {
  credentials "$OLD_TOKEN" "${1:-301000}"
  raw_dotenv "A=1\nCLAUDE_CODE_OAUTH_TOKEN=$OLD_TOKEN\n"
}

# Count the processes of the next runs. Each bash process records its ID before every command, and
# each program that it starts is a stand-in that does the same. count_processes prints the sum.
watch_processes() {
  local tool
  for tool in "${TOOLS[@]}"; do
    [[ $tool == bash ]] || record_tool "$tool"
  done
  printf '%s\n' 'set -T' "trap 'printf \"%s\\n\" \"\$BASHPID\" >>$(printf %q "$world/shells")' DEBUG" \
    >>"$world/clock"
}

count_processes() {
  sort -u <(cut -d ' ' -f 2 "$calls/order") "$world/shells" | wc -l
}

@test "--ensure with a live token in .env: exit 0, and nothing is written or called" {
  live
  local before
  before=$(find "$project" "$home" -printf '%p %i %m %s %T@ %C@\n')
  refresh --ensure
  ended 0
  is "$(find "$project" "$home" -printf '%p %i %m %s %T@ %C@\n')" "$before"
  is "$(call_names)" ''
}

@test "--ensure does not wait for a running refresh" {
  live
  mkdir "$project/logs"
  make_stand_in flock
  exec 7>"$lock"
  flock 7
  refresh --ensure 7>&-
  exec 7>&-
  ended 0
  is "$(call_names)" ''
}

@test "--ensure with 5 min left or less: the full run" {
  live 300000
  claude_renews
  refresh --ensure
  ended 0
  has_bytes "$dotenv" "A=1\nCLAUDE_CODE_OAUTH_TOKEN=$NEW_TOKEN\n"
  is "$(call_names)" 'claude systemctl systemd-run'
}

@test "--ensure with another token in .env, two of them, or none: the full run" {
  local text
  for text in 'CLAUDE_CODE_OAUTH_TOKEN=before\n' 'CLAUDE_CODE_OAUTH_TOKEN=*\n' 'A=1\n' '' '*\n' \
    "CLAUDE_CODE_OAUTH_TOKEN=$OLD_TOKEN\nCLAUDE_CODE_OAUTH_TOKEN=$OLD_TOKEN\n" \
    "CLAUDE_CODE_OAUTH_TOKEN=${OLD_TOKEN}X\n" " CLAUDE_CODE_OAUTH_TOKEN=$OLD_TOKEN\n"; do
    live $((2 * HOUR_MS))
    raw_dotenv "$text"
    : >"$calls/order"
    refresh --ensure
    ended 0
    is "$(call_names)" 'systemctl systemd-run'
    is "$(grep -c "^CLAUDE_CODE_OAUTH_TOKEN=$OLD_TOKEN$" "$dotenv")" 1
  done
  rm "$dotenv"
  refresh --ensure
  ended 0
  has_bytes "$dotenv" "CLAUDE_CODE_OAUTH_TOKEN=$OLD_TOKEN\n"
}

@test "--ensure with an expiry of several words: the full run, without a message on stderr" {
  raw_credentials '{"claudeAiOauth":{"accessToken":"a","expiresAt":"in a while"}}'
  raw_dotenv 'CLAUDE_CODE_OAUTH_TOKEN=a\n'
  claude_renews
  refresh --ensure
  ended 0
  has_bytes "$dotenv" "CLAUDE_CODE_OAUTH_TOKEN=$NEW_TOKEN\n"
}

@test "--ensure without credentials: the full run, with its ERROR" {
  live
  rm "$credentials"
  refresh --ensure
  ended 1
  log_has "ERROR: $credentials not found"
  due_in $((5 * MINUTE_MS))
}

@test "--ensure takes at most 2 processes" {
  live
  watch_processes
  refresh --ensure
  ended 0
  is "$(call_names)" jq
  is "$(count_processes)" 2
}

@test "a fresh token takes at most 9 processes" {
  live $((2 * HOUR_MS))
  raw_dotenv 'A=1\n'
  mkdir "$project/logs"
  watch_processes
  refresh
  ended 0
  has_bytes "$dotenv" "A=1\nCLAUDE_CODE_OAUTH_TOKEN=$OLD_TOKEN\n"
  (($(count_processes) <= 9)) || fail "it took $(count_processes): $(call_names)"
}

@test "a fresh token that .env already has takes at most 7 processes" {
  live $((2 * HOUR_MS))
  watch_processes
  mkdir "$project/logs"
  refresh
  ended 0
  log_has "$dotenv already has this token (expires_at=$((NOW_MS + 2 * HOUR_MS)))"
  (($(count_processes) <= 7)) || fail "it took $(count_processes): $(call_names)"
}
