#!/usr/bin/env bats
# Step 5: put the token into .env, keep every other byte, and replace the file atomically.

# shellcheck disable=SC2016,SC2030,SC2031,SC2119 # see helper.bash
# shellcheck source=../../support/refresh/helper.bash
source "$BATS_TEST_DIRNAME/../../support/refresh/helper.bash"

readonly LINE="CLAUDE_CODE_OAUTH_TOKEN=$OLD_TOKEN"

fresh() {
  credentials "$OLD_TOKEN" $((2 * HOUR_MS))
}

# Check that .env with the bytes $1 becomes one with the bytes $2 (both as printf formats).
becomes() {
  fresh
  raw_dotenv "$1"
  refresh
  ended 0
  has_bytes "$dotenv" "$2"
}

# Check that the run failed with the message $1 and scheduled a retry.
not_delivered() {
  ended 1
  log_has "ERROR: $1"
  log_has "$(retry_line "$1")"
  due_in $((5 * MINUTE_MS))
}

@test "a missing .env is made, for its owner alone" {
  fresh
  refresh
  ended 0
  has_bytes "$dotenv" "$LINE\n"
  is "$(stat -c %a "$dotenv")" 600
}

@test "an empty .env" {
  becomes '' "$LINE\n"
}

@test "a .env without the variable gets it at its end" {
  becomes 'A=1\nB=2\n' "A=1\nB=2\n$LINE\n"
}

@test "a .env without a final newline gets one first" {
  becomes 'A=1\nB=2' "A=1\nB=2\n$LINE\n"
}

@test "the line is replaced in place" {
  becomes 'A=1\nCLAUDE_CODE_OAUTH_TOKEN=before\nB=2\n' "A=1\n$LINE\nB=2\n"
}

@test "a last line without a newline is replaced" {
  becomes 'A=1\nCLAUDE_CODE_OAUTH_TOKEN=before' "A=1\n$LINE"
}

@test "an empty value is replaced, too" {
  becomes 'CLAUDE_CODE_OAUTH_TOKEN=\nA=1\n' "$LINE\nA=1\n"
}

@test "of several lines the first is replaced and the others are dropped" {
  becomes 'CLAUDE_CODE_OAUTH_TOKEN=a\nA=1\nCLAUDE_CODE_OAUTH_TOKEN=b\nCLAUDE_CODE_OAUTH_TOKEN=c' \
    "$LINE\nA=1\n"
}

@test "similar lines are kept" {
  local others='#CLAUDE_CODE_OAUTH_TOKEN=a\n CLAUDE_CODE_OAUTH_TOKEN=b\n'
  others+='export CLAUDE_CODE_OAUTH_TOKEN=c\nXCLAUDE_CODE_OAUTH_TOKEN=d\nCLAUDE_CODE_OAUTH_TOKEN2=e\n'
  becomes "$others" "$others$LINE\n"
}

@test "every other byte is kept: CR, invalid UTF-8, blanks, quotes, backslashes, empty lines" {
  local before='\n\nA="x y"\t \r\nB=\377\376\303\nC=\\\\n $HOME `id` %% * ?\n\n'
  becomes "${before}CLAUDE_CODE_OAUTH_TOKEN=\377\r\nlast\n\n" "$before$LINE\nlast\n\n"
}

@test "a .env with many lines" {
  fresh
  local i
  for ((i = 0; i < 1000; i++)); do
    printf 'NAME_%s=%s\n' "$i" "$i"
  done >"$dotenv"
  cp "$dotenv" "$world/expected"
  printf '%s\n' "$LINE" >>"$world/expected"
  refresh
  ended 0
  cmp "$dotenv" "$world/expected"
}

@test "a token with pattern characters is compared literally" {
  becomes 'CLAUDE_CODE_OAUTH_TOKEN=*\n' "$LINE\n"
}

@test "pattern characters are literal" {
  becomes '*\n' "*\n$LINE\n"
  raw_dotenv "A=[b]?\\\\*\n$LINE\n"
  cp "$dotenv" "$world/before"
  refresh
  ended 0
  log_has "$dotenv already has this token (expires_at=$((NOW_MS + 2 * HOUR_MS)))"
  cmp "$dotenv" "$world/before"
}

@test "the mode of .env is kept, even if it forbids writing" {
  local mode
  without_override
  for mode in 600 640 644 400; do
    rm -f "$dotenv"
    raw_dotenv 'A=1\n'
    chmod "$mode" "$dotenv"
    fresh
    refresh
    ended 0
    has_bytes "$dotenv" "A=1\n$LINE\n"
    is "$(stat -c %a "$dotenv")" "$mode"
  done
}

