#!/bin/sh
# Put the bearer file into a Kubernetes Secret, unless the Secret has it already.
# Hook: renewed. Also started by writer.sh, because a refresh does not repeat a hook that has failed.
# Needs kubectl, and a Role with get and patch on that Secret.
#
# The token is in no argument: others could read it there. `kubectl apply` is not used: it would also
# save the token in an annotation.
set -eu

secret=claude-bearer

bearer=${OAUTHKIT_BEARER:?set OAUTHKIT_BEARER to the bearer file}
is_bearer='.claudeAiOauth | .accessToken and (has("refreshToken") | not)'
if ! [ -s "$bearer" ] || ! jq --exit-status "$is_bearer" "$bearer" >/dev/null; then
  printf '%s is not a bearer file\n' "$bearer" >&2
  exit 1
fi

# Less than a hook's 30 s, also for both requests together. With --request-timeout, kubectl would not
# find the cluster's API server (kubernetes/kubernetes issue 93474).
kubectl() {
  timeout 12 kubectl "$@" || {
    [ "$?" != 124 ] || printf 'kubectl was stopped after 12 s\n' >&2
    return 1
  }
}

wanted=$(base64 -w 0 "$bearer")
current=$(kubectl get secret "$secret" --output='jsonpath={.data.bearer\.json}')
[ "$current" != "$wanted" ] || exit 0

patch=$(mktemp) # with mode 0600
trap 'rm -f "$patch"' EXIT
trap 'exit 1' HUP INT TERM # dash runs the EXIT trap only if the signal is trapped
printf '{"data":{"bearer.json":"%s"}}\n' "$wanted" >"$patch"
kubectl patch secret "$secret" --type=merge --patch-file="$patch"
