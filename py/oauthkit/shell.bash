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

# $1 with everything that looks like an Anthropic token shown as sk-ant-***.
mask_secrets() {
  local +x rest=$1
  REPLY=
  while [[ $rest =~ sk-ant-[A-Za-z0-9._~+/=-]*(.*) ]]; do
    REPLY+="${rest:0:${#rest}-${#BASH_REMATCH[0]}}sk-ant-***"
    rest=${BASH_REMATCH[1]}
  done
  REPLY+=$rest
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

# A name beside the file $1 for a temporary of this run alone, so that no mv which a killed run has
# left behind can move it; the temporaries of such runs are removed.
own_temporary() {
  local +x left number
  for left in "$1".oauthkit.*; do
    number=${left#"$1".oauthkit.}
    if [[ $number =~ ^[0-9]{16}$ ]]; then # microseconds since the epoch
      { rm -f "$left"; } >/dev/null 2>&1 9>&-
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

# Makes $1 the file that log appends to; fails if it cannot be appended to.
open_log() {
  _log_file=$1
  { : >>"$_log_file"; } 2>/dev/null
}

# Appends the time and $1 to the log as one line; on a terminal also to stderr.
log() {
  local +x line
  timestamp "$EPOCHSECONDS"
  line="$REPLY ${1//[[:cntrl:]]/?}"
  { printf '%s\n' "$line" >>"$_log_file"; } 2>/dev/null
  if [[ -t 2 ]]; then
    complain "$line"
  fi
}

# Prints $1 on stderr as a line; what cannot be printed is lost.
complain() {
  printf '%s\n' "$1" >&2 2>/dev/null
}

# Takes the exclusive flock(2) of the file $1 for the rest of the run, or until the next call; status
# 1 if it was not to be had in $2 seconds, 127 without flock(1), another if the file cannot be
# locked. File descriptor 9 holds it: what is started gets 9>&-, or it could hold the lock when the
# run has ended.
take_lock() {
  { exec 9>>"$1"; } 2>/dev/null || return 2
  find_program flock # of one that cannot be executed, bash would say 126
  [[ -n $REPLY ]] || return 127
  { flock -w "$2" 9; } >/dev/null 2>&1
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

# Runs the command $4… with stdout and stderr appended to the file $3 (thrown away if that cannot
# be written), and returns its exit status, 127 without timeout(1). After $1 seconds it gets SIGTERM
# and $2 later SIGKILL, and so does all that it started and that is still in its process group; the
# status is then 124 or 137 (timeout(1)), as it is 124 if a signal to this process ended it.
run_limited() {
  local +x limit_s=$1 grace_s=$2 output=$3 group status
  shift 3
  find_program timeout
  [[ -n $REPLY ]] || return 127
  { : >>"$output"; } 2>/dev/null || output=/dev/null
  # in the background bash has SIGINT and SIGQUIT ignored
  (trap - INT QUIT && exec timeout -k "$grace_s" "$limit_s" "$@") >>"$output" 2>&1 9>&- &
  group=$!
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
      { sleep 1; } >/dev/null 2>&1 9>&-
      grace_s=$((grace_s - 1))
    done
    kill -KILL -- "-$group" 2>/dev/null
  fi
  _group=0
  return "$status"
}

# The real user ID (getuid(2)). A UID of the caller's goes before that of bash.
user_id() {
  REPLY=$UID
  if [[ ${UID@a} != *r* ]]; then
    REPLY=$(exec id -ru 2>/dev/null 9>&-) || REPLY=$UID
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
    answer=$(exec readlink -f -- "$path" 2>/dev/null 9>&-)
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
    shell=$(exec readlink "/proc/$$/exe" 2>/dev/null 9>&-)
    [[ -x $shell ]] || shell=$BASH
  fi
  REPLIES=("$shell" "${_script//'$'/'$$'}")
}
