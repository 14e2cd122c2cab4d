#!/usr/bin/env bats
# Steps 2 and 3: read the credentials, and accept a fresh token.

# shellcheck disable=SC2016,SC2030,SC2031,SC2119 # see helper.bash
# shellcheck source=../../support/refresh/helper.bash
source "$BATS_TEST_DIRNAME/../../support/refresh/helper.bash"

# Check that the run failed with the message $1, scheduled a retry and kept .env.
refused() {
  ended 1
  log_is "ERROR: $1" "$(retry_line "$1")" \
    'Scheduled next refresh at 2026-01-02T03:09:05+00:00'
  due_in $((5 * MINUTE_MS))
  has_bytes "$dotenv" 'A=1\nCLAUDE_CODE_OAUTH_TOKEN=before\n'
  [[ -e $failing ]]
  is "$(count_calls claude)" 0
}

keep_dotenv() {
  raw_dotenv 'A=1\nCLAUDE_CODE_OAUTH_TOKEN=before\n'
}

@test "a fresh token is copied to .env, and the next run is scheduled 30 min before its expiry" {
  credentials "$OLD_TOKEN" $((2 * HOUR_MS))
  raw_dotenv 'A=1\n'
  refresh
  ended 0
  has_bytes "$dotenv" "A=1\nCLAUDE_CODE_OAUTH_TOKEN=$OLD_TOKEN\n"
  log_is 'Token still fresh (remaining_ms=7200000), syncing to .env' \
    "Updated .env with token (expires_at=$((NOW_MS + 2 * HOUR_MS)))" \
    'Scheduled next refresh at 2026-01-02T04:34:05+00:00'
  due_in $((90 * MINUTE_MS))
  is "$(call_names)" 'systemctl systemd-run'
}

@test "a token that .env already has is not written again" {
  credentials "$OLD_TOKEN" $((2 * HOUR_MS))
  raw_dotenv "CLAUDE_CODE_OAUTH_TOKEN=$OLD_TOKEN\n"
  touch -d '2020-01-01' "$dotenv"
  local before
  before=$(stat -c '%i %Y %a' "$dotenv")
  refresh
  ended 0
  is "$(stat -c '%i %Y %a' "$dotenv")" "$before"
  log_is 'Token still fresh (remaining_ms=7200000), syncing to .env' \
    "$dotenv already has this token (expires_at=$((NOW_MS + 2 * HOUR_MS)))" \
    'Scheduled next refresh at 2026-01-02T04:34:05+00:00'
}

@test "300.001 s of life are fresh, 300 s are not" {
  credentials "$OLD_TOKEN" 300001
  refresh
  ended 0
  log_has 'Token still fresh (remaining_ms=300001), syncing to .env'
  is "$(count_calls claude)" 0

  credentials "$OLD_TOKEN" 300000
  claude_renews
  refresh
  ended 0
  log_has 'Token expired or expiring soon (remaining_ms=300000), invoking claude CLI to refresh'
  is "$(count_calls claude)" 1
}

@test "the credentials are found through CLAUDE_CONFIG_DIR" {
  mkdir "$world/elsewhere"
  credentials "$OLD_TOKEN" $((2 * HOUR_MS))
  mv "$credentials" "$world/elsewhere/"
  environment+=(CLAUDE_CONFIG_DIR="$world/elsewhere")
  refresh
  ended 0
  has_bytes "$dotenv" "CLAUDE_CODE_OAUTH_TOKEN=$OLD_TOKEN\n"
}

@test "the credentials are read with a single jq" {
  record_tool jq
  credentials "$OLD_TOKEN" $((2 * HOUR_MS))
  refresh
  ended 0
  is "$(count_calls jq)" 1
}

@test "credentials missing" {
  keep_dotenv
  refresh
  refused "$credentials not found"
}

@test "credentials that are a directory" {
  keep_dotenv
  mkdir "$credentials"
  refresh
  refused "$credentials is not a file"
}

@test "unreadable credentials" {
  without_override
  keep_dotenv
  credentials "$OLD_TOKEN" $((2 * HOUR_MS))
  chmod 0200 "$credentials"
  refresh
  refused "$credentials is not readable"
}

@test "empty credentials" {
  keep_dotenv
  raw_credentials ''
  refresh
  refused "no claudeAiOauth object in $credentials"
}

@test "truncated credentials" {
  keep_dotenv
  raw_credentials '{"claudeAiOauth":{"accessToken":"cut'
  refresh
  ended 1
  grep -q " ERROR: $credentials is not valid JSON (jq exit [1-9][0-9]*)$" "$log"
  due_in $((5 * MINUTE_MS))
}

