#!/usr/bin/env bash
# Start an agent with Docker. Build the image first:
# docker build --build-arg UID="$(id -u)" -f Containerfile -t agent .
set -euo pipefail
project=${1:?usage: docker-run.sh PROJECT [COMMAND]}
shift
# Not -v: if the directory is missing, Docker would create it, as root.
exec docker run --rm \
  --mount "type=bind,source=$(realpath "$project")/data/bearer,target=/run/oauth,readonly" \
  agent "$@"
