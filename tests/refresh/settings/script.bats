#!/usr/bin/env bats
# How the script finds itself and its bash, and how a caller's directory, HOME and PATH are
# resolved.

# shellcheck disable=SC2016,SC2030,SC2031,SC2119 # see helper.bash
# shellcheck source=../../support/refresh/helper.bash
source "$BATS_TEST_DIRNAME/../../support/refresh/helper.bash"

# Start the script with the command $@.
start() {
  rm -f "$dotenv" "${units:?}"/* && : >"$calls/order"
  run --separate-stderr env -i "${environment[@]}" "$@" 3>&-
}

# Check that the run delivered the token $1 and scheduled the next one with the bash $2 and the
# script $3.
went_on() {
  ended 0
  has_bytes "$dotenv" "CLAUDE_CODE_OAUTH_TOKEN=$1\n"
  is "$(tr '\0' '\n' <"$(call systemd-run).argv" | sed '1,/^--$/d')" "$2"$'\n'"$3"
}

# --- By which name -------------------------------------------------------------------------------

@test "the script is found in PATH by any name" {
  local name
  credentials "$OLD_TOKEN" $((2 * HOUR_MS))
  cp "$script" "$project/scripts/oauth/my refresh"
  environment+=(PATH="$world/bin:$world/tools:$project/scripts/oauth")
  cd "$home"
  for name in refresh.sh 'my refresh'; do
    start bash "$name"
    went_on "$OLD_TOKEN" "$world/tools/bash" "$project/scripts/oauth/$name"
  done
}

@test "the script is found in PATH without execute permission" {
  credentials "$OLD_TOKEN" $((2 * HOUR_MS))
  chmod 0644 "$script"
  mkdir -p "$world/other/scripts/oauth" "$home/a/b/c"
  cp "$script" "$world/other/scripts/oauth"
  chmod 0755 "$world/other/scripts/oauth/refresh.sh"
  environment+=(PATH="$world/bin:$world/tools:$project/scripts/oauth:$world/other/scripts/oauth")
  cd "$home/a/b/c"
  start bash refresh.sh
  went_on "$OLD_TOKEN" "$world/tools/bash" "$script"
  is "$(ls -A "$home/a" "$world/other")" "$home/a:"$'\n'"b"$'\n\n'"$world/other:"$'\n'scripts
}

@test "a ~ in PATH is HOME, as in bash's own search" {
  credentials "$OLD_TOKEN" $((2 * HOUR_MS))
  mkdir -p "$home/one/scripts/oauth" "$world/other/scripts/oauth"
  cp "$script" "$home/one/scripts/oauth"
  cp "$script" "$world/other/scripts/oauth"
  environment+=(PATH="$world/bin:$world/tools:~/one/scripts/oauth:$world/other/scripts/oauth")
  cd "$world"
  dotenv=$home/one/.env
  start bash refresh.sh
  went_on "$OLD_TOKEN" "$world/tools/bash" "$home/one/scripts/oauth/refresh.sh"
  is "$(ls -A "$world/other")" scripts
}

@test "a sourced script finds its own path" {
  credentials "$OLD_TOKEN" $((2 * HOUR_MS))
  mkdir -p "$world/other/a/b"
  printf '. "$1"\n' >"$world/other/a/b/wrap.sh"
  start bash "$world/other/a/b/wrap.sh" "$script"
  is "$status" 2 # it uses the other script's arguments as its own
  printf 'path=$1\nshift\n. "$path"\n' >"$world/other/a/b/wrap.sh"
  start bash "$world/other/a/b/wrap.sh" "$script"
  went_on "$OLD_TOKEN" "$world/tools/bash" "$script"
  is "$(ls -A "$world/other")" a
}

@test "nothing is done if the caller's BASH_SOURCE hides the script's path" {
  credentials "$OLD_TOKEN" $((2 * HOUR_MS))
  environment+=(PATH="$world/bin:$world/tools:$project/scripts/oauth" BASH_SOURCE="$script")
  cd "$home"
  start bash refresh.sh
  is "$status" 1
  is "$stderr" 'this script cannot find its own path. Start it by its path'
  is "$(call_names)" ''
  start bash "$script"
  went_on "$OLD_TOKEN" "$world/tools/bash" "$script"
}

@test "nothing is done from stdin or -c, where the script has no path" {
  local text way
  text=$(<"$script")
  credentials "$OLD_TOKEN" $((2 * HOUR_MS))
  cd "$home"
  touch main environment bash # bash's name for this input
  for way in stdin text named; do
    case $way in
      stdin) run --separate-stderr env -i "${environment[@]}" bash -s <"$script" 3>&- ;;
      text) run --separate-stderr env -i "${environment[@]}" bash -c "$text" 3>&- ;;
      named) run --separate-stderr env -i "${environment[@]}" bash -c "$text" main 3>&- ;;
    esac
    is "$status$output" 1
    is "$stderr" 'this script cannot find its own path. Start it by its path'
    is "$(call_names)" ''
  done
}

@test "a pipe with the script's name in PATH is not the script" {
  credentials "$OLD_TOKEN" $((2 * HOUR_MS))
  environment+=(PATH="$world/bin:$world/tools:$project/scripts/oauth")
  cd "$home"
  mkfifo refresh.sh
  cat "$script" >refresh.sh 3>&- &
  background+=("$!")
  start bash refresh.sh
  is "$status" 1
  is "$stderr" 'this script cannot find its own path. Start it by its path'
}

# --- By which path -------------------------------------------------------------------------------

@test "a symbolic link to the script leads to the script's own project" {
  local link
  credentials "$OLD_TOKEN" $((2 * HOUR_MS))
  mkdir -p "$world/bin2" "$world/fake/scripts"
  ln -s "$script" "$world/bin2/refresh"
  ln -s "$world/bin2/refresh" "$world/bin2/again"
  ln -s "$project/scripts/oauth" "$world/fake/scripts/oauth"
  for link in "$world/bin2/again" "$world/fake/scripts/oauth/refresh.sh"; do
    start bash "$link"
    went_on "$OLD_TOKEN" "$world/tools/bash" "$script"
  done
  [[ ! -e $world/fake/.env && ! -e $world/fake/logs ]]
}

@test "the script is found by a relative path from any directory" {
  local directory path
  credentials "$OLD_TOKEN" $((2 * HOUR_MS))
  for directory in "$project" "$project/scripts/oauth" "$home"; do
    cd "$directory"
    path=$(realpath --relative-to=. "$script")
    start bash "$path"
    went_on "$OLD_TOKEN" "$world/tools/bash" "$script"
  done
}

@test "nothing is done through a link to a name that ends in a newline" {
  credentials "$OLD_TOKEN" $((2 * HOUR_MS))
  cp "$script" "$script"$'\n'
  ln -s "$script"$'\n' "$world/link"
  start bash "$world/link"
  is "$status" 1
  is "$stderr" "readlink cannot resolve the link $world/link"
  is "$(call_names)" ''
}

@test "a link to the script can have blanks in its name" {
  credentials "$OLD_TOKEN" $((2 * HOUR_MS))
  ln -s "$script" "$world/my own  refresh"
  start bash "$world/my own  refresh"
  went_on "$OLD_TOKEN" "$world/tools/bash" "$script"
}

@test "a path without a link needs no readlink" {
  local path
  credentials "$OLD_TOKEN" $((2 * HOUR_MS))
  without readlink
  cd "$project"
  for path in "$script" scripts/oauth/refresh.sh; do
    start bash "$path"
    went_on "$OLD_TOKEN" "$world/tools/bash" "$script"
  done
}

# --- By which bash -------------------------------------------------------------------------------

# A bash with another program's path in BASH.
other_bash() {
  cp "$BASH" "$world/another bash"
  environment+=(BASH_ARGV0="$world/tools/bash")
}

@test "the program that looks up the running bash is not given the lock" {
  credentials "$OLD_TOKEN" $((2 * HOUR_MS))
  other_bash
  record_tool readlink
  start "$world/another bash" "$script"
  went_on "$OLD_TOKEN" "$world/another bash" "$script"
  has_bytes "$(call readlink).descriptors" ''
}

@test "the running bash is found even if BASH_ENV sets an IFS of digits" {
  credentials "$OLD_TOKEN" $((2 * HOUR_MS))
  other_bash
  printf 'IFS=:0123456789\n' >>"$world/clock"
  start "$world/another bash" "$script"
  went_on "$OLD_TOKEN" "$world/another bash" "$script"
}

@test "nothing is done through a link without readlink" {
  credentials "$OLD_TOKEN" $((2 * HOUR_MS))
  ln -s "$script" "$world/link"
  without readlink
  start bash "$world/link"
  is "$status" 1
  is "$stderr" "readlink cannot resolve the link $world/link"
  is "$(call_names)" ''
}

@test "without readlink, the bash named by the variable BASH starts the next run" {
  credentials "$OLD_TOKEN" $((2 * HOUR_MS))
  other_bash
  without readlink
  start "$world/another bash" "$script"
  went_on "$OLD_TOKEN" "$world/tools/bash" "$script"
}

@test "a bash that is no longer executable does not start the next run" {
  credentials "$OLD_TOKEN" -$HOUR_MS
  other_bash
  plan claude "$(type -P chmod) a-x '$world/another bash'" "renew $NEW_TOKEN $((8 * HOUR_MS))"
  start "$world/another bash" "$script"
  went_on "$NEW_TOKEN" "$world/tools/bash" "$script"
}

# --- Where the directory, HOME and PATH lead --------------------------------------------------------

@test "in a directory that was entered through a link, relative paths start in the real one" {
  credentials "$OLD_TOKEN" $((2 * HOUR_MS))
  mkdir -p "$world/real/directory"
  ln -s real/directory "$world/link"
  cd "$world/link"
  environment+=(PWD="$world/link" OAUTHKIT_DOTENV=../named.env)
  refresh
  ended 0
  has_bytes "$world/real/named.env" "CLAUDE_CODE_OAUTH_TOKEN=$OLD_TOKEN\n"
  is "$(argument_of systemd-run 1 --setenv=OAUTHKIT_DOTENV)" \
    "--setenv=OAUTHKIT_DOTENV=$world/real/named.env"
}

@test "in a deleted directory, relative paths lead nowhere" {
  credentials "$OLD_TOKEN" $((2 * HOUR_MS))
  mkdir "$world/gone"
  cd "$world/gone"
  rmdir "$world/gone"
  environment+=(OAUTHKIT_DOTENV="${world#/}/elsewhere.env") # would exist relative to /
  refresh
  is "$status" 1
  # bash itself prints the first line before it reads the script.
  is "${stderr#shell-init: *$'\n'}" 'the working directory no longer exists. Change to another directory'
  [[ ! -e $world/elsewhere.env ]] || fail 'there is one'
  is "$(call_names)" ''
  cd "$world"
}

@test "claude gets an absolute HOME, and no empty CLAUDE_CONFIG_DIR" {
  credentials "$OLD_TOKEN" -$HOUR_MS
  claude_renews
  environment+=(HOME=home CLAUDE_CONFIG_DIR=)
  cd "$world"
  refresh
  ended 0
  is "$(variable_of claude 1 HOME)" "$home"
  is "$(grep -c '^CLAUDE_CONFIG_DIR=' "$(call claude).environment")" 0
}

@test "HOME can be the root directory" {
  credentials "$OLD_TOKEN" $((2 * HOUR_MS))
  environment+=(HOME=/ CLAUDE_CONFIG_DIR="$home/.claude")
  refresh
  ended 0
  is "$(argument_of systemd-run 1 --setenv=HOME)" --setenv=HOME=/
}

@test "without a PATH, claude gets the script's default PATH" {
  local tool
  for tool in env flock jq timeout; do
    [[ -x /bin/$tool || -x /usr/bin/$tool ]] || gap "$tool is neither in /bin nor in /usr/bin"
  done
  [[ ! -x /bin/claude && ! -x /usr/bin/claude ]] || gap 'there is a claude in /bin or in /usr/bin'
  credentials "$OLD_TOKEN" -$HOUR_MS
  claude_renews
  mkdir -p "$home/.claude/local"
  mv "$world/bin/claude" "$home/.claude/local/claude"
  # the real systemd-run, if installed, must not find a user manager
  environment=(HOME="$home" BASH_ENV="$world/clock" XDG_RUNTIME_DIR="$world/nowhere")
  start "$BASH" "$script"
  ended 0
  has_bytes "$dotenv" "CLAUDE_CODE_OAUTH_TOKEN=$NEW_TOKEN\n"
  is "$(variable_of claude 1 PATH)" /bin:/usr/bin
}

@test "refresh.conf has the settings that the environment lacks" {
  credentials "$OLD_TOKEN" $((2 * HOUR_MS))
  mkdir "$project/my dir"
  printf '# comment\r\nOAUTHKIT_DOTENV=my dir/x.env\r\nOAUTHKIT_UNIT=mine\r\n$(touch x)=1\nA"=\n%s' \
    'OAUTHKIT_LOG="quoted"' >"$project/scripts/oauth/refresh.conf"
  environment+=(OAUTHKIT_UNIT=from-the-caller)
  refresh
  ended 0
  has_bytes "$project/my dir/x.env" "CLAUDE_CODE_OAUTH_TOKEN=$OLD_TOKEN\n"
  is "$(pending)" from-the-caller.timer
  local -r conf="$project/scripts/oauth/refresh.conf"
  log_has "WARN: $conf line 4 is ignored: there is no such setting"
  log_has "WARN: $conf line 6 is ignored: quotes and ~ have no meaning here"
}
