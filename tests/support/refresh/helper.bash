# Shared by the tests of scripts/oauth/refresh.sh: a separate world for each test, checks, and
# stand-ins for claude, systemd-run and systemctl, which record their calls.
#
# The script gets a HOME, a project and a PATH that belong to the test, an environment built from
# scratch and a frozen clock. Besides the stand-ins, PATH has only the programs in TOOLS, so this
# list also tests the script's dependencies. jq and the coreutils are real.

# ShellCheck's findings that do not apply here and in the tests: text that a stand-in expands
# (SC2016), variables that a test changes in its own subshell (SC2030, SC2031), variables set and
# read by bats or a test (SC2034, SC2154), and runs of the script without arguments (SC2119,
# SC2120).
# shellcheck disable=SC2016,SC2034,SC2120,SC2154
bats_require_minimum_version 1.5.0

REPOSITORY=$(cd "$BATS_TEST_DIRNAME/../../.." && pwd -P)
TOOLS=(bash cat chmod cp dd flock head jq mkdir mv readlink rm sleep stat sync timeout)

# 2026-01-02T03:04:05Z
NOW_S=1767323045
NOW_MS=$((NOW_S * 1000))
HOUR_MS=$((60 * 60 * 1000))
MINUTE_MS=$((60 * 1000))
OLD_TOKEN=sk-ant-oat01-OLD_made-up
NEW_TOKEN=sk-ant-oat01-NEW_made-up
UNIT=nanoclaw-oauth-refresh-next

setup() {
  make_world "$BATS_TEST_TMPDIR/world"
}

