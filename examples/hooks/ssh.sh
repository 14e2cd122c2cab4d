#!/bin/sh
# Copy the line with the token to .env on another host. The refresh token stays here.
# Hook: renewed. Needs ssh with a key that works without a passphrase, and a POSIX login shell there.
set -eu

host=REPLACE_ME    # as for ssh: a name in ~/.ssh/config, or USER@HOST
directory=nanoclaw # of .env there, relative to the home directory

line=$(grep '^CLAUDE_CODE_OAUTH_TOKEN=.' "$OAUTHKIT_DOTENV")

# Runs there, with the line on stdin. A connection that ends early changes nothing, and a reader of
# .env sees the old file or the new one.
# shellcheck disable=SC2016 # expanded there
update='IFS= read -r line && umask 077 && touch .env && cp -p .env .env.new &&
  { grep -v "^CLAUDE_CODE_OAUTH_TOKEN=" .env; printf "%s\n" "$line"; } >.env.new &&
  mv .env.new .env'
printf '%s\n' "$line" |
  ssh -T -o BatchMode=yes -o ConnectTimeout=10 -- "$host" "cd '$directory' && $update"
