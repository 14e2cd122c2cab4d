#!/usr/bin/env bats
# Hooks: they get the result of a run after the next one is scheduled, and cannot delay it.

# shellcheck disable=SC2016,SC2030,SC2031,SC2119 # see helper.bash
# shellcheck source=../../support/refresh/helper.bash
source "$BATS_TEST_DIRNAME/../../support/refresh/helper.bash"

# Create the hook $1, which records its call and then does the planned actions.
make_hook() {
  make_stand_in "$1"
  plan "$1" true
  mkdir -p "$project/scripts/oauth/hooks"
  mv "$world/bin/$1" "$project/scripts/oauth/hooks/$1"
}

make_hooks() {
  make_hook renewed
  make_hook failed
  make_hook recovered
  raw_dotenv "CLAUDE_CODE_OAUTH_TOKEN=$OLD_TOKEN\n"
}

@test "a new token in .env runs a hook, after the next run is scheduled" {
  make_hooks
  credentials "$NEW_TOKEN" "$((8 * HOUR_MS))"
  refresh
  ended 0
  is "$(call_names)" 'systemctl systemd-run renewed'
  is "$(variable_of renewed 1 OAUTHKIT_EVENT)" renewed
  is "$(variable_of renewed 1 OAUTHKIT_REASON)" ''
  is "$(variable_of renewed 1 OAUTHKIT_EXPIRES_AT)" "$((NOW_MS + 8 * HOUR_MS))"
  is "$(variable_of renewed 1 OAUTHKIT_DOTENV)" "$dotenv"
  is "$(cat "$(call renewed).directory")" /
  is "$(cat "$(call renewed).descriptors")" ''
  log_has "Hook 'renewed' succeeded"
}

@test "the same token, and --ensure with it, run no hook" {
  make_hooks
  credentials "$OLD_TOKEN" "$((8 * HOUR_MS))"
  refresh
  ended 0
  refresh --ensure
  ended 0
  is "$(call_names)" 'systemctl systemd-run'
  cat "$dotenv" "$dotenv" >"$world/twice" # the same token twice is not a new one
  mv "$world/twice" "$dotenv"
  refresh
  ended 0
  is "$(call_names)" 'systemctl systemd-run systemctl systemd-run'
  is "$(grep -c . "$dotenv")" 1
}

@test "failed and recovered run their hooks once" {
  make_hooks
  raw_credentials '{"claudeAiOauth":{}}'
  refresh
  ended 1
  refresh
  ended 1
  is "$(count_calls failed)" 1
  is "$(variable_of failed 1 OAUTHKIT_REASON)" 'no accessToken in credentials'
  is "$(variable_of failed 1 OAUTHKIT_EXPIRES_AT)" ''
  credentials "$OLD_TOKEN" "$((8 * HOUR_MS))"
  refresh
  ended 0
  refresh
  ended 0
  is "$(count_calls recovered)" 1
  is "$(count_calls renewed)" 0
}

@test "no token of the caller reaches a hook" {
  make_hooks
  credentials "$NEW_TOKEN" "$((8 * HOUR_MS))"
  environment+=(CLAUDE_CODE_OAUTH_TOKEN="$OLD_TOKEN" ANTHROPIC_AUTH_TOKEN="$OLD_TOKEN" OTHER=kept)
  refresh
  ended 0
  run ! variable_of renewed 1 CLAUDE_CODE_OAUTH_TOKEN
  run ! variable_of renewed 1 ANTHROPIC_AUTH_TOKEN
  is "$(variable_of renewed 1 OTHER)" kept
}

@test "a failed hook changes nothing, and its output is logged and masked" {
  make_hooks
  credentials "$NEW_TOKEN" "$((8 * HOUR_MS))"
  plan renewed "printf 'about %s\n' $NEW_TOKEN" 'refuse 3 "not so"'
  refresh
  ended 0
  log_has "WARN: hook 'renewed' failed (exit 3)"
  log_has "hook 'renewed': about sk-ant-***"
  log_has "hook 'renewed': not so"
  due_in "$((7 * HOUR_MS + 30 * MINUTE_MS))"
}

@test "a hanging hook and its children are ended" {
  make_hooks
  credentials "$NEW_TOKEN" "$((8 * HOUR_MS))"
  make_stand_in timeout
  plan timeout "exec $(type -P timeout) -k 1 0.5 \"\${@:4}\""
  plan renewed "\"\$sleep\" 600 & printf '%s\n' \$! >\"\$world/child\"; wait"
  refresh
  ended 0
  log_has "WARN: hook 'renewed' was ended after 30 s, or by a signal (exit 124)"
  wait_until gone "$(cat "$world/child")"
  called_with timeout 1 -k 5 30 "$project/scripts/oauth/hooks/renewed"
}

@test "SIGTERM ends a hook, and the run continues to its end" {
  make_hooks
  credentials "$NEW_TOKEN" "$((8 * HOUR_MS))"
  plan renewed ': >"$world/is-running"; exec "$sleep" 600'
  refresh_in_background
  wait_until test -e "$world/is-running"
  kill -TERM "$started"
  wait_until gone "$started"
  log_has "WARN: hook 'renewed' was ended after 30 s, or by a signal (exit 124)"
  due_in "$((7 * HOUR_MS + 30 * MINUTE_MS))"
}

@test "only a program is a hook" {
  make_hooks
  credentials "$NEW_TOKEN" "$((8 * HOUR_MS))"
  chmod 0644 "$project/scripts/oauth/hooks/renewed"
  refresh
  ended 0
  rm "$project/scripts/oauth/hooks/renewed"
  mkdir "$project/scripts/oauth/hooks/renewed"
  raw_dotenv ''
  refresh
  ended 0
  rm -r "$project/scripts/oauth/hooks"
  printf '#!/bin/sh\n' >"$project/scripts/oauth/hooks"
  chmod 0755 "$project/scripts/oauth/hooks"
  refresh # has nothing to report
  ended 0
  is "$(call_names)" 'systemctl systemd-run systemctl systemd-run systemctl systemd-run'
  if grep -i hook "$log"; then
    fail 'the log speaks of a hook'
  fi
}

# Credentials with a fresh token, and a login that ends in $1 ms.
login_ends_in() {
  printf '{"claudeAiOauth":{"accessToken":"%s","expiresAt":%s,"refreshTokenExpiresAt":%s}}' \
    "$OLD_TOKEN" "$((NOW_MS + 8 * HOUR_MS))" "$((NOW_MS + $1))" >"$credentials"
}

@test "the end of the login is announced once at 3 days and once at 1 day" {
  local left_ms count
  while read -r left_ms count; do
    login_ends_in "$left_ms"
    refresh
    ended 0
    is "$(grep -c 'WARN: the login ends at' "$log" || :)" "$count"
  done <<END
$((4 * 24 * HOUR_MS)) 0
$((2 * 24 * HOUR_MS)) 1
$((2 * 24 * HOUR_MS)) 1
$((24 * HOUR_MS)) 2
END
}