# Create a test's world in the directory $1, with its project in $2 (by default below $1).
make_world() {
  world=$1
  home=$world/home
  project=${2:-$world/project}
  dotenv=$project/.env
  log=$project/logs/oauth-refresh.log
  lock=$project/logs/oauth-refresh.lock
  own_unit=${project#/}
  own_unit=${own_unit//-/'\x2d'}
  escaped_project=${own_unit//'/'/-}
  own_unit=$UNIT-$escaped_project
  failing=$project/logs/oauth-refresh.failing
  script=$project/scripts/oauth/refresh.sh
  credentials=$home/.claude/.credentials.json
  calls=$world/calls
  units=$world/units
  temporary=$dotenv.oauthkit.${NOW_S}000000
  background=()
  mkdir -p "$home/.claude" "$project/scripts/oauth" "$calls" "$units" "$world/bin" "$world/tools"
  : >"$calls/order"
  cp "$REPOSITORY/scripts/oauth/refresh.sh" "$script"
  chmod 0755 "$script"

  local tool
  for tool in "${TOOLS[@]}"; do
    ln -s "$(type -P "$tool")" "$world/tools/$tool"
  done
  if [[ -n ${OAUTHKIT_BASH-} ]]; then # another release of bash
    ln -sf "$OAUTHKIT_BASH" "$world/tools/bash"
  fi
  make_stand_ins

  printf '%s\n' 'unset EPOCHSECONDS EPOCHREALTIME' "EPOCHSECONDS=$NOW_S" \
    "EPOCHREALTIME=$NOW_S.000000" 'export -n EPOCHSECONDS EPOCHREALTIME' >"$world/clock"
  environment=(HOME="$home" PATH="$world/bin:$world/tools" TZ=UTC0 BASH_ENV="$world/clock")
  prefix=()
}

make_stand_ins() {
  make_stand_in claude
  make_stand_in systemd-run
  make_stand_in systemctl
  plan systemd-run "$(declare -f arm_timer)" 'arm_timer "$@"'
  plan systemctl "$(declare -f change_units)" 'change_units "$@"'
}

# From here on, the script and the stand-ins have the real clock.
use_real_clock() {
  unset 'environment[-1]'
  NOW_S=$EPOCHSECONDS
  NOW_MS=$((NOW_S * 1000))
  make_stand_ins
}

# From here on, bash splits unquoted values at digits: an IFS set in BASH_ENV takes effect, whereas
# one in the environment does not.
split_numbers() {
  printf 'IFS=0123456789\n' >>"$world/clock"
}

# Checked after every test: no token is in an argument, an environment, the log or the output, and
# there was no unplanned call.
teardown() {
  local pid secret file
  for pid in "${background[@]}"; do
    kill -KILL "$pid" 2>/dev/null || true
  done
  for secret in "$OLD_TOKEN" "$NEW_TOKEN"; do
    if grep -rlF -e "$secret" "$calls" "$log" 2>/dev/null || [[ ${output-} == *"$secret"* ]]; then
      fail "the token $secret was revealed"
    fi
  done
  if [[ -e $world/unplanned ]]; then
    fail "unplanned calls: $(cat "$world/unplanned")"
  fi
}

# --- Stand-ins -----------------------------------------------------------------------------------

# Create the program $1, which records its call and then does what was planned. It runs with bash
# -p, which ignores functions and BASH_ENV in the environment.
make_stand_in() {
  local name=$1 path=$world/bin/$1
  {
    printf '#!%s -p\n' "$BASH"
    declare -p world calls units credentials NOW_S NOW_MS
    printf 'rm=%q sleep=%q name=%q\n' "$(type -P rm)" "$(type -P sleep)" "$name"
    declare -f record renew refuse
    printf '%s\n' 'record "$@"' '. "$world/plan-$name"'
  } >"$path"
  chmod 0755 "$path"
  plan "$name" 'printf "%s\n" "$name" >>"$world/unplanned"; exit 97'
}

# Plan the bash lines $2… for a call of the stand-in $1. Its arguments are in "$@".
plan() {
  printf '%s\n' "${@:2}" >"$world/plan-$1"
}

# Record the real program $1, too: a stand-in records the call and then becomes the program.
record_tool() {
  local real
  real=$(type -P "$1")
  make_stand_in "$1"
  plan "$1" "exec $(printf %q "$real") \"\$@\""
}

# Remove the program $1.
without() {
  rm -f "$world/bin/$1" "$world/tools/$1"
}

# Plan that claude renews the access token to $1, which lives for $2 ms from now.
claude_renews() {
  plan claude "renew ${1:-$NEW_TOKEN} ${2:-$((8 * HOUR_MS))}"
}

# --- Run by the stand-ins ------------------------------------------------------------------------

# Record a call: its arguments, environment, directory and open descriptors.
record() {
  local entry="$calls/$name.$$" fd
  local -a pairs=()
  printf '%s %s\n' "$name" "$$" >>"$calls/order"
  printf '%s\0' "$@" >"$entry.argv"
  mapfile -d '' -t pairs <"/proc/$$/environ"
  printf '%s\n' "${pairs[@]}" >"$entry.environment"
  printf '%s\n' "$PWD" >"$entry.directory"
  : >"$entry.descriptors"
  for fd in "/proc/$$/fd"/*; do
    # 255 is the stand-in's own script
    if [[ ${fd##*/} -gt 2 && ${fd##*/} -ne 255 && -e $fd ]]; then
      printf '%s\n' "${fd##*/}" >>"$entry.descriptors"
    fi
  done
  if [[ ! /proc/$$/fd/0 -ef /dev/null ]]; then
    printf 'stdin is not empty\n' >>"$entry.descriptors"
  fi
}

# Write a renewed access token $1 with $2 ms of life to the credentials.
renew() {
  printf '{"claudeAiOauth":{"accessToken":"%s","expiresAt":%s,"refreshToken":"made-up"}}\n' \
    "$1" "$((NOW_MS + $2))" >"$credentials"
}

# Exit with the status $1 and the message $2 on stderr.
refuse() {
  printf '%s\n' "$2" >&2
  exit "$1"
}

# systemd-run: like the real one, it rejects a name in use by a pending timer, or by a service that
# runs or has failed. A time in the past creates a timer that never elapses.
arm_timer() {
  local argument unit='' due=''
  for argument in "$@"; do
    case $argument in
      --) break ;;
      --unit=*) unit=${argument#*=} ;;
      --on-calendar=@*) due=${argument#*@} ;;
      --user | --quiet | --collect | --description=* | --timer-property=* | --property=* | --on-active=* | --setenv=*) ;;
      *) refuse 1 "systemd-run: no test expects $argument" ;;
    esac
  done
  if [[ -e $units/$unit.timer || -e $units/$unit.service ]]; then
    refuse 1 "Failed to start transient timer unit: Unit $unit.timer was already loaded or has a fragment file."
  fi
  if ((due > NOW_S)); then
    printf '%s\n' "$due" >"$units/$unit.timer"
  fi
}

