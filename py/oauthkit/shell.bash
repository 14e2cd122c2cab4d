# shellcheck shell=bash
# shellcheck disable=SC2034 # REPLY is read by the caller
# The bash half of the runtime library: the prologue of every script and, below the marker, the
# builtins. Each has the name and the place of its Python half in shell.py. A builtin returns a
# text or number in REPLY, a command in REPLIES, and a status as its exit status.

case ${BASH_VERSION-} in '' | [1-4].*) # any sh can parse this far
  printf '%s\n' "$0: bash 5.0 or newer is needed, this is ${BASH_VERSION-no bash}" >&2
  exit 1
  ;;
esac
# Remove functions, aliases and options that the caller has exported or BASH_ENV has set. In POSIX
# mode, special builtins take precedence over functions; quoted words are not alias-expanded.
POSIXLY_CORRECT=1
\unset -f -- set unset shopt compgen local mapfile 2>/dev/null
\set +aCefkmvx +o posix +o pipefail
\set +o history 2>/dev/null # or ! is expanded, and all lines are saved in HISTFILE
\shopt -u expand_aliases extglob failglob localvar_inherit nocasematch
[[ ${SHELLOPTS@a} == *x* ]] || \set -u # if it is exported, child scripts would inherit -u
if compgen -A function >/dev/null; then
  forget_functions() { # this one, too
    local +x -a inherited_functions
    mapfile -t inherited_functions < <(compgen -A function)
    unset -f -- "${inherited_functions[@]}" 2>/dev/null # some may be read-only
  }
  forget_functions
fi

# Without PATH, bash searches a default path, which commands would not inherit.
if [[ ! -v PATH || ${PATH@a} != *x* ]]; then
  export PATH=/bin:/usr/bin
fi

# Do what Python does by default: commands inherit only the first three file descriptors, with an
# empty stdin. A write to a pipe without a reader, or past a limit, fails but does not end the run.
# Commands get the caller's dispositions of these signals.
isolate() {
  local +x fd flags
  trap : PIPE XFSZ
  exec </dev/null
  true 3>&2 || exec 2>/dev/null # without stderr, 3>&2 fails, and no command runs
  for fd in /proc/self/fd/*; do
    fd=${fd##*/}
    if [[ $fd != '*' ]] && ((fd > 2)) && {
      read -r _ && IFS=$' \t' read -r _ flags
    } 2>/dev/null <"/proc/self/fdinfo/$fd" && ! ((flags & 02000000)); then
      exec {fd}>&- # bash's own are O_CLOEXEC
    fi
  done
}
# --- Builtins -------------------------------------------------------------------------------------

# Set REPLY to the time in milliseconds since the epoch, with a resolution of 1 s.
now_ms() {
  REPLY=$((EPOCHSECONDS * 1000))
}

# Set REPLY to the local time of the second $1, as `date -Iseconds` prints it.
timestamp() {
  printf -v REPLY '%(%Y-%m-%dT%H:%M:%S%z)T' "$1"
  REPLY=${REPLY:0:-2}:${REPLY: -2}
}

