#!/usr/bin/env bash
# Start an agent with rootless Podman. The image: podman build -f Containerfile -t agent .
set -euo pipefail
project=${1:?usage: podman-run.sh PROJECT [COMMAND]}
shift
exec podman run --rm --userns=keep-id:uid=1000,gid=1000 \
  --mount "type=bind,source=$(realpath "$project")/data/bearer,target=/run/oauth,readonly" \
  agent "$@"
