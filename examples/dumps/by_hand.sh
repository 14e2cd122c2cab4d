#!/usr/bin/env bash
# Dump the databases in a list, compress the dumps, and keep the newest ones. For cron.
#
# Each line of LIST is the name of a database and, after a space, its host. Lines that start with #
# are comments. The dumps are TARGET/NAME.TIME.sql.gz. If something failed, the script mails a report
# to root, and its exit status is 1.
set -uo pipefail

usage='usage: dumps.sh [--keep=N] [--mail=ADDRESS] LIST TARGET'
keep=7
mail_to=root
list=
target=
report=
failures=0

say() {
  printf '%s\n' "$*"
  report+="$*"$'\n'
}

usage_error() {
  printf 'dumps: %s\n%s\n' "$1" "$usage" >&2
  exit 2
}

# Dump a database to a temporary file, check it, and rename it.
dump() {
  local name=$1 host=$2 part stamp
  part=$target/.$name.part
  if ! pg_dump --host="$host" --no-password "$name" | gzip >"$part"; then
    say "$name: the dump from $host failed"
    rm -f "$part"
    return 1
  fi
  if ! gzip --test "$part"; then
    say "$name: the dump is not complete"
    rm -f "$part"
    return 1
  fi
  stamp=$(date +%Y%m%dT%H%M%S)
  if ! mv "$part" "$target/$name.$stamp.sql.gz"; then
    say "$name: $target/$name.$stamp.sql.gz cannot be written"
    return 1
  fi
  say "$name: $(wc -c <"$target/$name.$stamp.sql.gz") bytes"
}

# Remove all but the newest dumps of a database. The time in a name sorts as text.
prune() {
  local name=$1 file count=0 extra
  for file in "$target/$name".*.sql.gz; do
    count=$((count + 1))
  done
  extra=$((count - 10#$keep))
  for file in "$target/$name".*.sql.gz; do
    if ((extra > 0)); then
      rm "$file" || return
      say "$name: removed ${file##*/}"
    fi
    extra=$((extra - 1))
  done
}

for argument in "$@"; do
  case $argument in
    --help)
      printf '%s\n' "$usage"
      exit 0
      ;;
    --keep=*) keep=${argument#*=} ;;
    --mail=*) mail_to=${argument#*=} ;;
    -*) usage_error "unknown option $argument" ;;
    *)
      if [[ -z $list ]]; then
        list=$argument
      elif [[ -z $target ]]; then
        target=$argument
      else
        usage_error "unexpected argument $argument"
      fi
      ;;
  esac
done
[[ -n $target ]] || usage_error 'LIST and TARGET are required'
[[ $keep =~ ^0*[1-9][0-9]*$ ]] || usage_error "--keep=$keep: expected a number, 1 or more"
if [[ ! -d $target ]]; then
  printf 'dumps: %s is not a directory\n' "$target" >&2
  exit 1
fi

if [[ ! -r $list ]]; then
  printf 'dumps: %s cannot be read\n' "$list" >&2
  exit 1
fi

umask 077
free=$(df --output=avail -k "$target" 2>/dev/null </dev/null | tail -n 1)
if ((free < 1024 * 1024)); then
  say "less than 1 GiB is free in $target"
  failures=1
fi
while read -r name host <&3 || [[ -n $name ]]; do
  case $name in
    '' | '#'*) continue ;;
  esac
  if ! { dump "$name" "${host:-localhost}" && prune "$name"; } 3<&-; then
    failures=$((failures + 1))
  fi
done 3<"$list"

if ((failures > 0)); then
  subject="dumps on $(hostname </dev/null) (failures: $failures)"
  printf '%s' "$report" | mail -s "$subject" "$mail_to"
  exit 1
fi
