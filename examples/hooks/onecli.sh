#!/bin/sh
# Put each new token into OneCLI, which adds it to the requests of NanoClaw 2's containers.
# Hook: renewed. Needs curl.
#
# `onecli secrets update` takes the value as an argument, where every user of the host can read it.
# So this sends the request that it would send, with the token on stdin.
set -eu

api=http://127.0.0.1:10254/v1 # before OneCLI 1.28: …/api
id=REPLACE_ME                 # the secret's ID: onecli secrets list
# A file of mode 0600 with the API key: the line "Authorization: Bearer oc_…". Without it, no key
# is sent.
header=$HOME/.config/oauthkit/onecli-header

token=$(sed -n 's/^CLAUDE_CODE_OAUTH_TOKEN=//p' "$OAUTHKIT_DOTENV")
case $token in
  '' | *[!A-Za-z0-9._~+/=-]*)
    echo 'there is no token in .env' >&2
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