@test "the owner of .env is kept" {
  ((EUID == 0)) || gap 'only root can give a file to another user'
  fresh
  raw_dotenv 'A=1\n'
  chown 65534:65533 "$dotenv" || gap 'root cannot give a file away here'
  refresh
  ended 0
  is "$(stat -c %u:%g "$dotenv")" 65534:65533
}

@test "a symbolic link is followed and kept" {
  fresh
  mkdir "$world/elsewhere"
  printf 'A=1\n' >"$world/elsewhere/real"
  chmod 640 "$world/elsewhere/real"
  ln -s ../elsewhere/link "$dotenv"
  ln -s real "$world/elsewhere/link"
  refresh
  ended 0
  is "$(readlink "$dotenv")" ../elsewhere/link
  is "$(readlink "$world/elsewhere/link")" real
  has_bytes "$world/elsewhere/real" "A=1\n$LINE\n"
  is "$(stat -c %a "$world/elsewhere/real")" 640
  is "$(ls -A "$world/elsewhere")" $'link\nreal'
}

@test "a symbolic link to a missing file creates the file" {
  fresh
  ln -s "$world/new" "$dotenv"
  refresh
  ended 0
  [[ -L $dotenv ]]
  has_bytes "$world/new" "$LINE\n"
}

@test "a symbolic link to a name that ends in a newline is rejected" {
  local target=$world/real$'\n'
  fresh
  printf '#old\n' >"$target"
  ln -s "$target" "$dotenv"
  refresh
  is "$status" 1
  log_has "ERROR: $dotenv is a symbolic link that leads nowhere"
  has_bytes "$target" '#old\n'
  [[ ! -e $world/real ]]
  rm "$target"
  mkdir "$target"
  refresh
  is "$status" 1
  [[ ! -e $world/real ]]
}

@test "a symbolic link without readlink" {
  fresh
  printf '#old\n' >"$world/real"
  ln -s "$world/real" "$dotenv"
  without readlink
  refresh
  ended 1
  log_has "ERROR: readlink could not follow $dotenv (exit 127)"
  has_bytes "$world/real" '#old\n'
}

@test "a symbolic link that leads nowhere" {
  fresh
  ln -s "$world/nowhere/at/all" "$dotenv"
  refresh
  not_delivered "$dotenv is a symbolic link that leads nowhere"
}

@test "a .env with a NUL byte is not touched" {
  fresh
  raw_dotenv 'A=1\0B\nCLAUDE_CODE_OAUTH_TOKEN=before\n'
  refresh
  not_delivered "$dotenv has a NUL byte and is not changed"
  has_bytes "$dotenv" 'A=1\0B\nCLAUDE_CODE_OAUTH_TOKEN=before\n'
}

@test "a .env that is a directory is not touched" {
  fresh
  mkdir "$dotenv"
  refresh
  not_delivered "$dotenv is not a file and is not changed"
  is "$(ls -A "$dotenv")" ''
}

@test "a .env that is a FIFO is neither read nor replaced" {
  fresh
  mkfifo "$dotenv"
  printf 'A=1\n' >"$dotenv" 3>&- &
  background+=("$!")
  # The real program would wait for the FIFO's writer.
  make_stand_in cp
  plan cp 'kill -KILL "$PPID"'
  refresh
  not_delivered "$dotenv is not a file and is not changed"
  [[ -p $dotenv ]]
}

@test "a .env that cannot be read to its end is not touched" {
  fresh
  # Reading a process's memory from its start fails, as reading from a broken disk would.
  environment+=(OAUTHKIT_DOTENV=/proc/self/mem)
  refresh
  not_delivered '/proc/self/mem cannot be read and is not changed'
}

@test "an unreadable .env is not touched" {
  without_override
  fresh
  raw_dotenv 'A=1\n'
  chmod 0200 "$dotenv"
  refresh
  not_delivered "$dotenv cannot be read and is not changed"
  chmod 0600 "$dotenv"
  has_bytes "$dotenv" 'A=1\n'
}

@test ".env in an unwritable directory is unchanged" {
  without_override
  fresh
  mkdir "$world/closed"
  environment+=(OAUTHKIT_DOTENV="$world/closed/.env")
  printf 'A=1\n' >"$world/closed/.env"
  chmod 0500 "$world/closed"
  refresh
  chmod 0700 "$world/closed"
  not_delivered "$world/closed/.env cannot be written: $world/closed is not writable"
  has_bytes "$world/closed/.env" 'A=1\n'
  is "$(ls -A "$world/closed")" .env
}

