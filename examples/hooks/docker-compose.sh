#!/bin/sh
# Recreate the services of Docker Compose that get the token from .env.
# Hook: renewed. Needs docker with Compose.
#
# `docker compose restart` would keep the old environment. Work that a container is doing is lost:
# if that matters, use the bearer file (docs/containers.md), which needs no restart. A hook has 30 s,
# so a container gets SIGKILL 10 s after SIGTERM.
set -eu

services='agent' # separated by blanks
project=${0%/scripts/oauth/hooks/*}

cd "$project"
# shellcheck disable=SC2086 # a word for each service
exec docker compose up --detach --no-deps --force-recreate --timeout 10 $services
