# shellcheck shell=bash
# The words of health_check, each the twin of the function of the same name in health_words.py.

# --- Words ----------------------------------------------------------------------------------------

# Does nothing for $1 milliseconds: waits for a line from a pipe that nobody writes to, and so needs
# no sleep(1), which takes fractions of a second on some systems only.
pause() {
  local +x seconds
  printf -v seconds '%d.%03d' "$(($1 / 1000))" "$(($1 % 1000))"
  if (($1 > 0)); then # 0 would only ask whether there is something to read
    read -r -t "$seconds" _ <> <(:)
  fi
}

# Whether $1 is of ASCII letters, digits, _ and -, and so safe as the name of a file.
is_plain_name() {
  [[ $1 =~ ^[A-Za-z0-9_][A-Za-z0-9_-]*$ ]]
}