@test "a failing cp, sync or mv leaves .env unchanged and no temporary file" {
  local tool
  for tool in cp sync mv; do
    make_stand_in "$tool"
    plan "$tool" 'exit 1'
    fresh
    raw_dotenv 'A=1\n'
    chmod 0640 "$dotenv"
    refresh
    not_delivered "$dotenv cannot be written and is unchanged"
    has_bytes "$dotenv" 'A=1\n'
    is "$(ls -A "$project")" $'.env\nlogs\nscripts'
    rm "$world/bin/$tool"
  done
}

@test "if the disk is full after half of the new .env, the old one is kept" {
  fresh
  local line
  printf -v line 'A=%20000s\n' ''
  raw_dotenv "$line"
  # No file can grow beyond 8 KiB; the writing process gets an error.
  prefix=(bash -c 'trap "" XFSZ; ulimit -f 8; exec "$@"' _)
  refresh
  not_delivered "$dotenv cannot be written and is unchanged"
  has_bytes "$dotenv" "$line"
  is "$(ls -A "$project")" $'.env\nlogs\nscripts'
}

@test "a mv that fails after the rename has delivered the token" {
  fresh
  dotenv="$world/my files/[b] *.env"
  mkdir "$world/my files"
  environment+=(OAUTHKIT_DOTENV="$dotenv")
  raw_dotenv 'A=[b]?\\*\n'
  make_stand_in mv
  plan mv "$(type -P mv) \"\$@\"" 'exit 1'
  refresh
  ended 0
  has_bytes "$dotenv" "A=[b]?\\\\*\n$LINE\n"
  log_has "Updated .env with token (expires_at=$((NOW_MS + 2 * HOUR_MS)))"
}

@test "a temporary file that another project's run has removed is created again" {
  fresh
  raw_dotenv 'A=1\n'
  make_stand_in sync
  plan sync "[[ ! -e '$world/removed' ]] || exec $(type -P sync) \"\$@\"" \
    ": >'$world/removed'" 'rm "$1"' 'exit 1'
  refresh
  ended 0
  has_bytes "$dotenv" "A=1\n$LINE\n"
}

@test "programs that write .env get no descriptors, not even the lock's, and their output is discarded" {
  fresh
  local tool
  for tool in cp mv rm sync; do
    record_tool "$tool"
    plan "$tool" 'printf "words\n"; printf "more words\n" >&2' "$(<"$world/plan-$tool")"
  done
  plan mv 'printf "words\n"; refuse 1 "more words"'
  record_tool readlink
  plan readlink 'printf "words\n" >&2' "$(<"$world/plan-readlink")"
  printf 'A=1\n' | tee "$world/real.oauthkit.1600000000000000" >"$world/real"
  ln -s "$world/real" "$dotenv"
  refresh
  not_delivered "$dotenv cannot be written and is unchanged"
  is "$(call_names)" 'readlink readlink readlink rm cp sync mv rm readlink systemctl systemd-run'
  for tool in mv readlink rm sync; do
    is "$(cat "$calls/$tool".*.descriptors)" ''
  done
  is "$(cat "$(call cp).descriptors")" 'stdin is not empty' # the old .env
  run ! grep words "$log"
}

@test "the new .env is complete and on disk before it replaces the old one" {
  fresh
  raw_dotenv 'A=1\n'
  local inode
  inode=$(stat -c %i "$dotenv")
  record_tool sync
  make_stand_in mv
  plan mv "$(type -P cp) '$dotenv' '$world/old'; $(type -P cp) '$temporary' '$world/new'" \
    "exec $(type -P mv) \"\$@\""
  refresh
  ended 0
  has_bytes "$world/old" 'A=1\n'
  has_bytes "$world/new" "A=1\n$LINE\n"
  is "$(call_names)" 'sync mv systemctl systemd-run'
  called_with sync 1 "$temporary"
  called_with mv 1 -f -T "$temporary" "$dotenv"
  [[ $(stat -c %i "$dotenv") != "$inode" ]]
}

