# shellcheck shell=bash
# The runtime library of health_check: the bash bodies of the builtins in health_words.py.

# --- Builtins -------------------------------------------------------------------------------------

# Wait for $1 milliseconds. read -t would not need a process, but bash 5.1 may miss its alarm.
pause() {
  local +x seconds
  printf -v seconds '%d.%03d' "$(($1 / 1000))" "$(($1 % 1000))"
  { sleep "$seconds"; } >/dev/null 2>&1 9>&-
}

# Test whether $1 consists of ASCII letters, digits, _ and -, and is therefore a safe file name.
is_plain_name() {
  [[ $1 =~ ^[A-Za-z0-9_][A-Za-z0-9_-]*$ ]]
}
