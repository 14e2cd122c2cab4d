#!/usr/bin/env bats
# The script as a bash script: its arguments, how it is started, and the caller's environment.

# shellcheck disable=SC2016,SC2030,SC2031,SC2119 # see helper.bash
# shellcheck source=../../support/refresh/helper.bash
source "$BATS_TEST_DIRNAME/../../support/refresh/helper.bash"

expired() {
  credentials "$OLD_TOKEN" -$HOUR_MS
  claude_renews
}

# Check that a whole run succeeded: renewed, delivered, scheduled.
all_well() {
  ended 0
  is "$(sed -n 's/^CLAUDE_CODE_OAUTH_TOKEN=//p' "$dotenv")" "$NEW_TOKEN"
  due_in $((450 * MINUTE_MS))
  is "$(count_calls claude)" 1
}

# --- Arguments -----------------------------------------------------------------------------------

@test "--help and -h print the usage and do nothing" {
  local option
  for option in --help -h; do
    refresh "$option"
    is "$status" 0
    is "$output" 'usage: refresh.sh [--ensure | --rejected]'
    is "$stderr" ''
  done
  is "$(call_names)" ''
  [[ ! -e $project/logs ]]
}

@test "an invalid argument: usage on stderr, exit 2, and nothing is done" {
  local argument
  expired
  for argument in --ensur '' x --project=/ -x; do
    refresh "$argument"
    is "$status" 2
    is "$output" ''
    is "$stderr" "oauthkit: unexpected argument $argument"$'\n''usage: refresh.sh [--ensure | --rejected]'
  done
  refresh --ensure extra
  is "$status" 2
  is "$(call_names)" ''
  [[ ! -e $project/logs && ! -e $dotenv ]]
}

@test "outside a project: one line on stderr, exit 2, and nothing is done" {
  expired
  mkdir -p "$world/other/a/b"
  mv "$script" "$world/other/a/b"
  script=$world/other/a/b/refresh.sh
  refresh
  is "$status" 2
  is "$stderr" "oauthkit: $world/other is not a project. Move this script to a project's scripts/oauth"
  is "$(call_names)" ''
  is "$(ls -A "$world/other")" a
}

@test "HOME unset or empty: one line on stderr, exit 1" {
  local -a rest=("${environment[@]:1}")
  for environment in '' HOME=; do
    environment=(${environment:+"$environment"} "${rest[@]}")
    refresh
    is "$status" 1
    is "$output" ''
    is "$stderr" "oauthkit: HOME is not set. It is needed to find claude's credentials"
    is "$(call_names)" ''
    [[ ! -e $project/logs ]]
  done
}

@test "bash 4 is rejected with a message" {
  expired
  printf 'BASH_VERSION=4.4.20\n' >>"$world/clock"
  refresh
  is "$status" 1
  is "$stderr" "$script: bash 5.0 or newer is needed, this is 4.4.20"
  is "$(call_names)" ''
}

@test "a bash version with two digits is accepted" {
  expired
  printf 'BASH_VERSION=10.0.1\n' >>"$world/clock"
  refresh
  all_well
}

# --- How it is started ---------------------------------------------------------------------------

@test "started as a program, as NanoClaw starts it" {
  expired
  run --separate-stderr env -i "${environment[@]}" "$script" 3>&-
  all_well
}

@test "a project path with blanks, quotes, dollars and more" {
  make_world "$BATS_TEST_TMPDIR/other" "$BATS_TEST_TMPDIR/a b'c\"d\$HOME\`e\`*?[f]\\g;&#%h"
  expired
  refresh
  all_well
  is "$(tr '\0' '\n' <"$(call systemd-run).argv" | tail -n 1)" "${script//'$'/'$$'}"
  log_has "Updated .env with token (expires_at=$((NOW_MS + 8 * HOUR_MS)))"
}

@test "a HOME and a PATH with blanks" {
  expired
  mv "$home" "$world/my home"
  mv "$world/bin" "$world/my programs"
  environment+=(HOME="$world/my home" PATH="$world/my programs:$world/tools")
  plan claude "$(declare -f renew)" "credentials='$world/my home/.claude/.credentials.json'" \
    "renew $NEW_TOKEN $((8 * HOUR_MS))"
  refresh
  all_well
  is "$(argument_of systemd-run 1 --setenv=HOME)" "--setenv=HOME=$world/my home"
}

@test "the same bash starts the next run, whatever its argv[0] is" {
  expired
  cp "$BASH" "$world/another bash"
  run --separate-stderr env -i "${environment[@]}" BASH_ARGV0=x "$world/another bash" "$script" 3>&-
  all_well
  is "$(tr '\0' '\n' <"$(call systemd-run).argv" | tail -n 2)" "$world/another bash"$'\n'"$script"
}

