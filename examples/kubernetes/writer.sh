#!/bin/sh
# Keep a login's token live, and a Secret up to date: the main process of the writer's container.
# A pod has no systemd, so this loop starts each refresh.
set -eu
umask 077

scripts=${0%/*}/scripts/oauth
mkdir -p "$HOME" "$(dirname "$OAUTHKIT_BEARER")" "$(dirname "$OAUTHKIT_DOTENV")"

# The kubelet sends SIGTERM to this process only. The refresh that is running ends first: if claude
# were killed while it renews the login, the login could be lost.
trap 'exit 0' TERM INT
while :; do
  # systemd would end a run that hangs. Nothing else does here.
  timeout --kill-after=30 10m bash "$scripts/refresh.sh" --ensure || :
  if [ -s "$OAUTHKIT_BEARER" ]; then
    "$scripts/hooks/renewed" || printf 'The Secret is not up to date. Next try in 1 min\n' >&2
  fi
  sleep "${INTERVAL_S:-60}" & # tests set a shorter interval
  wait "$!" || :
done
