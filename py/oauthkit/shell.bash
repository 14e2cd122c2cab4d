# shellcheck shell=bash
# shellcheck disable=SC2034 # REPLY is read by the caller
# All bash that is written by hand: what every script starts with, and below the line the words of
# the vocabulary, each the twin of the function of the same name in shell.py, in the same order.
# A text or number comes back in REPLY, a command in REPLIES, a status as the exit status.

case ${BASH_VERSION-} in '' | [1-4].*) # any sh gets as far as this
  printf '%s\n' "$0: bash 5.0 or newer is needed, this is ${BASH_VERSION-no bash}" >&2
  exit 1
  ;;
esac
# Functions, aliases and options that the caller has exported, or a BASH_ENV has set, would change
# what all this means. In POSIX mode, no function goes before unset and set; what is quoted is no
# alias.
POSIXLY_CORRECT=1
\unset -f -- set unset shopt compgen local mapfile 2>/dev/null
\set +aCefkmvx +o posix
\set +o history 2>/dev/null # or ! would mean something, and all of this go into HISTFILE
\shopt -u expand_aliases extglob failglob localvar_inherit nocasematch
[[ ${SHELLOPTS@a} == *x* ]] || \set -u # if it is exported, what runs under bash would have -u, too
if compgen -A function >/dev/null; then
  forget_functions() { # this one, too
    local +x -a names
    mapfile -t names < <(compgen -A function)
    unset -f -- "${names[@]}" 2>/dev/null # some may be read-only
  }
  forget_functions
fi

# Without a PATH, bash searches one of its own that no command would see.
if [[ ! -v PATH || ${PATH@a} != *x* ]]; then
  export PATH=/bin:/usr/bin
fi

# As in Python, a command inherits the first three file descriptors, and nothing to read; a write to
# a pipe without a reader or past a limit fails, and ends no run. Commands have these signals as the
# caller had them.
isolate() {
  local +x fd flags
  trap : PIPE XFSZ
  exec </dev/null
  for fd in /proc/self/fd/*; do
    fd=${fd##*/}
    if [[ $fd != '*' ]] && ((fd > 2)) && {
      read -r _ && IFS=$' \t' read -r _ flags
    } 2>/dev/null <"/proc/self/fdinfo/$fd" && ! ((flags & 02000000)); then
      exec {fd}>&- # bash's own are O_CLOEXEC
    fi
  done
}
# --- Words ----------------------------------------------------------------------------------------

# The time in milliseconds since the epoch, exact to the second.
now_ms() {
  REPLY=$((EPOCHSECONDS * 1000))
}

# The local time of the second $1 as `date -Iseconds` writes it: 2026-01-02T03:04:05+00:00.
timestamp() {
  printf -v REPLY '%(%Y-%m-%dT%H:%M:%S%z)T' "$1"
  REPLY=${REPLY:0:-2}:${REPLY: -2}
}

# The whole decimal number that $1 is; fails if it is none or has more than 15 digits.
parse_int() {
  REPLY=0
  [[ $1 =~ ^-?[0-9]{1,15}$ ]] || return 1
  REPLY=$((10#${1#-}))
  if [[ $1 == -* ]]; then
    REPLY=$((-REPLY))
  fi
}

# Whether $1 is a b64token, the form of every bearer token (RFC 6750, section 2.1).
is_b64token() {
  [[ $1 =~ ^[A-Za-z0-9._~+/-]+=*$ ]]
}

# Replaces each control character in $1 by $2: C0, DEL, and C1 in UTF-8 or as a single byte. A
# terminal acts on them (ECMA-48): text from outside could move the cursor, or hide a line.
replace_controls() {
  local +x rest=${1//[[:cntrl:]]/"$2"} size
  REPLY=
  while [[ $rest == *[$'\x80'-$'\x9f']* && $rest =~ ^[^$'\x80'-$'\xff']* ]]; do
    REPLY+=${BASH_REMATCH[0]}
    rest=${rest:${#BASH_REMATCH[0]}}
    case $rest in # UTF-8 (RFC 3629), loosely: a terminal replaces what it cannot decode
      $'\xc2'[$'\x80'-$'\x9f']*) size=2 REPLY+=$2 ;;
      [$'\x80'-$'\x9f']*) size=1 REPLY+=$2 ;;
      [$'\xc2'-$'\xdf'][$'\x80'-$'\xbf']*) size=2 REPLY+=${rest:0:2} ;;
      [$'\xe0'-$'\xef'][$'\x80'-$'\xbf'][$'\x80'-$'\xbf']*) size=3 REPLY+=${rest:0:3} ;;
      [$'\xf0'-$'\xf4'][$'\x80'-$'\xbf'][$'\x80'-$'\xbf'][$'\x80'-$'\xbf']*)
        size=4 REPLY+=${rest:0:4}
        ;;
      *) size=1 REPLY+=${rest:0:1} ;;
    esac
    rest=${rest:size}
  done
  REPLY+=$rest
}