@test "a bash upgrade during the run does not end the chain" {
  credentials "$OLD_TOKEN" -$HOUR_MS
  cp "$BASH" "$world/own-bash"
  plan claude "$(type -P cp) $(printf %q "$BASH") '$world/newer'" \
    "$(type -P mv) '$world/newer' '$world/own-bash'" 'exit 1'
  run --separate-stderr env -i "${environment[@]}" "$world/own-bash" "$script" 3>&-
  is "$status" 1
  is "$(tr '\0' '\n' <"$(call systemd-run).argv" | tail -n 2)" "$world/own-bash"$'\n'"$script"
}

@test "the caller's compatibility level changes nothing" {
  local setting
  make_world "$BATS_TEST_TMPDIR/other" "$BATS_TEST_TMPDIR/h\$x"
  for setting in BASH_COMPAT=4.2 BASH_COMPAT=3.1 BASHOPTS=compat42; do
    environment+=("$setting")
    expired
    rm -f "$dotenv" "${units:?}"/* && : >"$calls/order"
    refresh
    all_well
    is "$(tr '\0' '\n' <"$(call systemd-run).argv" | tail -n 1)" "${script//'$'/'$$'}"
    unset 'environment[-1]'
  done
}

@test "a caller's function that is named like an option has no effect" {
  local name
  for name in -v -f -- set; do
    expired
    rm -f "$dotenv" "${units:?}"/* && : >"$calls/order"
    environment+=("BASH_FUNC_$name%%=() { :; }" 'BASH_FUNC_jq%%=() { exit 3; }')
    refresh
    all_well
    is "$stderr" ''
  done
}

@test "a caller's limit on nested functions does not apply" {
  expired
  environment+=(FUNCNEST=1)
  refresh
  all_well
  is "$stderr" ''
}

# --- The caller's environment ------------------------------------------------------------------------

@test "functions exported by the caller do not replace commands" {
  expired
  local name
  for name in jq claude cp mv rm mkdir head env timeout flock sync readlink systemctl systemd-run \
    printf read cd kill umask log refresh main now_ms read_credentials; do
    environment+=("BASH_FUNC_$name%%=() { command printf 'function %s\n' $name >>'$world/shadows'; }")
  done
  refresh
  all_well
  [[ ! -e $world/shadows ]]
  run ! grep -q BASH_FUNC "$(call claude).environment"
}

@test "functions in BASH_ENV replace nothing, even if named like the builtins that remove them" {
  local name
  for name in set unset shopt compgen local mapfile; do
    printf '%s() { command printf "%s\\n" >>%q; }\n' "$name" "$name" "$world/shadows" >>"$world/clock"
  done
  environment+=('BASH_FUNC_jq%%=() { exit 3; }')
  expired
  refresh
  all_well
  [[ ! -e $world/shadows ]]
}

@test "an exported function does not replace the check for bash" {
  expired
  environment+=('BASH_FUNC_[%%=() { return 0; }')
  refresh
  all_well
}

@test "a default PATH is used if BASH_ENV unsets PATH" {
  printf 'unset PATH\n' >>"$world/clock"
  run --separate-stderr env -i "${environment[@]}" "$world/tools/bash" "$script" --help 3>&-
  is "$status $stderr" '0 '
  [[ $output == usage:* ]] || fail "$output"
}

@test "a script on stdin is read completely before it runs" {
  run --separate-stderr env -i "${environment[@]}" bash -s -- --help <"$script" 3>&-
  is "$status $stderr" '0 '
  [[ $output == usage:* ]] || fail "$output"
}

@test "without /proc, nothing is printed" {
  local text
  text=$(<"$script")
  printf '%s\n' "${text//\/proc\/self\/fd/"$world/no-such"}" >"$script"
  expired
  refresh
  all_well
}

@test "read-only functions in BASH_ENV are kept, and nothing is printed" {
  printf '%s\n' 'theirs() { :; }' 'readonly -f theirs' >>"$world/clock"
  # In POSIX mode, bash 5.3 exits if it cannot unset the function shopt.
  if "$world/tools/bash" -c '((BASH_VERSINFO[0] == 5 && BASH_VERSINFO[1] < 3))'; then
    printf '%s\n' 'shopt() { builtin shopt "$@"; }' 'readonly -f shopt' >>"$world/clock"
  fi
  expired
  refresh
  all_well
}

@test "the caller's functions do not reach claude, even if a name matches a file" {
  expired
  cd "$world"
  : >notes
  environment+=('BASH_FUNC_no*es%%=() { :; }')
  refresh
  all_well
  run ! grep -q BASH_FUNC "$(call claude).environment"
}

@test "an IFS of digits and letters in BASH_ENV changes nothing" {
  printf 'IFS=:u0123456789\n' >>"$world/clock"
  expired
  refresh
  all_well
  log_has 'Scheduled next refresh at 2026-01-02T10:34:05+00:00'

  : >"$calls/order"
  refresh --ensure
  ended 0
  is "$(call_names)" ''
}

@test "an exported SHELLOPTS does not pass nounset on to a hook" {
  local hook=$project/scripts/oauth/hooks/renewed
  expired
  mkdir "${hook%/*}"
  printf '%s\n' "#!$world/tools/bash" 'printf %s "$NOT_SET"' "printf well >'$world/well'" >"$hook"
  chmod 0755 "$hook"
  run --separate-stderr env -i "${environment[@]}" \
    SHELLOPTS=braceexpand:hashall:interactive-comments bash "$script" 3>&-
  is "$status$stderr" 0
  has_bytes "$world/well" well
}

@test "the caller's xtrace is off before the program starts" {
  local option
  for option in xtrace verbose; do
    expired
    rm -f "$dotenv" "${units:?}"/* && : >"$calls/order"
    run --separate-stderr env -i "${environment[@]}" "SHELLOPTS=$option" bash "$script" 3>&-
    is "$status$output" 0
    [[ $stderr == *BASH_VERSION* && $stderr != *isolate* ]] || fail "with $option: $stderr"
  done
}

# bash itself uses LC_ALL and BASH_COMPAT, and reports unknown values.
@test "variables exported by the caller reach the programs unchanged" {
  local name program names
  mapfile -t names < <(grep -oP '^ *local \+x\K[^#]*' "$script" | grep -oP ' \K[A-Za-z_]\w*(?=[= ]|$)' | sort -u)
  names+=(names fd flags) # even where they are not local variables
  [[ " ${names[*]} " == *' REPLIES REPLY '*' token '*' wanted '* && ${#names[@]} -gt 40 ]]
  expired
  environment+=('BASH_FUNC_module%%=() { :; }') # the script unsets this one first
  raw_dotenv "A=1\nCLAUDE_CODE_OAUTH_TOKEN=$OLD_TOKEN\n"
  for name in "${names[@]}"; do
    [[ $name == LC_ALL || $name == BASH_COMPAT ]] || environment+=("$name=of the caller")
  done
  refresh
  all_well
  for program in claude systemctl systemd-run; do
    for name in "${names[@]}"; do
      [[ $name == LC_ALL || $name == BASH_COMPAT ]] || is "$name=$(variable_of "$program" 1 "$name")" "$name=of the caller"
    done
  done
}

@test "the file in BASH_ENV is read once, and claude gets the variable" {
  expired
  printf 'printf x >>%q\n' "$world/read" >>"$world/clock"
  cp -p "$world/clock" "$world/before"
  refresh
  all_well
  cmp "$world/clock" "$world/before"
  has_bytes "$world/read" x
  is "$(variable_of claude 1 BASH_ENV)" "$world/clock"
}

@test "the caller's open descriptors reach no program" {
  expired
  printf 'secret\n' >"$world/open"
  # 3 to 19, as a careless caller could have: the lock uses 9
  run --separate-stderr bash -c 'ways=("<>" "<" ">>")
    for fd in {3..19}; do eval "exec $fd${ways[fd % 3]}\$1"; done; "${@:2}"' _ \
    "$world/open" env -i "${environment[@]}" bash "$script"
  all_well
  local program
  for program in claude systemctl systemd-run; do
    has_bytes "$(call "$program").descriptors" ''
  done
}

@test "closed standard streams" {
  local streams
  for streams in '<&-' '>&-' '2>&-' '<&- >&- 2>&-'; do
    expired
    rm -f "$dotenv" "${units:?}"/* && : >"$calls/order"
    run --separate-stderr bash -c '"$@" '"$streams" _ env -i "${environment[@]}" bash "$script" 3>&-
    all_well
  done
}

# The names of the variables that claude got, except for SHELLOPTS.
names_for_claude() {
  sed 's/=.*//' "$(call claude).environment" | grep -vx SHELLOPTS | sort
}

