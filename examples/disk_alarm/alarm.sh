#!/usr/bin/env bash
# Mails root when a file system is full: as soon as there is one, and again after a day.
set -u
umask 077

limit=${1-90} # percent
if [[ $# -gt 1 || ! $limit =~ ^[1-9][0-9]?$ ]]; then
  printf 'usage: alarm [PERCENT]\n' >&2
  exit 2
fi
state=$HOME/.disk-alarm # when the last mail went out, and what it said
day_s=86400

if ! table=$(df --output=pcent,target --exclude-type=tmpfs); then
  printf 'alarm: df failed\n' >&2
  exit 1
fi

full=
while read -r used place; do
  used=${used%\%}
  # The title is no number, nor is the use of a file system that has no size.
  if [[ $used =~ ^[0-9]+$ ]] && ((used >= limit)); then
    full+="$used% $place"$'\n'
  fi
done <<<"$table"

if [[ -z $full ]]; then
  rm -f "$state"
  exit 0
fi

if [[ -f $state ]]; then
  told_s='' told=''
  { read -r told_s && IFS= read -rd '' told; } <"$state"
  # A full disk may have left the file empty: then nothing was told.
  if [[ $told_s =~ ^[1-9][0-9]{0,14}$ && $told == "$full" ]] && ((EPOCHSECONDS - told_s < day_s)); then
    exit 0
  fi
fi

subject="Disk alarm: $limit% or more"
if ! printf '%s' "$full" | mail -s "$subject" root; then
  printf 'alarm: mail failed\n' >&2
  exit 1
fi
printf '%s\n%s' "$EPOCHSECONDS" "$full" >"$state"