@test "a run killed before the last step keeps the old .env, and the next one removes the leftover" {
  local tool
  for tool in sync mv; do
    make_stand_in "$tool"
    plan "$tool" 'kill -KILL "$PPID"; "$sleep" 0.2'
    fresh
    raw_dotenv 'A=1\n'
    refresh
    is "$status" 137
    has_bytes "$dotenv" 'A=1\n'
    [[ -e $temporary ]]

    # even for a run that has nothing to write
    rm "$world/bin/$tool" "$credentials"
    refresh
    ended 1
    is "$(ls -A "$project")" $'.env\nlogs\nscripts'
    has_bytes "$dotenv" 'A=1\n'
  done
}

@test "a killed run's leftover is removed, whatever characters the path of .env has" {
  fresh
  dotenv="$world/my files/[b] *.env"
  mkdir "$world/my files"
  environment+=(OAUTHKIT_DOTENV="$dotenv")
  printf 'left\n' >"$dotenv.oauthkit.1600000000000000"
  refresh
  ended 0
  has_bytes "$dotenv" "$LINE\n"
  is "$(ls -A "$world/my files")" '[b] *.env'
}

@test "a killed run's leftover is removed beside a dangling symbolic link" {
  fresh
  ln -s "$world/nowhere/at/all" "$dotenv"
  printf 'left\n' >"$dotenv.oauthkit.1600000000000000"
  refresh
  not_delivered "$dotenv is a symbolic link that leads nowhere"
  is "$(ls -A "$project")" $'.env\nlogs\nscripts'
}

@test "files with similar names are kept" {
  fresh
  printf 'mine\n' | tee "$dotenv.oauthkit" "$dotenv.oauthkit.20260101" >"$dotenv.oauthkit.bak"
  refresh
  ended 0
  has_bytes "$dotenv.oauthkit" 'mine\n'
  has_bytes "$dotenv.oauthkit.20260101" 'mine\n'
  has_bytes "$dotenv.oauthkit.bak" 'mine\n'
}

@test "a link in place of the temporary file is not followed" {
  fresh
  raw_dotenv 'A=1\n'
  printf 'mine\n' >"$world/mine"
  ln -s "$world/mine" "$temporary"
  refresh
  ended 0
  has_bytes "$world/mine" 'mine\n'
  has_bytes "$dotenv" "A=1\n$LINE\n"
}

@test "a temporary file that someone else created is not written" {
  fresh
  raw_dotenv 'A=1\n'
  printf 'old\n' >"$dotenv.oauthkit.1111111111111111" # the leftover of a killed run, which rm removes
  make_stand_in rm
  # a second link keeps anything that would be written to the leftover
  plan rm "printf 'B=2\n' >'$temporary'" "$(type -P ln) -f '$temporary' '$world/second'"
  refresh
  ended 1
  log_has "ERROR: $dotenv cannot be written and is unchanged"
  has_bytes "$dotenv" 'A=1\n'
  has_bytes "$world/second" 'B=2\n'
}

@test "a .env that other users can read gets the token, and a WARN" {
  fresh
  raw_dotenv 'A=1\n'
  chmod 0644 "$dotenv"
  refresh
  ended 0
  has_bytes "$dotenv" "A=1\n$LINE\n"
  log_has "WARN: other users have access to the token. Set mode 600 for $dotenv"
}

@test "a .env that is a link or a file of another user gets no token" {
  ((EUID == 0)) || skip 'only root can make what is of another user'
  fresh
  printf 'A=1\n' >"$world/theirs"
  ln -s "$world/theirs" "$dotenv"
  chown -h 1234 "$dotenv"
  refresh
  not_delivered "$dotenv is, or leads to, another user's symbolic link and is not followed"
  has_bytes "$world/theirs" 'A=1\n'
}

@test "a link of another user that appears during the renewal gets no token" {
  ((EUID == 0)) || skip 'only root can make what is of another user'
  credentials "$OLD_TOKEN" -$HOUR_MS
  printf 'A=1\n' >"$world/theirs"
  ln -s "$world/theirs" "$world/link"
  chown -h 1234 "$world/link"
  plan claude "renew $NEW_TOKEN $((8 * HOUR_MS))" "$(type -P mv) '$world/link' '$dotenv'"
  refresh
  ended 1
  log_has "ERROR: $dotenv is, or leads to, another user's symbolic link and is not followed"
  has_bytes "$world/theirs" 'A=1\n'
}

@test "OAUTHKIT_DOTENV names another file, relative to the caller's directory" {
  fresh
  mkdir "$world/caller"
  environment+=(OAUTHKIT_DOTENV=./sub/../settings.env)
  cd "$world/caller"
  refresh
  ended 0
  has_bytes "$world/caller/settings.env" "$LINE\n"
  [[ ! -e $dotenv ]]
}