# Masks $1 from now on, wherever mask_secrets or log meet it, if it has 12 characters.
add_secret() {
  if ((${#1} >= 12)); then
    _secrets+=("$1")
  fi
}

# Masks in $1 what looks like an Anthropic token as sk-ant-***, and each added secret as ***.
mask_secrets() {
  local +x rest=$1 secret
  REPLY=
  while [[ $rest =~ sk-ant-[A-Za-z0-9._~+/=-]*(.*) ]]; do
    REPLY+="${rest:0:${#rest}-${#BASH_REMATCH[0]}}sk-ant-***"
    rest=${BASH_REMATCH[1]}
  done
  REPLY+=$rest
  for secret in "${_secrets[@]}"; do
    if [[ -n $secret ]]; then
      REPLY=${REPLY//"$secret"/***}
    fi
  done
}

# The path $1 made absolute, without `.`, `..` and doubled slashes; links are not followed. The run
# ends with status 1 if the working directory is no more.
absolute() {
  local +x rest=$1 part
  if [[ $rest != /* ]]; then
    # The path without links: cd knows it if that folder may be entered, without a process.
    if cd -P . 2>/dev/null; then
      part=$PWD
    else
      part=$(pwd -P 2>/dev/null && printf x) # the name may end in a newline
      part=${part%$'\n'x}
    fi
    if [[ $part != /* ]]; then
      complain 'the working directory is no more'
      exit 1
    fi
    rest=$part/$rest
  fi
  REPLY=
  rest+=/
  while [[ -n $rest ]]; do
    part=${rest%%/*}
    rest=${rest#*/}
    case $part in
      '' | .) ;;
      ..) REPLY=${REPLY%/*} ;;
      *) REPLY+=/$part ;;
    esac
  done
  REPLY=${REPLY:-/}
}

# The text of the file $1, byte for byte; status 1 if it cannot be read, 2 if it has a NUL byte.
read_file() {
  local +x content
  REPLY=
  [[ -f $1 && -r $1 ]] || return 1
  # read ends well only at its delimiter, NUL here; after an error it leaves the variable as it was
  if { IFS= read -r -d '' content <"$1"; } 2>/dev/null; then
    return 2
  fi
  [[ -v content ]] || return 1
  REPLY=$content
}

# Makes $2 the content of the file $1, in place.
write_file() {
  { printf '%s' "$2" >"$1"; } 2>/dev/null
}

# Creates the file $1 with the content $2. It fails if anything has that name, a symbolic link
# included (open(2), O_EXCL): another user who can write in the directory may have put it there.
create_file() {
  local +x status
  set -C
  { [[ -f /dev/fd/1 ]] && printf '%s' "$2"; } 2>/dev/null >"$1" # noclobber would take a FIFO
  status=$?
  set +C
  return "$status"
}

# Whether $1 is a symbolic link that neither this user nor root owns. Also true if that cannot be
# told, without stat(1) for example.
is_foreign_link() {
  local +x owner
  [[ -L $1 ]] || return 1
  owner=$(exec stat -c %u -- "$1" 2>/dev/null 8>&- 9>&-)
  user_id
  [[ $owner != 0 && $owner != "$REPLY" ]]
}

# A name beside the file $1 for a temporary of this run alone, so that no mv which a killed run has
# left behind can move it; the temporaries of such runs are removed.
own_temporary() {
  local +x left number
  for left in "$1".oauthkit.*; do
    number=${left#"$1".oauthkit.}
    if [[ $number =~ ^[0-9]{16}$ ]]; then # microseconds since the epoch
      { rm -f "$left"; } >/dev/null 2>&1 8>&- 9>&-
    fi
  done
  REPLY=$1.oauthkit.${EPOCHREALTIME/./}
}

# The size of the file $1 in bytes, 0 if it cannot be read: up to some 100 kB, which a log has after
# months, this is quicker than a process.
file_size() {
  local +x part='' # after an error read leaves it as it was
  REPLY=0
  [[ -f $1 && -r $1 ]] || return 0
  {
    while IFS= read -r -d '' part; do
      REPLY=$((REPLY + ${#part} + 1)) # up to a NUL, and the NUL
    done <"$1"
  } 2>/dev/null
  REPLY=$((REPLY + ${#part}))
}

# Whether the paths $1 and $2 lead to one file, as two names or links of it do.
same_file() {
  [[ $1 -ef $2 ]]
}

# Opens the file $1, which log appends to, as file descriptor 8. It fails for a symbolic link of
# another user, and then keeps the log that was open before.
open_log() {
  if is_foreign_link "$1" || ! { exec 7>>"$1"; } 2>/dev/null; then
    return 1
  fi
  # the link may have been there for just that moment
  if is_foreign_link "$1" || [[ ! /dev/fd/7 -ef $1 ]]; then
    exec 7>&-
    return 1
  fi
  exec 8>&7 7>&-
}

# Appends the time and $1 to the log as one line, on a terminal also to stderr. Control characters
# are shown as ?, secrets are masked (mask_secrets).
log() {
  local +x plain line
  # without its controls first: a secret with an escape sequence in it is still one
  replace_controls "$1" ''
  plain=$REPLY
  mask_secrets "$plain"
  if [[ $REPLY == "$plain" ]]; then
    replace_controls "$1" '?'
  fi
  line=$REPLY
  timestamp "$EPOCHSECONDS"
  line="$REPLY $line"
  { printf '%s\n' "$line" >&8; } 2>/dev/null
  if [[ -t 2 ]]; then
    complain "$line"
  fi
}

# Prints $1 on stderr as a line; what cannot be printed is lost.
complain() {
  printf '%s\n' "$1" >&2 2>/dev/null
}

# Takes the exclusive flock(2) of the file $1 for the rest of the run, or until the next call. Status
# 1 if it was not to be had in $2 seconds, 127 without flock(1), another if the file cannot be
# locked or is a symbolic link of another user. File descriptor 9 holds it: what is started gets
# 9>&-, or it could hold the lock when the run has ended.
take_lock() {
  if is_foreign_link "$1" || ! { exec 9>>"$1"; } 2>/dev/null; then
    return 2
  fi
  # the link may have been there for just that moment
  if is_foreign_link "$1" || [[ ! /dev/fd/9 -ef $1 ]]; then
    exec 9>&-
    return 2
  fi
  find_program flock # of one that cannot be executed, bash would say 126
  [[ -n $REPLY ]] || return 127
  { flock -w "$2" 9; } >/dev/null 2>&1 8>&-
}

# Lets the run go on to its end after SIGTERM, SIGINT or SIGHUP, which has to arm the next one. A
# command that run_limited runs at that moment is ended, so that the end is near.
outlive_signals() {
  # timeout(1) takes a moment to have a process group of its own
  trap '
    if ((_group > 0)); then
      { kill -TERM -- "-$_group" || kill -TERM "$_group"; } 2>/dev/null
      _group=0
    fi
  ' TERM INT HUP
}

# Runs the command $4… with its stdout and stderr in the file $3, and returns its exit status. The
# file is new: an old one is removed, and what cannot be kept is thrown away, as is all beyond
# 64 KiB. After $1 seconds the command gets SIGTERM and $2 later SIGKILL, and so does all that it
# started and that is still in its process group. The status is then 124 or 137 (timeout(1)), as it
# is 124 if a signal to this process ended it. It is 127 without timeout(1).
run_limited() {
  local +x limit_s=$1 grace_s=$2 output=$3 kept sink keeper group status tries
  shift 3
  find_program timeout
  [[ -n $REPLY ]] || return 127
  if [[ -e $output || -L $output ]]; then
    { rm -f "$output"; } >/dev/null 2>&1 8>&- 9>&-
  fi
  set -C
  if ! { exec {kept}>"$output"; } 2>/dev/null || [[ ! -f /dev/fd/$kept ]]; then
    exec {kept}>/dev/null
  fi
  set +C
  # Beyond the limit cat fails, and the second one takes what else comes: the command must not fail.
  # A signal to the process group of this run ends neither, or it would be writing to nobody.
  exec {sink}> >(
    trap '' TERM INT HUP XFSZ
    exec >&"$kept" {kept}>&- 2>/dev/null 8>&- 9>&-
    ulimit -f 64 && cat
    exec cat >/dev/null
  )
  keeper=$!
  exec {kept}>&-
  # in the background bash has SIGINT and SIGQUIT ignored
  (trap - INT QUIT && exec timeout -k "$grace_s" "$limit_s" "$@") >&"$sink" 2>&1 {sink}>&- 8>&- 9>&- &
  group=$!
  exec {sink}>&-
  _group=$group
  # a signal ends the waiting, not the command
  while :; do
    { wait "$group"; } 2>/dev/null
    status=$?
    if ((status <= 128)) || ! kill -0 "$group" 2>/dev/null; then
      break
    fi
  done
  if ((_group == 0)); then
    status=124
  fi
  if ((status == 124 || status == 137)); then
    # timeout(1) ends with the command itself: the rest of its group has the grace it is due
    while ((grace_s > 0)) && kill -0 -- "-$group" 2>/dev/null; do
      { sleep 1; } >/dev/null 2>&1 8>&- 9>&-
      grace_s=$((grace_s - 1))
    done
    kill -KILL -- "-$group" 2>/dev/null
  fi
  _group=0
  # until the output is complete; not for long, as a process left behind may hold the pipe open
  for ((tries = 0; tries < 20; tries++)); do
    kill -0 "$keeper" 2>/dev/null || break
    { sleep 0.05; } >/dev/null 2>&1 8>&- 9>&-
  done
  return "$status"
}

# Keeps memory, and the secrets in it, out of core dumps, for all that is started, too.
disable_core_dumps() {
  ulimit -c 0
}

# The real user ID (getuid(2)). A UID of the caller's goes before that of bash.
user_id() {
  REPLY=$UID
  if [[ ${UID@a} != *r* ]]; then
    REPLY=$(exec id -ru 2>/dev/null 8>&- 9>&-) || REPLY=$UID
  fi
}

# The path of the program $1 in PATH (or $1 itself if it has a slash), empty if there is none.
find_program() {
  local +x rest=${PATH-}: folder
  REPLY=
  if [[ $1 == */* ]]; then
    if [[ -f $1 && -x $1 ]]; then
      REPLY=$1
    fi
    return
  fi
  while [[ -n $rest ]]; do
    folder=${rest%%:*}
    rest=${rest#*:}
    if [[ -f ${folder:-.}/$1 && -x ${folder:-.}/$1 ]]; then
      REPLY=${folder:-.}/$1
      return
    fi
  done
}

# The real path of this script, kept for own_command. Links are resolved by readlink(1), and only if
# there are any. The run ends with status 1 if the place cannot be told.
script_path() {
  local +x path=$0 prefix answer
  if [[ ${BASH_SOURCE@a} == *a* ]]; then # what the caller has exported in its place is no array
    path=${BASH_SOURCE[0]}               # which may be in PATH, or read by another script
  fi
  # With -c or -s, that is no file that is read.
  if [[ $- == *[cs]* || ! -f $path ]]; then
    complain 'this script cannot tell where it lies: start it by its path'
    exit 1
  fi
  prefix=$path
  until [[ -L $prefix || $prefix != */* ]]; do
    prefix=${prefix%/*}
  done
  if [[ -L $prefix ]]; then
    answer=$(exec readlink -f -- "$path" 2>/dev/null 8>&- 9>&-)
    if [[ ! $answer -ef $path ]]; then # nor is it told of a name that ends in a newline
      complain "readlink cannot tell where the link $prefix leads to"
      exit 1
    fi
    path=$answer
  fi
  absolute "$path"
  _script=$REPLY
}

# The argv that starts this script again, as an ExecStart= of systemd: a $ is doubled in the
# arguments, since systemd replaces variables there (systemd.service(5), COMMAND LINES). It is the
# twin in Python that has to be told the project, $1: this script lies in it.
own_command() {
  local +x shell=$BASH
  # After `exec -a` or with BASH_ARGV0 set, $BASH is the login shell. After an upgrade it is another
  # file than the one that runs, which is then no more.
  if [[ ! $BASH -ef /proc/$$/exe ]]; then
    shell=$(exec readlink "/proc/$$/exe" 2>/dev/null 8>&- 9>&-)
    [[ -x $shell ]] || shell=$BASH
  fi
  REPLIES=("$shell" "${_script//'$'/'$$'}")
}