# systemctl --user [--no-block] stop | reset-failed UNIT…
change_units() {
  local unit verb
  [[ $1 == --user ]] || refuse 1 "systemctl: no test expects $*"
  shift
  [[ $1 != --no-block ]] || shift
  verb=$1
  for unit in "${@:2}"; do
    case $verb in
      stop) "$rm" -f "$units/$unit" ;;
      reset-failed)
        if [[ -e $units/$unit && $(<"$units/$unit") == failed ]]; then
          "$rm" -f "$units/$unit"
        fi
        ;;
      *) refuse 1 "systemctl: no test expects $verb" ;;
    esac
  done
}

# --- What a test sets up -------------------------------------------------------------------------

# Write credentials with the access token $1, which lives for $2 ms from now.
credentials() {
  renew "$1" "$2"
}

# Write $1 to the credentials file, formatted by printf.
raw_credentials() {
  # shellcheck disable=SC2059 # $1 is a format
  printf "$1" >"$credentials"
}

# Write $1 to .env, formatted by printf.
raw_dotenv() {
  # shellcheck disable=SC2059 # $1 is a format
  printf "$1" >"$dotenv"
  chmod 0600 "$dotenv"
}

# Run the script with the arguments $@. Set status, output (stdout) and stderr as bats' run does.
refresh() {
  run --separate-stderr "${prefix[@]}" env -i "${environment[@]}" bash "$script" "$@" 3>&-
}

# Start the script in the background. Set $started to its process ID.
refresh_in_background() {
  env -i "${environment[@]}" bash "$script" "$@" >/dev/null 2>&1 3>&- &
  started=$!
  background+=("$started")
}

# Run the script without root's right to read and write every file.
without_override() {
  ((EUID == 0)) || return 0
  local rights=-dac_override,-dac_read_search
  prefix=(setpriv "--bounding-set=$rights" "--inh-caps=$rights")
  "${prefix[@]}" true || gap 'root cannot give up its rights here'
}

# Skip a test that cannot run here, for the reason $1. Fail instead if no test may be skipped.
gap() {
  if [[ ${OAUTHKIT_REQUIRE_E2E-} == 1 ]]; then
    fail "$1 (OAUTHKIT_REQUIRE_E2E=1 allows no skip)"
  fi
  skip "$1"
}

# Wait until the command $@ succeeds, for at most 20 s.
wait_until() {
  local deadline=$((SECONDS + 20))
  until "$@"; do
    if ((SECONDS >= deadline)); then
      fail "waited in vain for: $*"
    fi
    sleep 0.02
  done
}

# Check that the process $1 has ended or is a zombie.
gone() {
  ! grep -qs '^State:[[:space:]]*[^Z[:space:]]' "/proc/$1/status"
}

# --- What a test asks ----------------------------------------------------------------------------

# Fail the test with the message $1.
fail() {
  printf '%s\n' "$1" >&2
  return 1
}

# Check that the text $1 is $2.
is() {
  if [[ $1 != "$2" ]]; then
    printf 'this:     %s\nexpected: %s\n' "${1@Q}" "${2@Q}" >&2
    return 1
  fi
}

