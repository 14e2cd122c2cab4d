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

# Create the file $1 with the content $2, and with the owner, group and mode of the file $3 if that
# exists, else with mode 600. Set REPLY to the mode of $3 in octal digits.
# Status 1 if that fails, which it does if anything has the name $1, a symbolic link included
# (open(2), O_EXCL). Status 2 if $3 belongs to another user, who could read the content (root keeps
# the owner). Another user who can write in the directory can exchange both files at any time, so
# each is opened once, and the programs get it as a stream.
create_file() {
  local +x new model mode found wanted owner
  REPLY=$(
    exec 2>/dev/null 8>&- 9>&-
    trap : XFSZ # a write past a limit fails
    user_id
    set -C
    { exec {new}>"$1"; } || exit 1
    [[ -f /dev/fd/$new ]] || exit 1 # noclobber allows a device
    mode=
    if [[ -f $3 ]]; then
      { exec {model}<"$3"; } || exit 1
      found=$(exec stat -L -c '%u %g %a' /dev/stderr /dev/stdin \
        <&"$new" 2<&"$model" {new}>&- {model}<&-) || exit 1
      wanted=${found%%$'\n'*}
      owner=${wanted%% *}
      mode=${wanted##* }
      [[ $owner == 0 || $owner == "$REPLY" || $REPLY == 0 ]] || exit 2
      if [[ $found != "$wanted"$'\n'"$wanted" ]]; then
        cp --attributes-only --preserve=mode,ownership /dev/stdin /dev/stdout \
          <&"$model" >&"$new" {new}>&- {model}<&- || exit 1
      fi
    else
      chmod 600 /dev/stdout >&"$new" {new}>&- || exit 1
    fi
    printf '%s' "$2" >&"$new" || exit 1
    printf '%s' "$mode"
  )
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

# Set REPLY to a name beside the file $1 for a temporary file of this run alone: an mv(1) that a killed
# run has left behind cannot move it. The temporary files of such runs are removed.
own_temporary() {
  local +x name old=()
  for name in "$1".oauthkit.*; do
    if [[ ${name#"$1".oauthkit.} =~ ^[0-9]{16}$ ]]; then # microseconds since the epoch
      old+=("$name")
    fi
  done
  if ((${#old[@]} > 0)); then
    { rm -f "${old[@]}"; } >/dev/null 2>&1 8>&- 9>&-
  fi
  REPLY=$1.oauthkit.${EPOCHREALTIME/./}
}

# Whether the paths $1 and $2 lead to one file, as two names or links of it do.
same_file() {
  [[ $1 -ef $2 ]]
}

# Open the file $1 as the one that log appends to, as file descriptor 8. It fails for a symbolic link
# or a file of another user, and for a FIFO; then the log that was open before is kept.
open_log() {
  user_id
  if [[ -p $1 ]] || is_foreign_link "$1" || ! { exec 7>>"$1"; } 2>/dev/null; then
    return 1
  fi
  # The link may have been there for just that moment.
  if [[ $REPLY != 0 && -f /dev/fd/7 && ! -O /dev/fd/7 ]] || is_foreign_link "$1" ||
    [[ ! /dev/fd/7 -ef $1 ]]; then
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

# Take the exclusive flock(2) of the file $1 for the rest of the run, or until the next call. Status 1
# if another process has held it for $2 seconds, 127 without flock(1), another if the file cannot be
# locked, is a FIFO, or is a symbolic link or a file of another user. File descriptor 9 holds the
# lock: programs get 9>&-, or they could hold it after the end of the run.
take_lock() {
  user_id
  if [[ -p $1 ]] || is_foreign_link "$1" || ! { exec 9>>"$1"; } 2>/dev/null; then
    return 2
  fi
  # The link may have been there for just that moment.
  if [[ $REPLY != 0 && -f /dev/fd/9 && ! -O /dev/fd/9 ]] || is_foreign_link "$1" ||
    [[ ! /dev/fd/9 -ef $1 ]]; then
    exec 9>&-
    return 2
  fi
  find_program flock # bash would return 126 for a file that is not executable
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

# Run the command $3…, return its exit status, and set REPLY to the first 8 KiB of what it printed on
# stdout and stderr, without NUL bytes and final newlines. The rest is discarded, and so is the last
# word if it was cut: a part of a secret would not be masked.
# After $1 seconds the command gets SIGTERM and $2 later SIGKILL, and so does all that it started
# and that is still in its process group. The status is then 124 or 137 (timeout(1)), as it is 124
# if a signal to this process ended it. It is 127 without timeout(1). Output is lost without dd(1).
run_limited() {
  local +x limit_s=$1 grace_s=$2 pipe printed sink group status deadline_s size=0 part='' ended
  shift 2
  REPLY=
  find_program timeout
  [[ -n $REPLY ]] || return 127
  # Of this pipe, the keeper has the end to write to, and this process the other one.
  exec {pipe}<> <(:)
  exec {printed}<"/dev/fd/$pipe"
  # The command must be able to write as long as it lives: the keeper outlives the signals to the
  # process group of this run.
  exec {sink}> >(
    trap '' TERM INT HUP
    exec >&"$pipe" {pipe}>&- {printed}<&- 2>/dev/null 8>&- 9>&-
    dd bs=1 count=8192
    exec cat >/dev/null
  )
  exec {pipe}>&-
  # In the background, bash ignores SIGINT and SIGQUIT.
  (trap - INT QUIT && exec timeout -k "$grace_s" "$limit_s" "$@") \
    >&"$sink" 2>&1 {sink}>&- {printed}<&- 8>&- 9>&- &
  group=$!
  exec {sink}>&-
  _group=$group
  # A signal ends the waiting, not the command.
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
    # timeout(1) ends with the command itself: the rest of its group has the grace it is due.
    while ((grace_s > 0)) && kill -0 -- "-$group" 2>/dev/null; do
      { sleep 1; } >/dev/null 2>&1 {printed}<&- 8>&- 9>&-
      grace_s=$((grace_s - 1))
    done
    kill -KILL -- "-$group" 2>/dev/null
  fi
  _group=0
  # Read to the end, but not for long: a process that the command left behind may hold it open.
  REPLY=
  deadline_s=$((EPOCHSECONDS + 1))
  until ((EPOCHSECONDS > deadline_s)); do
    IFS= read -r -d '' -t 1 -u "$printed" part # up to a NUL byte
    ended=$?
    REPLY+=$part
    size=$((size + ${#part} + (ended == 0)))
    ((ended == 0)) || break
  done
  exec {printed}<&-
  if ((size == 8192)); then
    REPLY=${REPLY%"${REPLY##*[!A-Za-z0-9._~+/=-]}"}
  fi
  REPLY=${REPLY%"${REPLY##*[!$'\n']}"}
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
