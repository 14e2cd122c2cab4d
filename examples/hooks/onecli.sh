#!/bin/sh
# Put each new token into OneCLI, which adds it to the requests of NanoClaw 2's containers.
# Hook: renewed. Needs curl.
#
# `onecli secrets update` takes the value as an argument, where every user of the host can read it.
# So this script sends the same request itself, with the token on stdin.
set -eu

api=http://127.0.0.1:10254/v1 # before OneCLI 1.28: …/api
id=REPLACE_ME                 # the secret's ID: onecli secrets list
# Optional: a file of mode 0600 with the API key: the line "Authorization: Bearer oc_…".
header=$HOME/.config/oauthkit/onecli-header

token=$(sed -n 's/^CLAUDE_CODE_OAUTH_TOKEN=//p' "$OAUTHKIT_DOTENV")
case $token in
  '' | *[!A-Za-z0-9._~+/=-]*)
    printf '%s does not have exactly one valid token\n' "$OAUTHKIT_DOTENV" >&2
    exit 1
    ;;
esac

set -- --header 'Content-Type: application/json'
if [ -e "$header" ]; then
  set -- "$@" --header "@$header"
fi
printf '{"value":"%s"}' "$token" |
  curl --fail --silent --show-error --max-time 20 --output /dev/null \
    --request PATCH --data-binary @- "$@" "$api/secrets/$id"
