#!/usr/bin/env bats
# The bearer file: the login without its refresh token.

# shellcheck disable=SC2016,SC2030,SC2031,SC2119 # see helper.bash
# shellcheck source=../../support/refresh/helper.bash
source "$BATS_TEST_DIRNAME/../../support/refresh/helper.bash"

bearer_is() {
  bearer=$project/bearer/.credentials.json
  mkdir "${bearer%/*}"
  environment+=("OAUTHKIT_BEARER=$bearer")
  printf '{"claudeAiOauth":{"accessToken":"%s","expiresAt":%s,"refreshToken":"made-up-refresh",
    "scopes":["a","b"],"subscriptionType":"max"}}' "$OLD_TOKEN" "$((NOW_MS + 8 * HOUR_MS))" \
    >"$credentials"
  wanted='{"claudeAiOauth":{"accessToken":"%s","expiresAt":%s,"scopes":["a","b"],'
  # shellcheck disable=SC2059 # the format is above
  printf -v wanted "$wanted"'"subscriptionType":"max"}}' "$OLD_TOKEN" "$((NOW_MS + 8 * HOUR_MS))"
}

@test "a new bearer file has no refresh token, and only its owner can read it" {
  bearer_is
  refresh
  ended 0
  is "$(<"$bearer")" "$wanted"
  is "$(stat -c %a "$bearer")" 600
  log_has "Updated $bearer with token (expires_at=$((NOW_MS + 8 * HOUR_MS)))"
  is "$(variable_of systemctl 1 OAUTHKIT_BEARER)" "$bearer"
  refresh --ensure
  is "$(count_calls systemd-run)" 1
}

@test "a link, a login or another file in place of the bearer file is not touched" {
  bearer_is
  local content
  for content in "A=1" '{"claudeAiOauth":{"accessToken":"x","refreshToken":"y"}}'; do
    printf '%s' "$content" >"$bearer"
    refresh
    ended 1
    is "$(<"$bearer")" "$content"
  done
  ln -sf "$project/elsewhere" "$bearer"
  refresh
  ended 1
  [[ ! -e $project/elsewhere ]]
  log_has "ERROR: $bearer is a symbolic link. The bearer file must not be one"
  has_bytes "$dotenv" "CLAUDE_CODE_OAUTH_TOKEN=$OLD_TOKEN\n"
}
