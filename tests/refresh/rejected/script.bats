#!/usr/bin/env bats
# --rejected: the API has rejected a token that looks fresh.

# shellcheck disable=SC2016,SC2030,SC2031,SC2119 # see helper.bash
# shellcheck source=../../support/refresh/helper.bash
source "$BATS_TEST_DIRNAME/../../support/refresh/helper.bash"

@test "a live token that the API rejects is renewed, at most once in 5 min" {
  credentials "$OLD_TOKEN" $((2 * HOUR_MS))
  raw_dotenv "CLAUDE_CODE_OAUTH_TOKEN=$OLD_TOKEN\n"
  plan claude 'printf ok'
  refresh --rejected
  ended 1
  log_has 'ERROR: the API refuses the token, and claude did not renew it (exit 0)'
  is "$(<"${credentials%/*}/.oauthkit-rejected")" "$((NOW_MS + 2 * HOUR_MS)) $NOW_MS"
  claude_renews
  refresh --rejected
  ended 1
  is "$(count_calls claude)" 1
  rm "${credentials%/*}/.oauthkit-rejected"
  refresh --rejected
  ended 0
  has_bytes "$dotenv" "CLAUDE_CODE_OAUTH_TOKEN=$NEW_TOKEN\n"
}

@test "another live token in the credentials is delivered without claude" {
  credentials "$OLD_TOKEN" $((2 * HOUR_MS))
  raw_dotenv "CLAUDE_CODE_OAUTH_TOKEN=older\n"
  refresh --rejected
  ended 0
  run ! was_called claude
  has_bytes "$dotenv" "CLAUDE_CODE_OAUTH_TOKEN=$OLD_TOKEN\n"
}