# Check that the run exited with the status $1, printed nothing, and wrote exactly these lines to
# stderr: the last lines of a claude that failed, the log's errors of this run, and that the next run
# is not scheduled. The log may have earlier errors.
ended() {
  local errors='' reason='' line text printed=()
  is "$status" "$1" && is "$output" '' || return
  if [[ -f $log ]]; then
    while IFS= read -r line; do
      case ${line#* } in
        'claude: '*) printed+=("$line") ;;
        *'next refresh NOT scheduled') errors+=$line$'\n' ;;
        'ERROR: '*)
          reason=
          if ((${#printed[@]} > 0)); then
            reason=${printed[-1]}
            printf -v text '%s\n' "${printed[@]:${#printed[@]}>5?-5:0}"
            errors+=$text
          fi
          errors+=$line$'\n' printed=()
          ;;
        'WARN: '*) ;;                      # also between claude's output and the error
        'Token '*) printed=() reason='' ;; # the start of most runs
        *) printed=() ;;
      esac
    done < <(grep -aE '^[0-9]{4}-[^ ]+ ' "$log")
  fi
  errors=${errors%$'\n'}
  if [[ $errors != *"$stderr" || $stderr != *"$reason"* || ($1 == 1 && -z $stderr) ]]; then
    printf 'stderr: %s\nerrors: %s\n' "${stderr@Q}" "${errors@Q}" >&2
    return 1
  fi
}

# Check that the file $1 has exactly the bytes that printf makes of $2.
has_bytes() {
  # shellcheck disable=SC2059 # the point of it
  printf "$2" | cmp - "$1"
}

# Print the log line that names the next try after the failure $1.
retry_line() {
  printf 'WARN: scheduling retry in 5 min after: %s\n' "$1"
}

# Check that the log has exactly the lines $@, each with the frozen clock's time.
log_is() {
  local expected
  printf -v expected '2026-01-02T03:04:05+00:00 %s\n' "$@"
  is "$(cat "$log")" "${expected%$'\n'}"
}

# Check that the log has the line $1.
log_has() {
  grep -qxF -e "2026-01-02T03:04:05+00:00 $1" "$log" || {
    printf 'the log lacks: %s\nit has:\n' "$1" >&2
    cat "$log" >&2
    return 1
  }
}

# Print the names of the called programs, in order, on one line.
call_names() {
  local name pid names=''
  while read -r name pid; do
    names+=" $name"
  done <"$calls/order"
  printf '%s\n' "${names# }"
}

# Print how often the stand-in $1 was called.
count_calls() {
  grep -c "^$1 " "$calls/order" || true
}

# Check that the stand-in $1 was called.
was_called() {
  grep -q "^$1 " "$calls/order"
}

# Print the path of the records of call number $2 (default 1) of the stand-in $1.
call() {
  local name pid number=${2:-1}
  while read -r name pid; do
    if [[ $name == "$1" ]] && ((--number == 0)); then
      printf '%s\n' "$calls/$name.$pid"
      return
    fi
  done <"$calls/order"
  fail "$1 was not called ${2:-1} times"
}

# Check that call number $2 of the stand-in $1 had exactly the arguments $3….
called_with() {
  printf '%s\0' "${@:3}" | cmp - "$(call "$1" "$2").argv" || {
    printf '%s was called with:\n' "$1" >&2
    tr '\0' '\n' <"$(call "$1" "$2").argv" >&2
    return 1
  }
}

# Print the argument of call number $2 of the stand-in $1 that starts with $3.
argument_of() {
  tr '\0' '\n' <"$(call "$1" "$2").argv" | grep -e "^$3"
}

# Print the variable $3 in the environment of call number $2 of $1. Fail if it is not set.
variable_of() {
  local line
  line=$(grep -a "^$3=" "$(call "$1" "$2").environment") && printf '%s\n' "${line#*=}"
}

# Print the names of the pending timers on one line.
pending() {
  local timer names=''
  for timer in "$units"/*.timer; do
    [[ ! -e $timer ]] || names+=" ${timer##*/}"
  done
  printf '%s\n' "${names# }"
}

# Check that exactly one timer is pending, due in $1 ms.
due_in() {
  local timer
  timer=$(pending)
  [[ $timer == *.timer && $timer != *' '* ]] || fail "pending: $timer" || return
  is "$(($(<"$units/$timer") - NOW_S))" "$(($1 / 1000))"
}