@test "the caller's umask and options change nothing" {
  local options expected=''
  umask 000
  for options in '' errexit noglob allexport history noclobber xtrace verbose pipefail keyword monitor; do
    rm -rf "$dotenv" "$project/logs" "${units:?}"/* && : >"$calls/order"
    # a run with several failures that it must survive: no expiry, a flag that claude does not know,
    # an open descriptor, a unit name in use
    raw_credentials '{"claudeAiOauth":{"accessToken":"a"}}'
    plan claude '(($# == 2)) || refuse 1 "unknown option"' "renew $NEW_TOKEN $((8 * HOUR_MS))"
    printf 'running\n' >"$units/$UNIT.service"
    raw_dotenv 'A=1\n'
    chmod 640 "$dotenv"
    run --separate-stderr env -i "${environment[@]}" ${options:+"SHELLOPTS=$options"} \
      bash "$script" 3>&- 12<"$world/clock"
    is "$status" 0 || fail "with $options"
    has_bytes "$dotenv" "A=1\nCLAUDE_CODE_OAUTH_TOKEN=$NEW_TOKEN\n" || fail "with $options"
    is "$(stat -c %a "$dotenv") $(stat -c %a "$log")" '640 600'
    due_in $((450 * MINUTE_MS)) || fail "with $options"
    has_bytes "$(call claude).descriptors" '' || fail "with $options"
    expected=${expected:-$(names_for_claude)}
    is "$(names_for_claude)" "$expected" || fail "with $options"
  done
}

@test "the script does not use history or history expansion" {
  expired
  printf 'mine %s\n' {1..400} >"$world/history"
  cp "$world/history" "$world/before"
  run --separate-stderr env -i "${environment[@]}" SHELLOPTS=histexpand:history \
    HISTFILE="$world/history" HISTSIZE=400 bash "$script" 3>&-
  all_well
  cmp "$world/before" "$world/history"
}

@test "the caller's job control does not change the process group of commands" {
  environment+=(SHELLOPTS=monitor)
  plan systemctl "$(declare -f change_units)" 'change_units "$@"' \
    'read -r _ _ _ _ mine _ <"/proc/$$/stat" && read -r _ _ _ _ other _ <"/proc/$PPID/stat"' \
    'printf "%s\n" "$((mine - other))" >>"$world/groups"'
  credentials "$OLD_TOKEN" $((2 * HOUR_MS))
  refresh
  ended 0
  is "$(sort -u "$world/groups")" 0
}

@test "the caller's shell options (shopt) change nothing" {
  local options
  for options in nocasematch extglob nullglob failglob dotglob lastpipe execfail inherit_errexit \
    localvar_inherit expand_aliases xpg_echo; do
    expired
    raw_dotenv 'claude_code_oauth_token=lower\nCLAUDE_CODE_OAUTH_TOKEN=before\n'
    rm -rf "$project/logs" "${units:?}"/* && : >"$calls/order"
    run --separate-stderr env -i "${environment[@]}" "BASHOPTS=$options" bash "$script" 3>&-
    ended 0
    has_bytes "$dotenv" "claude_code_oauth_token=lower\nCLAUDE_CODE_OAUTH_TOKEN=$NEW_TOKEN\n" ||
      fail "with $options"
  done
}

@test "variables that affect bash change nothing" {
  local setting
  for setting in IFS=aeiou/ CDPATH=/tmp TMOUT=1 GLOBIGNORE='*' BASH_COMPAT=4.3 LC_ALL=C.UTF-8 \
    LANG=C.UTF-8 BASH=/bin/false; do
    expired
    raw_dotenv 'A=\377\303\nCLAUDE_CODE_OAUTH_TOKEN=before\n'
    rm -rf "$project/logs" "${units:?}"/* && : >"$calls/order"
    run --separate-stderr env -i "${environment[@]}" "$setting" bash "$script" 3>&-
    ended 0 || fail "with $setting"
    has_bytes "$dotenv" "A=\377\303\nCLAUDE_CODE_OAUTH_TOKEN=$NEW_TOKEN\n" || fail "with $setting"
    due_in $((450 * MINUTE_MS))
  done
}

@test "with the real clock, in POSIX mode, which ignores BASH_ENV" {
  local setting
  use_real_clock
  for setting in A=1 POSIXLY_CORRECT=1 SHELLOPTS=posix; do
    expired
    rm -rf "$dotenv" "$project/logs" "${units:?}"/*
    run --separate-stderr env -i "${environment[@]}" "$setting" bash "$script" 3>&-
    ended 0 || fail "with $setting"
    has_bytes "$dotenv" "CLAUDE_CODE_OAUTH_TOKEN=$NEW_TOKEN\n"
    is "$(pending)" "$UNIT.timer"
    is "$(<"$units/$UNIT.timer")" "$((NOW_S + 450 * 60))"
  done
}

@test "another shell is rejected with a message" {
  local shell
  shell=$(type -P dash) || gap 'no dash here'
  run --separate-stderr env -i "${environment[@]}" "$shell" "$script" 3>&-
  is "$status" 1
  is "$output$stderr" "$script: bash 5.0 or newer is needed, this is no bash"
}
