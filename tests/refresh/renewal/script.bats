#!/usr/bin/env bats
# Step 4: claude renews the access token, and the credentials show whether it did.

# shellcheck disable=SC2016,SC2030,SC2031,SC2119 # see helper.bash
# shellcheck source=../../support/refresh/helper.bash
source "$BATS_TEST_DIRNAME/../../support/refresh/helper.bash"

readonly STARTS='Token expired or expiring soon (remaining_ms=-3600000), invoking claude CLI to refresh'

expired() {
  credentials "$OLD_TOKEN" -$HOUR_MS
  raw_dotenv 'CLAUDE_CODE_OAUTH_TOKEN=before\n'
}

# Check that the run failed with the message $1 after the lines $2…, and kept .env.
not_renewed() {
  ended 1
  log_is "$STARTS" "${@:2}" "ERROR: $1" "$(retry_line "$1")" \
    'Scheduled next refresh at 2026-01-02T03:09:05+00:00'
  due_in $((5 * MINUTE_MS))
  has_bytes "$dotenv" 'CLAUDE_CODE_OAUTH_TOKEN=before\n'
  [[ -e $failing ]]
}

@test "an expired token is renewed and delivered" {
  expired
  claude_renews
  refresh
  ended 0
  has_bytes "$dotenv" "CLAUDE_CODE_OAUTH_TOKEN=$NEW_TOKEN\n"
  log_is "$STARTS" 'Claude CLI refreshed token successfully' \
    "Updated .env with token (expires_at=$((NOW_MS + 8 * HOUR_MS)))" \
    'Scheduled next refresh at 2026-01-02T10:34:05+00:00'
  is "$(call_names)" 'claude systemctl systemd-run'
  called_with claude 1 -p ok --no-session-persistence
}

@test "claude and other programs run in / with an empty stdin and without descriptors" {
  local program
  expired
  claude_renews
  printf 'typed by someone\n' >"$world/typed"
  refresh <"$world/typed"
  ended 0
  for program in claude systemctl systemd-run; do
    is "$(cat "$(call "$program").directory")" /
    has_bytes "$(call "$program").descriptors" ''
  done
}

@test "claude has the caller's signal dispositions, even through timeout(1)" {
  expired
  printf '%s\n' '#!/bin/bash' 'shift 3' 'exec "$@"' >"$world/plain"
  chmod 0755 "$world/plain"
  ln -sf "$world/plain" "$world/tools/timeout"
  plan claude "$(printf '/usr/bin/grep SigIgn /proc/self/status >%q' "$world/signals")"
  prefix=(env '--default-signal=INT,QUIT') # in case these are ignored here
  refresh
  is "$(<"$world/signals")" "$("${prefix[@]}" grep SigIgn /proc/self/status)"
}

