#!/usr/bin/env bats
# No value is split into words, even with an IFS that would split it unquoted.

# shellcheck disable=SC2016,SC2030,SC2031,SC2119 # see helper.bash
# shellcheck source=../../support/refresh/helper.bash
source "$BATS_TEST_DIRNAME/../../support/refresh/helper.bash"

# --- At digits -----------------------------------------------------------------------------------

@test "split at digits: a fresh token is delivered" {
  split_numbers
  credentials "$OLD_TOKEN" $((2 * HOUR_MS))
  refresh
  ended 0
  has_bytes "$dotenv" "CLAUDE_CODE_OAUTH_TOKEN=$OLD_TOKEN\n"
  log_is 'Token still fresh (remaining_ms=7200000), syncing to .env' \
    "Updated .env with token (expires_at=$((NOW_MS + 2 * HOUR_MS)))" \
    'Scheduled next refresh at 2026-01-02T04:34:05+00:00'
  due_in $((90 * MINUTE_MS))
}

@test "split at digits: a token with 6 min left is checked again in 5 min" {
  split_numbers
  credentials "$OLD_TOKEN" $((6 * MINUTE_MS))
  refresh
  ended 0
  log_has 'WARN: token expires in <30 min, scheduling retry in 5 min'
}

@test "split at digits: --ensure with 2 min left is a full run" {
  split_numbers
  credentials "$OLD_TOKEN" $((2 * MINUTE_MS))
  printf 'CLAUDE_CODE_OAUTH_TOKEN=%s\n' "$OLD_TOKEN" >"$dotenv"
  claude_renews
  refresh --ensure
  ended 0
  has_bytes "$dotenv" "CLAUDE_CODE_OAUTH_TOKEN=$NEW_TOKEN\n"
}

@test "split at digits: the first token runs the hook" {
  split_numbers
  credentials "$OLD_TOKEN" $((2 * HOUR_MS))
  mkdir -p "$project/scripts/oauth/hooks"
  printf '%s\n' '#!/bin/sh' 'printf "%s\n" "$OAUTHKIT_EVENT" >>events' >"$project/scripts/oauth/hooks/renewed"
  sed -i "s|>>events|>>'$world/events'|" "$project/scripts/oauth/hooks/renewed"
  chmod 0755 "$project/scripts/oauth/hooks/renewed"
  refresh
  ended 0
  has_bytes "$world/events" 'renewed\n'
  log_has "Hook 'renewed' succeeded"
}

@test "split at digits: a dangling link" {
  split_numbers
  credentials "$OLD_TOKEN" $((2 * HOUR_MS))
  ln -s "$world/nowhere/at/all" "$dotenv"
  refresh
  ended 1
  [[ $stderr == *" ERROR: $dotenv is a symbolic link that leads nowhere" ]]
  is "${stderr//[!$'\n']/}" ''
  log_has "ERROR: $dotenv is a symbolic link that leads nowhere"
}

@test "split at the characters of a token: it is delivered, and --ensure knows it" {
  printf 'IFS=%s\n' 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_' >>"$world/clock"
  credentials "$OLD_TOKEN" $((2 * HOUR_MS))
  refresh
  ended 0
  has_bytes "$dotenv" "CLAUDE_CODE_OAUTH_TOKEN=$OLD_TOKEN\n"
  : >"$calls/order"
  refresh --ensure
  ended 0
  is "$(call_names)" ''
}

@test "split at digits: claude renews at once" {
  split_numbers
  credentials "$OLD_TOKEN" -$HOUR_MS
  claude_renews
  refresh
  ended 0
  has_bytes "$dotenv" "CLAUDE_CODE_OAUTH_TOKEN=$NEW_TOKEN\n"
  due_in $((450 * MINUTE_MS))
}

@test "split at digits: an old claude renews at the second try" {
  split_numbers
  credentials "$OLD_TOKEN" -$HOUR_MS
  plan claude '(($# == 2)) || refuse 1 "error: unknown option"' '"$sleep" 0.1' \
    "renew $NEW_TOKEN $((8 * HOUR_MS))"
  refresh
  ended 0
  has_bytes "$dotenv" "CLAUDE_CODE_OAUTH_TOKEN=$NEW_TOKEN\n"
  log_is 'Token expired or expiring soon (remaining_ms=-3600000), invoking claude CLI to refresh' \
    'claude: error: unknown option' 'Claude CLI refreshed token successfully' \
    "Updated .env with token (expires_at=$((NOW_MS + 8 * HOUR_MS)))" \
    'Scheduled next refresh at 2026-01-02T10:34:05+00:00'
}

@test "split at digits: a renewal for 5 min or less fails" {
  local tries
  split_numbers
  for tries in 1 2; do
    credentials "$OLD_TOKEN" -$HOUR_MS
    : >"$calls/order"
    plan claude "(($tries == 1 || \$# == 2)) || exit 1" "renew $NEW_TOKEN $((5 * MINUTE_MS))"
    refresh
    ended 1
    log_has 'ERROR: claude exited 0 and renewed nothing. Is its token endpoint down?'
    is "$(count_calls claude)" "$tries"
  done
}

# --- At blanks -----------------------------------------------------------------------------------

@test "an old claude in a directory with blanks renews at the second try" {
  credentials "$OLD_TOKEN" -$HOUR_MS
  plan claude '(($# == 2)) || refuse 1 "error: unknown option"' "renew $NEW_TOKEN $((8 * HOUR_MS))"
  mkdir "$world/my own programs"
  mv "$world/bin/claude" "$world/my own programs/claude"
  environment+=(PATH="$world/my own programs:$world/bin:$world/tools")
  refresh
  ended 0
  has_bytes "$dotenv" "CLAUDE_CODE_OAUTH_TOKEN=$NEW_TOKEN\n"
}

@test "claude renews to an expiry of two words: no renewal, and nothing on stderr" {
  local tries
  for tries in 1 2; do
    credentials "$OLD_TOKEN" -$HOUR_MS
    : >"$calls/order"
    plan claude "(($tries == 1 || \$# == 2)) || exit 1" \
      "printf '{\"claudeAiOauth\":{\"accessToken\":\"$NEW_TOKEN\",\"expiresAt\":\"much later\"}}\n' >\"\$credentials\""
    refresh
    ended 1
    log_has 'ERROR: claude exited 0 and renewed nothing. Is its token endpoint down?'
    is "$(count_calls claude)" "$tries"
  done
}

@test "the mark of a failed run is removed in a directory with blanks, too" {
  make_world "$BATS_TEST_TMPDIR/other world"
  refresh
  ended 1
  [[ -e $failing ]]
  credentials "$OLD_TOKEN" $((2 * HOUR_MS))
  refresh
  ended 0
  [[ ! -e $failing ]]
}
