# shellcheck shell=bash
# The words of health_check, each the twin of the function of the same name in health_words.py.

# --- Builtins -------------------------------------------------------------------------------------

# Does nothing for $1 milliseconds. read -t would need no process, but bash 5.1 may miss its alarm.
pause() {
  local +x seconds
  printf -v seconds '%d.%03d' "$(($1 / 1000))" "$(($1 % 1000))"
  { sleep "$seconds"; } >/dev/null 2>&1 9>&-
}

# Whether $1 is of ASCII letters, digits, _ and -, and so safe as the name of a file.
is_plain_name() {
  [[ $1 =~ ^[A-Za-z0-9_][A-Za-z0-9_-]*$ ]]
}