@test "variables that shadow the credentials do not reach claude" {
  local name
  expired
  claude_renews
  environment+=(CLAUDE_CODE_OAUTH_TOKEN=stale ANTHROPIC_API_KEY=key ANTHROPIC_AUTH_TOKEN=other
    CLAUDE_CODE_SIMPLE=1 CLAUDECODE=1 HTTPS_PROXY=http://127.0.0.1:9)
  refresh
  ended 0
  for name in CLAUDE_CODE_OAUTH_TOKEN ANTHROPIC_API_KEY ANTHROPIC_AUTH_TOKEN CLAUDE_CODE_SIMPLE \
    CLAUDECODE; do
    run ! variable_of claude 1 "$name"
  done
  is "$(variable_of claude 1 HTTPS_PROXY)" http://127.0.0.1:9
  is "$(variable_of claude 1 HOME)" "$home"
}

@test "claude is given 55 s, and 5 s after SIGTERM" {
  expired
  claude_renews
  record_tool timeout
  refresh
  ended 0
  called_with timeout 1 -k 5 55 "$world/bin/claude" -p ok --no-session-persistence
}

@test "claude is searched in PATH, then ~/.claude/local, then ~/.local/bin" {
  mkdir -p "$home/.claude/local" "$home/.local/bin"
  cp "$world/bin/claude" "$home/.claude/local/claude"
  cp "$world/bin/claude" "$home/.local/bin/claude"
  record_tool timeout
  claude_renews
  local expected
  for expected in "$world/bin/claude" "$home/.claude/local/claude" "$home/.local/bin/claude"; do
    expired
    : >"$calls/order"
    refresh
    ended 0
    is "$(argument_of timeout 1 /)" "$expected"
    rm "$expected"
  done
}

@test "a claude in PATH that is not executable is skipped" {
  expired
  claude_renews
  mkdir -p "$world/first/claude" "$world/second"
  : >"$world/second/claude"
  environment+=(PATH="$world/first:$world/second:$world/bin:$world/tools")
  refresh
  ended 0
  has_bytes "$dotenv" "CLAUDE_CODE_OAUTH_TOKEN=$NEW_TOKEN\n"
}

@test "a claude in ~/.claude/local that is not a program is skipped, too" {
  expired
  claude_renews
  mkdir -p "$home/.claude/local/claude" "$home/.local/bin"
  mv "$world/bin/claude" "$home/.local/bin/claude"
  refresh
  ended 0
  has_bytes "$dotenv" "CLAUDE_CODE_OAUTH_TOKEN=$NEW_TOKEN\n"

  rmdir "$home/.claude/local/claude"
  : >"$home/.claude/local/claude"
  expired
  refresh
  ended 0
  is "$(count_calls claude)" 2
}

@test "the first claude in PATH is called" {
  expired
  claude_renews
  mkdir "$world/first"
  cp "$world/bin/claude" "$world/first/claude"
  environment+=(PATH="$world/first:$world/bin:$world/tools")
  record_tool timeout
  refresh
  ended 0
  is "$(argument_of timeout 1 /)" "$world/first/claude"
}

@test "a claude below HOME is called by its plain path, though PATH has the root directory, too" {
  expired
  claude_renews
  mkdir -p "$home/.claude/local"
  mv "$world/bin/claude" "$home/.claude/local/claude"
  environment+=(PATH="$world/bin:$world/tools:")
  record_tool timeout
  refresh
  ended 0
  is "$(argument_of timeout 1 '.*/claude')" "$home/.claude/local/claude"
}

@test "no claude" {
  without claude
  expired
  refresh
  not_renewed 'claude binary not found in PATH or common locations'
}

@test "claude exits 0 and renews nothing" {
  expired
  plan claude 'printf "all is well\n"'
  refresh
  not_renewed 'claude exited 0 and renewed nothing. Is its token endpoint down?' \
    'claude: all is well'
  is "$(count_calls claude)" 1
}

@test "claude renews a token to 5 min or less" {
  expired
  claude_renews "$NEW_TOKEN" 300000
  refresh
  not_renewed 'claude exited 0 and renewed nothing. Is its token endpoint down?'
}

@test "claude fails, and fails again without the flag: an ERROR with its status" {
  expired
  plan claude 'printf "reason on stdout\n"; refuse 3 "reason on stderr"'
  refresh
  ended 1
  log_has "ERROR: claude CLI refresh failed (exit 3). User may need to run 'claude login'."
  log_has 'claude: reason on stdout'
  log_has 'claude: reason on stderr'
  is "$(count_calls claude)" 2
  called_with claude 1 -p ok --no-session-persistence
  called_with claude 2 -p ok
  has_bytes "$dotenv" 'CLAUDE_CODE_OAUTH_TOKEN=before\n'
}

@test "the output of each try is logged once" {
  expired
  plan claude 'printf "try %s\n" "$#"; exit 1'
  refresh
  ended 1
  is "$(grep -c ' claude: try 3$' "$log")" 1
  is "$(grep -c ' claude: try 2$' "$log")" 1
}

@test "an old claude that does not know the flag renews at the second try" {
  expired
  plan claude '(($# == 2)) || refuse 1 "error: unknown option"' "renew $NEW_TOKEN $((8 * HOUR_MS))"
  refresh
  ended 0
  log_is "$STARTS" 'claude: error: unknown option' 'Claude CLI refreshed token successfully' \
    "Updated .env with token (expires_at=$((NOW_MS + 8 * HOUR_MS)))" \
    'Scheduled next refresh at 2026-01-02T10:34:05+00:00'
}

@test "the result of the second try counts, not that of the first" {
  expired
  plan claude 'if (($# > 2)); then renew "" 0; exit 1; fi' "renew $NEW_TOKEN $((8 * HOUR_MS))"
  refresh
  ended 0
  log_is "$STARTS" 'Claude CLI refreshed token successfully' \
    "Updated .env with token (expires_at=$((NOW_MS + 8 * HOUR_MS)))" \
    'Scheduled next refresh at 2026-01-02T10:34:05+00:00'
}

@test "timeout(1) is missing at the second try: the ERROR has status 127" {
  expired
  plan claude '"$rm" "$world/tools/timeout"' 'exit 1'
  refresh
  not_renewed "claude CLI refresh failed (exit 127). User may need to run 'claude login'."
  is "$(count_calls claude)" 1
}

@test "claude renews and exits 1: the file counts, and there is no second try" {
  expired
  plan claude "renew $NEW_TOKEN $((8 * HOUR_MS)); refuse 1 'API Error: 429'"
  refresh
  ended 0
  has_bytes "$dotenv" "CLAUDE_CODE_OAUTH_TOKEN=$NEW_TOKEN\n"
  log_is "$STARTS" 'claude: API Error: 429' 'Claude CLI refreshed token successfully' \
    'WARN: claude exited 1 after it had renewed the token' \
    "Updated .env with token (expires_at=$((NOW_MS + 8 * HOUR_MS)))" \
    'Scheduled next refresh at 2026-01-02T10:34:05+00:00'
  is "$(count_calls claude)" 1
}

@test "a rejected login: the token is missing after the renewal" {
  expired
  plan claude "renew '' 0; printf 'Login expired\n'; exit 1"
  refresh
  ended 1
  log_has "ERROR: no accessToken after CLI refresh. The login has ended: run 'claude auth login'"
  has_bytes "$dotenv" 'CLAUDE_CODE_OAUTH_TOKEN=before\n'
}

@test "the credentials are missing after the renewal" {
  expired
  plan claude '"$rm" "$credentials"'
  refresh
  not_renewed 'no accessToken after CLI refresh' "WARN: $credentials not found"
}

@test "the last lines of the last try are also on stderr" {
  expired
  plan claude 'printf "try $#: %s\n" 1 2 3 4 5 6; exit 1'
  refresh
  is "$stderr" "$(sed -n '/ claude: try 2: [2-6]$/p; / ERROR: /p' "$log")"
  is "$(wc -l <<<"$stderr")" 6
}

@test "at most 20 lines of what claude said are logged" {
  expired
  plan claude 'for i in {1..30}; do printf "line %s\n" "$i"; done'
  refresh
  ended 1
  log_has 'claude: line 20'
  is "$(grep -c ' claude: ' "$log")" 20
}

@test "at most 8 KiB of what claude said are logged" {
  expired
  plan claude 'printf -v long "%200000s" ""; printf "%s\n" "${long// /x }"; exit 1'
  refresh
  ended 1
  is "$(sed -n 's/^[^ ]* claude: //p' "$log" | wc -c)" 16386
}

@test "a token in claude's output is masked, and control characters are not logged" {
  expired
  plan claude "printf 'a $OLD_TOKEN b sk-ant-ort01-x_Y-9.sk-ant-\n\033[31mred\r\n\n  sk-ant-api03-z\n'"
  refresh
  ended 1
  log_has 'claude: a sk-ant-*** b sk-ant-***'
  log_has 'claude: ?[31mred?'
  log_has 'claude:   sk-ant-***'
}

@test "a token of another form is masked with any IFS" {
  split_numbers
  credentials gateway0token1made2up3 -$HOUR_MS
  plan claude 'printf "a gateway0token1made2up3 b\n"'
  refresh
  ended 1
  log_has 'claude: a *** b'
}

# Shorten the limits: half a second each for timeout, and 0.2 s of the grace period after it.
quick_limits() {
  make_stand_in timeout
  plan timeout "exec $(type -P timeout) -k 0.5 0.5 \"\${@:4}\""
  make_stand_in sleep
  plan sleep "exec $(type -P sleep) 0.4"
}

@test "a hanging claude and its children are ended" {
  expired
  quick_limits
  plan claude 'trap "" TERM' '"$sleep" 300 & printf "%s\n" "$!" >"$world/child"' \
    'printf "%s\n" "$$" >"$world/parent"' 'while :; do "$sleep" 0.1; done'
  refresh
  ended 1
  log_has "ERROR: claude CLI refresh failed (exit 137). User may need to run 'claude login'."
  is "$(count_calls claude)" 1
  wait_until gone "$(<"$world/parent")"
  wait_until gone "$(<"$world/child")"
}

@test "claude exits at the limit: its children have the grace period and are then ended, too" {
  expired
  quick_limits
  plan claude '(trap "" TERM; exec "$sleep" 300) & printf "%s\n" "$!" >"$world/child"' \
    '(trap "\"\$sleep\" 0.2; printf x >\"\$world/grace\"; exit" TERM; while :; do "$sleep" 0.05; done) &' \
    'exec "$sleep" 300'
  refresh
  ended 1
  log_has "ERROR: claude CLI refresh failed (exit 124). User may need to run 'claude login'."
  has_bytes "$world/grace" x
  wait_until gone "$(<"$world/child")"
}

@test "the limit is reached after the renewal: the token is delivered" {
  expired
  quick_limits
  plan claude "renew $NEW_TOKEN $((8 * HOUR_MS))" 'exec "$sleep" 300'
  refresh
  ended 0
  has_bytes "$dotenv" "CLAUDE_CODE_OAUTH_TOKEN=$NEW_TOKEN\n"
  log_has 'WARN: claude exited 124 after it had renewed the token'
}

@test "a process that claude leaves behind delays nothing and holds nothing" {
  expired
  plan claude '"$sleep" 300 & printf "%s\n" "$!" >"$world/child"' "renew $NEW_TOKEN $((8 * HOUR_MS))"
  refresh
  background+=("$(<"$world/child")")
  ended 0
  kill -0 "$(<"$world/child")"
  flock --nonblock "$lock" true
}

@test "a claude that fails is started three times in 5 min" {
  local -i number
  expired
  for number in 1 2 3; do
    plan claude 'printf ok'
    refresh
    ended 1
    is "$(count_calls claude)" "$number"
  done
  is "$(<"${credentials%/*}/.oauthkit-failures")" "3 $NOW_MS"
  refresh
  ended 1
  log_has 'ERROR: claude has failed to renew the token 3 times. Next try: 2026-01-02T03:09:05+00:00'
  is "$(count_calls claude)" 3
}

@test "the access token is in no argument of any program" {
  local tool
  for tool in cp flock jq mkdir mv readlink stat sync timeout; do
    record_tool "$tool"
  done
  expired
  mv "$dotenv" "$world/real"
  chmod 0640 "$world/real" # or cp is not needed
  ln -s "$world/real" "$dotenv"
  plan claude '(($# == 2)) || refuse 1 "unknown option"' "renew $NEW_TOKEN $((8 * HOUR_MS))"
  refresh
  ended 0
  for tool in cp flock jq mkdir mv readlink stat sync timeout; do
    was_called "$tool" || fail "$tool was not called, so nothing is known of it"
  done
  # teardown checks the recorded calls
}