@test "credentials that are an array, or whose claudeAiOauth is not an object" {
  local text
  for text in '[]' '"text"' '{}' '{"claudeAiOauth":null}' '{"claudeAiOauth":["a"]}'; do
    keep_dotenv
    raw_credentials "$text"
    rm -rf "$project/logs"
    refresh
    refused "no claudeAiOauth object in $credentials"
  done
}

@test "credentials with two documents" {
  keep_dotenv
  credentials "$OLD_TOKEN" $((2 * HOUR_MS))
  cat "$credentials" "$credentials" >"$credentials.new"
  mv "$credentials.new" "$credentials"
  refresh
  refused "$credentials holds more than one JSON document"
}

@test "no usable access token: missing, null, a number, a list" {
  local token
  for token in '' '"accessToken":null,' '"accessToken":17,' \
    '"accessToken":["a"],'; do
    keep_dotenv
    raw_credentials "{\"claudeAiOauth\":{$token\"expiresAt\":$((NOW_MS + HOUR_MS))}}"
    rm -rf "$project/logs"
    refresh
    refused 'no accessToken in credentials'
  done
}

@test "an access token with an invalid character" {
  local token
  for token in 'a b' 'a|b' 'a&b' 'a\\\\b' 'a\\nb' 'a$(b)' 'a"b' 'ä' '='; do
    keep_dotenv
    raw_credentials "{\"claudeAiOauth\":{\"accessToken\":\"${token/\"/\\\\\"}\",\"expiresAt\":$((NOW_MS + HOUR_MS))}}"
    rm -rf "$project/logs"
    refresh
    refused 'accessToken in credentials has a character that tokens do not contain'
  done
}

@test "an access token with every valid character" {
  local token=AZaz09-._~+/==
  credentials "$token" $((2 * HOUR_MS))
  refresh
  ended 0
  has_bytes "$dotenv" "CLAUDE_CODE_OAUTH_TOKEN=$token\n"
}

@test "an expiry that is not a number forces a renewal and runs nothing" {
  local expiry
  for expiry in "\"BASH_VERSINFO[\$(printf x >$world/ran)]\"" 'null' '"text"' '"0009"' 'true' '1e30' \
    '1000000000000000' '[1]'; do
    raw_credentials "{\"claudeAiOauth\":{\"accessToken\":\"a\",\"expiresAt\":$expiry}}"
    rm -rf "$project/logs"
    claude_renews
    refresh
    ended 0
    log_has 'WARN: no expiresAt in credentials, forcing refresh'
    log_has "Token expired or expiring soon (remaining_ms=-$NOW_MS), invoking claude CLI to refresh"
  done
  raw_credentials '{"claudeAiOauth":{"accessToken":"a"}}'
  rm -rf "$project/logs"
  refresh
  ended 0
  log_has 'WARN: no expiresAt in credentials, forcing refresh'
  [[ ! -e $world/ran ]]
}

@test "an expiry that is a list is not a glob pattern, regardless of the caller's options" {
  raw_credentials '{"claudeAiOauth":{"accessToken":"a","expiresAt":[1]}}'
  claude_renews
  environment+=(BASHOPTS=nullglob)
  refresh
  ended 0
  log_has 'WARN: no expiresAt in credentials, forcing refresh'
  has_bytes "$dotenv" "CLAUDE_CODE_OAUTH_TOKEN=$NEW_TOKEN\n"
}

@test "an expiry before 1970 is valid" {
  raw_credentials '{"claudeAiOauth":{"accessToken":"a","expiresAt":-5}}'
  claude_renews
  refresh
  ended 0
  log_has "Token expired or expiring soon (remaining_ms=-$((NOW_MS + 5))), invoking claude CLI to refresh"
}

@test "an expiry is truncated to an integer" {
  raw_credentials "{\"claudeAiOauth\":{\"accessToken\":\"a\",\"expiresAt\":$((NOW_MS + 2 * HOUR_MS)).75}}"
  refresh
  ended 0
  log_has "Updated .env with token (expires_at=$((NOW_MS + 2 * HOUR_MS)))"
}

@test "no jq" {
  without jq
  keep_dotenv
  credentials "$OLD_TOKEN" $((2 * HOUR_MS))
  refresh
  refused 'jq not found in PATH. It is needed to read the credentials'
}

@test "a jq that cannot run, or is killed" {
  local status_of_jq
  make_stand_in jq
  for status_of_jq in 3 126 137; do
    plan jq "exit $status_of_jq"
    keep_dotenv
    credentials "$OLD_TOKEN" $((2 * HOUR_MS))
    rm -rf "$project/logs"
    refresh
    refused "jq could not run or was killed (exit $status_of_jq)"
  done
}
