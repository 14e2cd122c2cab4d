#!/usr/bin/env bash
# Send mail to root when a file system becomes full, and again after a day.
set -u
umask 077

limit=${1-90} # percent
if [[ $# -gt 1 || ! $limit =~ ^[1-9][0-9]?$ ]]; then
  printf 'usage: alarm [PERCENT]\n' >&2
  exit 2
fi
state=$HOME/.disk-alarm # the time and text of the last mail
day_s=86400

if ! table=$(df --output=pcent,target --exclude-type=tmpfs); then
  printf 'alarm: df failed\n' >&2
  exit 1
fi

full=
while read -r used place; do
  used=${used%\%}
  # The heading is not a number, and neither is the usage of a file system without a size.
  if [[ $used =~ ^[0-9]+$ ]] && ((used >= limit)); then
    full+="$used% $place"$'\n'
  fi
done <<<"$table"

if [[ -z $full ]]; then
  rm -f "$state"
  exit 0
fi

if [[ -f $state ]]; then
  sent_s='' sent=''
  { read -r sent_s && IFS= read -rd '' sent; } <"$state"
  # After a full disk, the file may be empty. It then counts as missing.
  if [[ $sent_s =~ ^[1-9][0-9]{0,14}$ && $sent == "$full" ]] && ((EPOCHSECONDS - sent_s < day_s)); then
    exit 0
  fi
fi

subject="Disk alarm: $limit% or more"
if ! printf '%s' "$full" | mail -s "$subject" root; then
  printf 'alarm: mail failed\n' >&2
  exit 1
fi
printf '%s\n%s' "$EPOCHSECONDS" "$full" >"$state"