# Set REPLY to the integer $1 in decimal digits. Fail if it is not one, or has more than 15 digits.
parse_int() {
  REPLY=0
  [[ $1 =~ ^-?[0-9]{1,15}$ ]] || return 1
  REPLY=$((10#${1#-}))
  if [[ $1 == -* ]]; then
    REPLY=$((-REPLY))
  fi
}

# Test whether $1 is a b64token, the syntax of bearer tokens (RFC 6750, section 2.1).
is_b64token() {
  [[ $1 =~ ^[A-Za-z0-9._~+/-]+=*$ ]]
}

# Test whether systemd uses $1 unchanged as a unit's name (systemd.unit(5)). $1 is the name without
# its suffix. It must not contain @, and has at most 80 characters, so that there is room for the
# output of escape_unit and a suffix.
is_unit_name() {
  [[ -n $1 && $1 != [.-]* && $1 != *[!A-Za-z0-9:_.\\-]* ]] && ((${#1} <= 80))
}

# Replace each control character in $1 with $2: C0, DEL, and C1 in UTF-8 or as a single byte. In a
# terminal they could move the cursor or hide a line (ECMA-48).
replace_controls() {
  local +x rest=${1//[[:cntrl:]]/"$2"} found
  # UTF-8 (RFC 3629), loosely: a terminal replaces what it cannot decode.
  local +x shown=$'[^\x80-\x9f\xc2-\xf4]|\xc2[\xa0-\xbf]|[\xc3-\xdf][\x80-\xbf]'
  shown+=$'|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}'
  REPLY=
  if [[ $rest == *[$'\x80'-$'\x9f']* ]]; then
    while [[ -n $rest && $rest =~ ^($shown)* ]]; do
      REPLY+=${BASH_REMATCH[0]}
      rest=${rest:${#BASH_REMATCH[0]}}
      case $rest in
        $'\xc2'[$'\x80'-$'\x9f']*) REPLY+=$2 rest=${rest:2} ;;
        [$'\x80'-$'\x9f']*)
          found=${rest%%[!$'\x80'-$'\x9f']*}
          REPLY+=${found//?/"$2"}
          rest=${rest:${#found}}
          ;;
        *) # parts of characters
          REPLY+=${rest:0:1}
          rest=${rest:1}
          ;;
      esac
    done
  fi
  REPLY+=$rest
}

# Mask $1 in mask_secrets and log from now on if it has at least 12 characters.
add_secret() {
  if ((${#1} >= 12)); then
    _secrets+=("$1")
  fi
}

# Replace each Anthropic token in $1 with sk-ant-***, and each added secret with ***.
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

# Set REPLY to the path $1 as an absolute path without `.`, `..` or repeated slashes. Links are not
# followed. End the run with status 1 if the working directory no longer exists.
absolute() {
  local +x rest=$1 part
  if [[ $rest != /* ]]; then
    # cd finds the path without a process, if the directory may be entered.
    if cd -P . 2>/dev/null; then
      part=$PWD
    else
      part=$(pwd -P 2>/dev/null && printf x) # keeps a newline at the end of the name
      part=${part%$'\n'x}
    fi
    if [[ $part != /* ]]; then
      complain 'the working directory no longer exists. Change to another directory'
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

# Set REPLY to the bytes of the file $1. Status 1 if it cannot be read, 2 if it has a NUL byte, 3 if
# it is larger than 256 KiB.
read_file() {
  local +x content
  REPLY=
  [[ -f $1 && -r $1 ]] || return 1
  # read succeeds only at its delimiter, NUL here, or at its limit. After an error it does not set
  # the variable.
  if { IFS= read -r -d '' -n 262145 content <"$1"; } 2>/dev/null; then
    return $((${#content} > 262144 ? 3 : 2))
  fi
  [[ -v content ]] || return 1
  REPLY=$content
}

# Set REPLY to the next line of stdin, without its line feed or NUL bytes. Status 1 at the end of
# the input.
read_line() {
  local +x TMOUT=0 # the caller's limits the time of read
  REPLY=           # read does not set it after an error
  { IFS= read -r REPLY; } 2>/dev/null || [[ -n $REPLY ]]
}

# Write $2 to the file $1, in place.
write_file() {
  { printf '%s' "$2" >"$1"; } 2>/dev/null
}

# Create the file $1 with the content $2, and with the owner, group and mode of the file $3 if that
# exists, otherwise mode 600. Set REPLY to the mode of $3 in octal digits. The file $3 must not be a
# symbolic link, and must have the content $4. This ensures that the content and the mode come from
# the same file, and that no change to it is lost.
# Status 2 if $3 belongs to another user, who could read the content (root keeps the owner). Status 3
# if the permissions of the group of $3 differ from those of other users, and the user is not in that
# group. Status 4 if $1 exists, even as a dangling symbolic link (open(2), O_EXCL). Status 1 for any
# other error.
# Another user who can write to the directory can replace both files at any time. So each file is
# opened once, and programs get it as stdin or stdout.
create_file() {
  local +x new='' model mode='' found name wanted created owner group groups user
  local +x content mask status=1
  user_id
  user=$REPLY
  REPLY=
  [[ ! -e $1 && ! -L $1 ]] || return 4 # the open of a FIFO would wait for a reader
  # Read the umask and the groups without a process.
  while IFS= read -r found; do
    case $found in
      Umask:*) mask=${found#*$'\t'} ;;
      Gid:*)
        groups=${found#*:}
        created=${groups#*$'\t'*$'\t'}
        created=${created%%$'\t'*} # the effective group
        ;;
      Groups:*)
        groups=" ${groups//$'\t'/ } ${found#*$'\t'} "
        break
        ;;
    esac
  done </proc/self/status
  umask 077
  set -C
  { exec {new}>"$1"; } 2>/dev/null
  set +C
  umask "${mask:-077}"
  if [[ -z $new ]]; then
    [[ ! -e $1 && ! -L $1 ]] || return 4
    return 1
  fi
  if [[ ! -f /dev/fd/$new ]]; then # noclobber opens an existing device
    status=4
  elif [[ ! -f $3 ]]; then
    if [[ -z $4 ]]; then # else it is gone
      { chmod 600 /dev/stdout >&"$new" {new}>&- 6<&- 8>&- 9>&-; } 2>/dev/null && status=0
    fi
  elif { exec {model}<"$3"; } 2>/dev/null; then
    # The first stat(1) call checks the name and the open file together, because the name may lead
    # elsewhere at any moment.
    if [[ -f /dev/fd/$model ]] && # cp(1) would open a FIFO again, and wait for a writer
      ! { IFS= read -r -d '' -n 262145 -u "$model" content; } 2>/dev/null &&
      [[ -v content && $content == "$4" ]] &&
      found=$(exec stat -c '%d:%i %u %g %a' -- "$3" - "$1" \
        <&"$model" 2>/dev/null {new}>&- {model}<&- 6<&- 8>&- 9>&-); then
      name=${found%%$'\n'*}
      found=${found#*$'\n'}
      wanted=${name#* } # owner, group, mode
      owner=${wanted%% *}
      group=${wanted#* }
      group=${group% *}
      mode=${wanted##* }
      # The name $1 may lead elsewhere, too, so the group is not read by that name.
      if [[ ! -G /dev/fd/$new ]]; then # the directory sets the group of its files
        created=$(exec stat -c %g - <&"$new" 2>/dev/null {new}>&- {model}<&- 6<&- 8>&- 9>&-)
      fi
      if [[ $name != "${found%%$'\n'*}" ]]; then
        status=1
      elif [[ $owner != 0 && $owner != "$user" && $user != 0 ]]; then
        status=2
      # cp(1) would give the permissions of this group to another one.
      elif [[ $user != 0 && "$groups $created " != *" $group "* ]] &&
        (((8#$mode >> 3 ^ 8#$mode) & 7)); then
        status=3
      # Another mode than 600 would be that of an access control list of the directory.
      elif [[ $mode == 600 && $owner == "$user" && $group == "$created" ]] && {
        [[ $found == *' 600' ]] ||
          { chmod 600 /dev/stdout >&"$new" {new}>&- {model}<&- 6<&- 8>&- 9>&-; } 2>/dev/null
      } ||
        { cp --attributes-only --preserve=mode,ownership /dev/stdin /dev/stdout \
          <&"$model" >&"$new" {new}>&- {model}<&- 6<&- 8>&- 9>&-; } 2>/dev/null; then
        status=0
      # cp(1) of uutils cannot copy to an open file. Without an access control list, chown(1) and
      # chmod(1) do the same. ls(1) of BusyBox cannot show such a list: it fails here, because it
      # lacks --dereference.
      elif found=$(exec ls -n --dereference /dev/stdin \
        <&"$model" 2>/dev/null {new}>&- {model}<&- 6<&- 8>&- 9>&-) && [[ ${found%% *} != *+ ]] &&
        found=$(exec ls -n --dereference /dev/stdin \
          <&"$new" 2>/dev/null {new}>&- {model}<&- 6<&- 8>&- 9>&-) && [[ ${found%% *} != *+ ]] &&
        { chown "$owner:$group" /dev/stdout && chmod "$mode" /dev/stdout; } \
          >&"$new" 2>/dev/null {new}>&- {model}<&- 6<&- 8>&- 9>&-; then
        status=0
      fi
    fi
    exec {model}<&-
  fi
  if ((status == 0)) && { printf '%s' "$2" >&"$new"; } 2>/dev/null; then
    REPLY=$mode
  elif ((status == 0)); then
    status=1
  fi
  exec {new}>&-
  return "$status"
}

# Test whether $1 is a symbolic link that this user or root owns. Fail if that cannot be determined,
# for example without stat(1).
is_own_link() {
  local +x found
  # Read both in one call: the link may change between two calls.
  found=$(exec stat -c '%f %u' -- "$1" 2>/dev/null 6<&- 8>&- 9>&-)
  user_id
  [[ $found == a???' 0' || $found == a???" $REPLY" ]] # a: S_IFLNK (inode(7))
}

# Set REPLY to a new name for a temporary file beside the file $1. It ends with the time in
# microseconds, so an mv(1) that a killed run has left behind cannot move this run's file. Another
# run may choose the same name: create_file then returns 4.
temporary_name() {
  REPLY=$1.oauthkit.${EPOCHREALTIME/./}
}

# Remove the temporary files of killed runs beside the file $1. Then call temporary_name.
own_temporary() {
  local +x name old=()
  for name in "$1".oauthkit.*; do
    if [[ ${name#"$1".oauthkit.} =~ ^[0-9]{16}$ ]]; then # microseconds since the epoch
      old+=("$name")
    fi
  done
  if ((${#old[@]} > 0)); then
    { rm -f "${old[@]:0:1000}"; } >/dev/null 2>&1 6<&- 8>&- 9>&- # more may not fit into argv
  fi
  temporary_name "$1"
}

# Test whether the paths $1 and $2 lead to the same file.
same_file() {
  [[ $1 -ef $2 ]]
}

# Change the working directory to $1. Status 1 if that fails.
change_directory() {
  local +x path=$1
  # cd would search CDPATH for a relative path, and treat - as the previous directory.
  [[ $path == /* ]] || path=./$path
  [[ -n $1 ]] && cd -P -- "$path" 2>/dev/null || return 1
}

# Open the file $1 as the one that log appends to, as file descriptor 8, unless it is open already.
# It fails for a FIFO, another user's symbolic link, and, unless root runs the program, another
# user's file. The log that was open before is then kept.
open_log() {
  local +x new found name file status
  if [[ /dev/fd/8 -ef $1 ]]; then
    return 0
  fi
  user_id
  if [[ -p $1 ]] || { [[ -L $1 ]] && ! is_own_link "$1"; } ||
    ! { exec {new}>>"$1"; } 2>/dev/null; then
    return 1
  fi
  # The name may lead elsewhere at any moment, so one call compares it with the open file: it is
  # that file, or a link (mode a???) of this user or root. If stat(1) is missing or was killed, the
  # run must go on, because it schedules the next one.
  found=$(exec stat -c '%d:%i %f %u %s' -- "$1" - <&"$new" 2>/dev/null {new}>&- 8>&- 9>&-)
  status=$?
  ((status == 0)) || found=
  name=${found%%$'\n'*}
  file=${found#*$'\n'}
  if [[ /dev/fd/$new -ef $1 && ! -p /dev/fd/$new ]] &&
    [[ -O /dev/fd/$new || ! -f /dev/fd/$new || $REPLY == 0 ]] &&
    [[ $status -ge 126 || $name == *' a'???" $REPLY "* || $name == *' a'???' 0 '* ||
      ($status == 0 && ${name%% *} == "${file%% *}") ]]; then
    exec 8>&"$new" {new}>&-
    _log_size=${file##* }
    return 0
  fi
  exec {new}>&-
  return 1
}

# Set REPLY to the size in bytes that the log had when open_log opened it.
log_size() {
  REPLY=${_log_size:-0}
}

# Append the time and $1 to the log as one line, on a terminal also to stderr. Cut the text
# after 16 KiB, and mask secrets (mask_secrets). Replace control characters with ?, or remove them if
# a secret was masked. Any line of a command's output is shorter than 16 KiB, because part of a
# secret would not be masked.
log() {
  local +x text=${1:0:16384} plain line
  # Without control characters first: they could be inside a secret.
  replace_controls "$text" ''
  plain=$REPLY
  mask_secrets "$plain"
  if [[ $REPLY == "$plain" ]]; then
    replace_controls "$text" '?'
  fi
  line=$REPLY
  timestamp "$EPOCHSECONDS"
  REPLY="$REPLY $line"
  { printf '%s\n' "$REPLY" >&8; } 2>/dev/null
  if [[ -t 2 ]]; then
    complain "$REPLY"
  fi
}

# Append $1 to the log as log does, and print the line on stderr, even off a terminal.
log_error() {
  log "$1"
  if [[ ! -t 2 ]]; then
    complain "$REPLY"
  fi
}

# Print $1 on stderr as a line. Ignore errors.
complain() {
  printf '%s\n' "$1" >&2 2>/dev/null
}

# Take the exclusive flock(2) of the file $1 for the rest of the run, or until the next call.
# Status 1 if another process has held it for $2 seconds, 127 without flock(1). Another status if the
# file cannot be locked, is a FIFO, is another user's symbolic link, or, unless root runs the
# program, another user's file. File descriptor 9 holds the lock: programs are started with 9>&-,
# because they could otherwise hold it after the end of the run.
take_lock() {
  local +x status
  user_id
  if [[ -p $1 ]] || { [[ -L $1 ]] && ! is_own_link "$1"; } || ! { exec 9>>"$1"; } 2>/dev/null; then
    return 2
  fi
  # The link may have been there for just that moment.
  if [[ -p /dev/fd/9 || ($REPLY != 0 && -f /dev/fd/9 && ! -O /dev/fd/9) ]] ||
    { [[ -L $1 ]] && ! is_own_link "$1"; } || [[ ! /dev/fd/9 -ef $1 ]]; then
    exec 9>&-
    return 2
  fi
  find_program flock # bash would return 126 for a file that is not executable
  [[ -n $REPLY ]] || return 127
  { flock -n 9; } >/dev/null 2>&1 8>&-
  status=$?
  # `flock -w` fails if other processes have used up the user's pending signals. See timer_create(2).
  if ((status == 1 && $2 > 0)) && find_program timeout && [[ -n $REPLY ]]; then
    # SIGKILL, because the caller may have blocked SIGTERM.
    { timeout --foreground -s KILL "$2" flock 9; } >/dev/null 2>&1 8>&-
    status=$?
    ((status != 124 && status != 137)) || status=1 # 124 with uutils
  fi
  return "$status"
}

# Take the exclusive flock(2) of the directory $1, until unlock_directory. Status 1 if another
# process has held it for $2 seconds, 2 if the directory cannot be opened, 3 if a signal ended the
# wait (outlive_signals), else that of flock(1) or timeout(1). File descriptor 6 holds the lock.
lock_directory() {
  local +x status
  { exec 6<"$1"; } 2>/dev/null || return 2
  _group=-1
  { flock -n 6; } >/dev/null 2>&1 8>&- 9>&-
  status=$?
  if ((status == 1 && $2 > 0)) && find_program timeout && [[ -n $REPLY ]]; then
    timeout --foreground -s KILL "$2" flock 6 >/dev/null 2>&1 8>&- 9>&- &
    _command=$!
    if ((_group != -1)); then # a signal arrived before the wait
      _group=$_command
      end_command
    else
      _group=$_command
    fi
    { wait "$_command"; } 2>/dev/null
    status=$?
    ((status != 124 && status != 137)) || status=1
    ((_group != 0)) || status=3
  fi
  _group=0
  return "$status"
}

# Release the lock of lock_directory.
unlock_directory() {
  exec 6<&-
}

# Continue the run to its end after SIGTERM, SIGINT or SIGHUP, so that it schedules the next one.
# End the command of start_command then, so that this does not take long.
outlive_signals() {
  trap end_command TERM INT HUP
}

# Run the command $3… and return its exit status. Set REPLY to its output, as finish_command does.
# After $1 seconds, the command's process group gets SIGTERM, and $2 seconds later SIGKILL. The
# status is then 124 or 137 (timeout(1)). If a signal to this process ended the command, it is 124.
# It is 127 without timeout(1). Without dd(1), the output is lost.
run_limited() {
  local +x status
  start_command "$@"
  status=$?
  if ((status != 0)); then
    REPLY=
    return "$status"
  fi
  finish_command "$2"
}

# Start the command $3… in the background, with the limits of run_limited. Status 127 without
# timeout(1), 126 without a pipe. finish_command must follow. File descriptor 7 is the pipe with the
# command's output.
start_command() {
  local +x limit_s=$1 grace_s=$2 pipe sink
  shift 2
  find_program timeout
  [[ -n $REPLY ]] || return 127
  # The keeper writes to this pipe. This process reads from it.
  exec {pipe}<> <(:) && exec 7<"/dev/fd/$pipe" || return 126
  { wait "$!"; } 2>/dev/null # as long as that process exists, it holds the lock, too
  # The command must be able to write as long as it lives: the keeper outlives the signals to the
  # process group of this run.
  exec {sink}> >(
    trap '' TERM INT HUP
    exec >&"$pipe" {pipe}>&- 2>/dev/null 6<&- 7<&- 8>&- 9>&-
    dd bs=1 count=8192
    exec cat 3>&1 >/dev/null # the pipe ends with the command, not at the limit
  ) || return 126
  exec {pipe}>&-
  _group=-1 _output='' _size=0
  # In the background, bash ignores SIGINT and SIGQUIT.
  (trap - INT QUIT && exec timeout -k "$grace_s" "$limit_s" "$@") \
    >&"$sink" 2>&1 {sink}>&- 6<&- 7<&- 8>&- 9>&- &
  _command=$!
  exec {sink}>&-
  if ((_group != -1)); then # a signal came meanwhile
    _group=$_command
    end_command
  else
    _group=$_command
  fi
}

# Wait about 1 s for the end of the command that start_command started. Fail if it has ended.
command_runs() {
  local +x part ended deadline_us=$((${EPOCHREALTIME/./} + 1000000))
  while kill -0 "$_command" 2>/dev/null; do
    IFS= read -r -d '' -n 512 -t 1 -u 7 part # up to a NUL byte, or 512 bytes
    ended=$?
    _output+=$part
    _size=$((_size + ${#part} + (ended == 0 && ${#part} < 512)))
    if ((ended > 128 || ended == 0 && ${EPOCHREALTIME/./} > deadline_us)); then
      kill -0 "$_command" 2>/dev/null
      return
    elif ((ended != 0)); then # timeout(1) has ended, too
      { wait "$_command"; } 2>/dev/null
    fi
  done
  return 1
}

# End the command that start_command started, as a signal to this process does.
end_command() {
  if ((_group > 0)); then
    # At first, timeout(1) does not have a process group of its own.
    { kill -TERM -- "-$_group" || kill -TERM "$_group"; } 2>/dev/null
  fi
  _group=0
}

# Wait for the end of the command that start_command started, and return its exit status. Set REPLY
# to the first 8 KiB of its stdout and stderr, without NUL bytes or trailing newlines. The rest is
# discarded. If the limit cuts a word, the word is dropped, because part of a secret would not be
# masked. $1 is the grace period of start_command.
finish_command() {
  local +x grace_s=$1 status deadline_s part='' ended
  while command_runs; do
    :
  done
  # A signal ends the waiting, not the command.
  while :; do
    { wait "$_command"; } 2>/dev/null
    status=$?
    if ((status <= 128)) || ! kill -0 "$_command" 2>/dev/null; then
      break
    fi
  done
  if ((_group == 0)); then
    status=124
  fi
  if ((status == 124 || status == 137)); then
    # timeout(1) exits with the command. Give the rest of its process group the grace period, too.
    while ((grace_s > 0)) && kill -0 -- "-$_command" 2>/dev/null; do
      { sleep 1; } >/dev/null 2>&1 6<&- 7<&- 8>&- 9>&-
      grace_s=$((grace_s - 1))
    done
    kill -KILL -- "-$_command" 2>/dev/null
  fi
  _group=0
  # Stop after 1 s without output, or after 5 s: a process that outlives the command may hold the
  # pipe open.
  deadline_s=$((EPOCHSECONDS + 5))
  until ((EPOCHSECONDS > deadline_s)); do
    IFS= read -r -d '' -n 512 -t 1 -u 7 part
    ended=$?
    _output+=$part
    _size=$((_size + ${#part} + (ended == 0 && ${#part} < 512)))
    if ((ended == 1 || ${#part} == 0 && ended != 0)); then
      break
    fi
  done
  exec 7<&-
  REPLY=$_output
  if ((_size == 8192)) && [[ $REPLY =~ [A-Za-z0-9._~+/=-]*$ ]]; then
    REPLY=${REPLY:0:${#REPLY}-${#BASH_REMATCH[0]}}
  fi
  while [[ $REPLY == *$'\n' ]]; do
    REPLY=${REPLY%$'\n'}
  done
  return "$status"
}

# Disable core dumps of this process and its children: memory contains secrets.
disable_core_dumps() {
  ulimit -c 0
}

# Set REPLY to the environment variable $1, empty if it is unset.
get_env() {
  REPLY=
  # bash would run a command in the subscript of another text.
  if [[ $1 =~ ^[A-Za-z_][A-Za-z0-9_]*$ && -v $1 && ${!1@a} == *x* ]]; then
    REPLY=${!1}
  fi
}

# Set the environment variable $1 to $2 for the script and the commands that it starts.
set_env() {
  if [[ $1 =~ ^[A-Za-z_][A-Za-z0-9_]*$ ]]; then
    declare -gx -- "$1=$2" # not a local variable of the program
  fi
}

# Set REPLY to the real user ID (getuid(2)). If the caller exports UID, bash does not set it.
user_id() {
  REPLY=$UID
  if [[ ${UID@a} != *r* ]]; then
    REPLY=$(exec id -ru 2>/dev/null 8>&- 9>&-) || REPLY=$UID
  fi
}

# Set REPLY to the absolute path $1 for use in a systemd unit name, as systemd-escape(1) --path
# does. If the result is longer than 150 characters, set REPLY to the last 150.
escape_unit() {
  local +x rest=$1 character code escaped=''
  while [[ $rest == /* ]]; do
    rest=${rest#/}
  done
  while [[ $rest == */ ]]; do
    rest=${rest%/}
  done
  while [[ -n $rest ]]; do
    character=${rest:0:1}
    rest=${rest:1}
    case $character in
      /) character=- ;;
      [A-Za-z0-9:_.]) ;;
      *)
        printf -v code %d "'$character"
        printf -v character '\\x%02x' "$((code & 255))"
        ;;
    esac
    escaped+="$character"
  done
  if [[ $escaped == .* ]]; then
    escaped="\\x2e${escaped#.}"
  fi
  REPLY=${escaped:--}
  if ((${#REPLY} > 150)); then
    REPLY=${REPLY: -150}
  fi
}

# Set REPLY to the path of the program $1 in PATH, or $1 itself if it has a slash. Empty if there
# is no such program.
find_program() {
  local +x rest=${PATH-}: directory
  REPLY=
  if [[ $1 == */* ]]; then
    if [[ -f $1 && -x $1 ]]; then
      REPLY=$1
    fi
    return
  fi
  while [[ -n $rest ]]; do
    directory=${rest%%:*}
    rest=${rest#*:}
    if [[ -f ${directory:-.}/$1 && -x ${directory:-.}/$1 ]]; then
      REPLY=${directory:-.}/$1
      return
    fi
  done
}

# Set REPLY to the real path of this script, and keep it for own_command. readlink(1) resolves
# links, if there are any. End the run with status 1 if the path cannot be determined.
script_path() {
  local +x path=$0 prefix answer
  if [[ ${BASH_SOURCE@a} == *a* ]]; then # not if the caller has exported a BASH_SOURCE
    path=${BASH_SOURCE[0]}               # found in PATH, or sourced by another script
  fi
  # With -c or -s, $0 is not the file that bash reads.
  if [[ $- == *[cs]* || ! -f $path ]]; then
    complain 'this script cannot find its own path. Start it by its path'
    exit 1
  fi
  prefix=$path
  until [[ -L $prefix || $prefix != */* ]]; do
    prefix=${prefix%/*}
  done
  if [[ -L $prefix ]]; then
    answer=$(exec readlink -f -- "$path" 2>/dev/null 8>&- 9>&-)
    if [[ ! $answer -ef $path ]]; then # also for a name that ends in a newline
      replace_controls "$prefix" '?'
      complain "readlink cannot resolve the link $REPLY"
      exit 1
    fi
    path=$answer
  fi
  absolute "$path"
  _script=$REPLY
}

# Set REPLIES to the argv that starts the script of another program, $1, in this script's directory.
# Only the Python half needs the project, $2.
sibling_command() {
  REPLIES=("$BASH" "${_script%/*}/$1.sh")
}

# Set REPLIES to the argv that starts this script again, for ExecStart= of systemd. A $ is doubled
# in the arguments, because systemd expands variables there (systemd.service(5), COMMAND LINES).
# Only the Python half needs the project, $1: this script is inside it.
own_command() {
  local +x shell=$BASH
  # After `exec -a` or with BASH_ARGV0 set, $BASH is the login shell. After an upgrade of bash, the
  # file that runs has been deleted, and $BASH is the new one.
  if [[ ! $BASH -ef /proc/$$/exe ]]; then
    shell=$(exec readlink "/proc/$$/exe" 2>/dev/null 8>&- 9>&-)
    [[ -x $shell ]] || shell=$BASH
  fi
  REPLIES=("$shell" "${_script//'$'/'$$'}")
}
# --- Constructs ---
# Functions for constructs that Python itself has. The compiler calls them.

# Set REPLY to the rest of standard input. End the run with status 1 if it has a NUL byte.
read_stdin() {
  local +x TMOUT=0 # the caller's limits the time of read
  REPLY=
  # read succeeds only at its delimiter, NUL here.
  if { IFS= read -r -d '' REPLY; } 2>/dev/null; then
    complain 'standard input has a NUL byte, which is not supported. Remove it'
    exit 1
  fi
}

# Set REPLY to the number of characters in $1, as Python's len counts them. Each valid UTF-8
# character (RFC 3629) counts as one. So does each other byte.
count_characters() {
  local +x text=$1 tail=$'[\x80-\xbf]'
  if [[ $text == *[$'\x80'-$'\xff']* ]]; then
    text=${text//[$'\xc2'-$'\xdf']$tail/x}
    text=${text//$'\xe0'[$'\xa0'-$'\xbf']$tail/x}
    text=${text//$'\xed'[$'\x80'-$'\x9f']$tail/x}
    text=${text//[$'\xe1'-$'\xec\xee\xef']$tail$tail/x}
    text=${text//$'\xf0'[$'\x90'-$'\xbf']$tail$tail/x}
    text=${text//[$'\xf1'-$'\xf3']$tail$tail$tail/x}
    text=${text//$'\xf4'[$'\x80'-$'\x8f']$tail$tail/x}
  fi
  REPLY=${#text}
}

# Strip whitespace, or the characters $3, from $1 as str.strip does, and set REPLY to the result.
# $2 is the side: start, end or both.
strip_text() {
  local +x where=$2 set=${3:-$' \t\n\v\f\r\034\035\036\037'} found
  REPLY=$1
  while [[ $where != end ]]; do
    found=${REPLY%%[!"$set"]*}
    REPLY=${REPLY:${#found}}
    [[ ! -v 3 ]] || break
    case $REPLY in # in UTF-8
      $'\xc2\x85'* | $'\xc2\xa0'*) REPLY=${REPLY:2} ;;
      $'\xe2\x80'[$'\x80'-$'\x8a\xa8\xa9\xaf']*) REPLY=${REPLY:3} ;;
      $'\xe1\x9a\x80'* | $'\xe2\x81\x9f'* | $'\xe3\x80\x80'*) REPLY=${REPLY:3} ;;
      *) break ;;
    esac
  done
  while [[ $where != start ]]; do
    found=${REPLY##*[!"$set"]}
    REPLY=${REPLY:0:${#REPLY}-${#found}}
    [[ ! -v 3 ]] || break
    case $REPLY in
      *$'\xc2\x85' | *$'\xc2\xa0') REPLY=${REPLY:0:${#REPLY}-2} ;;
      *$'\xe2\x80'[$'\x80'-$'\x8a\xa8\xa9\xaf']) REPLY=${REPLY:0:${#REPLY}-3} ;;
      *$'\xe1\x9a\x80' | *$'\xe2\x81\x9f' | *$'\xe3\x80\x80') REPLY=${REPLY:0:${#REPLY}-3} ;;
      *) break ;;
    esac
  done
}

# Set REPLY to $1 // $3 or $1 % $3, rounded as in Python. $2 is the operator. End the run with
# status 1 if $3 is 0.
divide() {
  local +x quotient
  if (($3 == 0)); then
    complain 'division by zero'
    exit 1
  fi
  quotient=$(($1 / $3 - ($1 % $3 != 0 && ($1 < 0) != ($3 < 0))))
  REPLY=$quotient
  [[ $2 == // ]] || REPLY=$(($1 - quotient * $3))
}

# Set REPLY to the number $1, padded as printf does with the format %$2d.
pad_number() {
  printf -v REPLY "%$2d" "$1"
}

# Pad $1 with spaces to $2 characters: at its start if $3 is >, else at its end. Set REPLY to the
# result.
pad_text() {
  local +x spaces
  count_characters "$1"
  printf -v spaces '%*s' "$((REPLY < $2 ? $2 - REPLY : 0))" ''
  REPLY=$1$spaces
  [[ $3 != '>' ]] || REPLY=$spaces$1
}

# Set REPLY to Python's $1[$2:$3]. Without $3, the slice runs to the end. Positions are in
# characters, as in count_characters.
slice_text() {
  local +x start=$2 end=${3-} rest=$1 text='' tail=$'[\x80-\xbf]' length
  local +x -a characters=()
  count_characters "$1"
  ((start >= 0)) || start=$((start + REPLY < 0 ? 0 : start + REPLY))
  [[ -n $end ]] && ((end <= REPLY)) || end=$REPLY
  ((end >= 0)) || end=$((end + REPLY))
  if ((start >= end)); then
    REPLY=''
  elif ((REPLY == ${#1})); then
    REPLY=${1:start:end-start}
  else
    while ((${#characters[@]} < end)); do
      if ((${#text} < 4)); then
        text+=${rest:0:1000} # in pieces, because bash is slow with long strings
        rest=${rest:1000}
      fi
      case $text in
        [$'\xc2'-$'\xdf']$tail*) length=2 ;;
        $'\xe0'[$'\xa0'-$'\xbf']$tail* | $'\xed'[$'\x80'-$'\x9f']$tail*) length=3 ;;
        [$'\xe1'-$'\xec\xee\xef']$tail$tail*) length=3 ;;
        $'\xf0'[$'\x90'-$'\xbf']$tail$tail* | $'\xf4'[$'\x80'-$'\x8f']$tail$tail*) length=4 ;;
        [$'\xf1'-$'\xf3']$tail$tail$tail*) length=4 ;;
        *) length=1 ;;
      esac
      characters+=("${text:0:length}")
      text=${text:length}
    done
    printf -v REPLY '%s' "${characters[@]:start:end-start}"
  fi
}

# Split $1 at the character $2, or at whitespace if there is no $2, as str.split does. Set REPLIES
# to the parts.
split_text() {
  local +x rest=$1 IFS=${2- }
  if [[ -v 2 ]]; then
    rest+=$2 # or an empty last part would be lost
  else
    rest=${rest//[$'\t\n\v\f\r\034\035\036\037']/ }
    rest=${rest//$'\xc2'[$'\x85\xa0']/ }
    rest=${rest//$'\xe1\x9a\x80'/ }
    rest=${rest//$'\xe2\x80'[$'\x80'-$'\x8a\xa8\xa9\xaf']/ }
    rest=${rest//$'\xe2\x81\x9f'/ }
    rest=${rest//$'\xe3\x80\x80'/ }
  fi
  local -
  set -f
  # shellcheck disable=SC2206 # split at each separator, and do not expand patterns
  REPLIES=($rest)
}

# Set REPLIES to the lines of $1, split as str.splitlines does. U+0085, U+2028 and U+2029 end a
# line, too.
split_lines() {
  local +x rest=${1//$'\r\n'/$'\036'} IFS=$'\036'
  rest=${rest//[$'\n\r\v\f\034\035']/$'\036'}
  rest=${rest//$'\xc2\x85'/$'\036'}
  rest=${rest//$'\xe2\x80'[$'\xa8\xa9']/$'\036'}
  local -
  set -f
  # shellcheck disable=SC2206 # split at each \036, and do not expand patterns
  REPLIES=($rest)
}

# Set REPLIES to the paths in the directory $1 whose names match the pattern $2, sorted by code
# points, as Python sorts. There, a byte that is not UTF-8 is a character between U+D7FF and U+E000
# (PEP 383), so it gets the first bytes of such a character in front of it while they are sorted.
sorted_glob() {
  local +x directory=${1%/}/ utf8=$'[^\x80-\xff]|[\xc2-\xdf][\x80-\xbf]' IFS='' path key i
  utf8+=$'|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf][\x80-\xbf]'
  utf8+=$'|\xed[\x80-\x9f][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf][\x80-\xbf]'
  utf8+=$'|[\xf1-\xf3][\x80-\xbf][\x80-\xbf][\x80-\xbf]|\xf4[\x80-\x8f][\x80-\xbf][\x80-\xbf]'
  shopt -u dotglob nocaseglob
  shopt -s nullglob
  REPLIES=()
  # shellcheck disable=SC2231 # the pattern is expanded, but not split
  for path in "$directory"$2; do
    case ${path#"$directory"} in . | ..) continue ;; esac
    key=
    while [[ $path == *[$'\x80'-$'\xff']* && $path =~ ^($utf8)* ]]; do
      key+=${BASH_REMATCH[0]}
      path=${path:${#BASH_REMATCH[0]}}
      key+=${path:+$'\xed\xb2'${path:0:1}}
      path=${path:1}
    done
    key+=$path
    # bash has sorted them by bytes.
    for ((i = ${#REPLIES[@]}; i > 0; i--)); do
      [[ ${REPLIES[i - 1]} > $key ]] || break
      REPLIES[i]=${REPLIES[i - 1]}
    done
    REPLIES[i]=$key
  done
  shopt -u nullglob
  REPLIES=("${REPLIES[@]//$'\xed\xb2'/}")
}
