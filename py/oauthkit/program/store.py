"""Publish the access token in a store, for other hosts, and find a live one there.

A store is a directory: NFS, Syncthing, rsync or a mounted Secret. It has a record for each host
that publishes, HOST.json, without the refresh token.
"""

from __future__ import annotations

from plumbum import LocalPath, local

from oauthkit.program.credentials import (
    RENEW_BEFORE_MS,
    access_token,
    expires_at,
    is_live,
    outlasts,
    read_credentials,
)
from oauthkit.program.process import GRACE_S
from oauthkit.shell import (
    CAPTURE,
    RETCODE,
    TF,
    absolute,
    add_secret,
    create_file,
    is_unit_name,
    log_error,
    now_ms,
    own_temporary,
    parse_int,
    program,
    read_file,
    timestamp,
)

# If a record is from further in the future than this, one of the two clocks is wrong.
CLOCK_LIMIT_MS = 5 * 60 * 1000
# The current token is kept while it has more than this left, so that it does not change with each
# new record.
KEEP_BEFORE_MS = 30 * 60 * 1000
READ_LIMIT_S = 30
EMPTY = "!the record %f is empty\\n"
UNREADABLE = "!the record %f cannot be read\\n"
LARGE = "!the record %f is larger than 64 KiB\\n"
HOST_PATTERN = ".*/[A-Za-z0-9:_][A-Za-z0-9:_.-]{0,79}[.]json"

# The end of the filter that makes a host's record. publish_token prepends the values that vary.
RECORD_FILTER = (
    "expires_at_ms: (.expiresAt | trunc), scopes, subscription_type: .subscriptionType}"
    " | with_entries(select(.value != null))"
)

# Reads records from variables with the names of their hosts. Prints an error with ! before it, or
# five lines for a record: its host, expiry, time of issue and token, and the content of the bearer
# file. Of the records from the past, and of those from the future, these are the 100 that expire
# last, in this order.
RECORDS_FILTER = (
    'def is_time: type == "number" and . > 0 and . < 1e15;\n'
    'def is_word: type == "string" and test("^[a-z0-9:._-]{1,64}\\\\z");\n'
    "def problem($host):\n"
    ' if type != "object" then "is not a JSON object"\n'
    ' elif .version != 1 then "has an unsupported version"\n'
    ' elif .host != $host then "is for another host"\n'
    ' elif (.expires_at_ms | is_time | not) then "has no valid expires_at_ms"\n'
    ' elif (.issued_at_ms | is_time | not) then "has no valid issued_at_ms"\n'
    ' elif (.access_token | type != "string" or (test("^[A-Za-z0-9._~+/-]+=*\\\\z") | not))\n'
    ' then "has no valid access_token"\n'
    ' elif (.scopes // [] | type != "array" or (all(is_word) | not)) then "has no valid scopes"\n'
    ' elif (.subscription_type // "x" | is_word | not) then "has no valid subscription_type"\n'
    ' else "" end;\n'
    "[$ARGS.named | to_entries[] | .key as $host | .value | (try fromjson catch null)\n"
    " | {host: $host, record: ., problem: problem($host)}]\n"
    '| (.[] | select(.problem != "") | "!the record of \\(.host) \\(.problem)"),\n'
    ' ([.[] | select(.problem == "").record] | group_by(.issued_at_ms > limit)[]\n'
    "  | sort_by(-.expires_at_ms, .host)[:100][]\n"
    "  | .host, (.expires_at_ms, .issued_at_ms | trunc), .access_token,\n"
    "  ({claudeAiOauth: ({accessToken: .access_token, expiresAt: .expires_at_ms, scopes,\n"
    "   subscriptionType: .subscription_type} | with_entries(select(.value != null)))} | tojson))"
)

find = program("find")
jq = program("jq")
mv = program("mv")
rm = program("rm")
sync = program("sync")
timeout = program("timeout")
uname = program("uname")


def store_directory(store: str) -> tuple[str, LocalPath]:
    """Return an error ("" if there is none), and the directory that OAUTHKIT_STORE names."""
    directory = absolute(store.removeprefix("dir:"))
    if store == "":
        return "OAUTHKIT_STORE is not set", directory
    if not store.startswith("dir:/"):
        return f"OAUTHKIT_STORE is {store}. It must be dir:/PATH", directory
    if not directory.is_dir():
        return f"the store {directory} is not a directory", directory
    return "", directory


def host_name() -> tuple[str, str]:
    """Return an error ("" if there is none), and the name under which this host publishes."""
    host = local.env.get("OAUTHKIT_HOST", "")
    if host == "":
        _, host = uname["-n"] & CAPTURE
    if not is_unit_name(host) or "\\" in host:
        return f"{host} is not a valid host name. Set OAUTHKIT_HOST", host
    return "", host


def publish_token(credentials: LocalPath, store: str) -> str:
    """Write this host's record if it has changed. Return an error, "" if the store has it."""
    problem, login = read_credentials(credentials)
    if problem != "":
        return problem
    if not is_live(problem, login):
        return f"the token in {credentials} has expired"
    problem, host = host_name()
    if problem != "":
        return problem
    problem, directory = store_directory(store)
    if problem != "":
        return problem
    file = absolute(f"{directory}/{host}.json")
    temporary = own_temporary(file)
    _, old = read_file(file)
    token = access_token(login)
    expiry = expires_at(login)
    now = now_ms()
    start, _, rest = old.partition('"issued_at_ms":')
    issued, _, rest = rest.partition(",")
    status, issued_at_ms = parse_int(issued)
    same = f'"access_token":"{token}","expires_at_ms":{expiry}'
    if (
        start == f'{{"version":1,"host":"{host}",'
        and (status == 0 and issued_at_ms <= now)
        and (rest.startswith(f"{same},") or rest == f"{same}}}\n")
        and old.endswith("}\n")
    ):
        return ""
    record_filter = f'.claudeAiOauth | {{version: 1, host: "{host}", issued_at_ms: {now},'
    record_filter += f" access_token: .accessToken, {RECORD_FILTER}"
    status, record = jq["-c", record_filter, credentials] & CAPTURE
    if status != 0 or f'"access_token":"{token}"' not in record:
        return f"{credentials} changed while it was read"
    # A new file, with mode 600: the old one may have been another user's.
    status, _ = create_file(temporary, f"{record}\n", "", "")
    if status == 0 and (sync[temporary] & TF) and (mv["-f", "-T", temporary, file] & TF):
        return ""
    _ = rm["-f", temporary] & RETCODE
    return f"{file} cannot be written"


def read_records(store: str) -> tuple[str, str]:
    """Return an error ("" if there is none), and what RECORDS_FILTER prints."""
    problem, directory = store_directory(store)
    if problem != "":
        return problem, ""
    list_files = find[
        "-L", directory, "-maxdepth", "1", "-regextype", "posix-extended", "-type", "f",
        "-regex", HOST_PATTERN, "(", "!", "-readable", "-printf", UNREADABLE, "-o",
        "-size", "0", "-printf", EMPTY, "-o",
        "-size", "+64k", "-printf", LARGE, "-o", "-printf", "%f\\n", ")",
    ]  # fmt: skip
    # A store on a network can hang.
    limited = timeout["-k", GRACE_S, READ_LIMIT_S]
    status, files = limited[list_files] & CAPTURE
    # 1: a link that leads nowhere, for example.
    if status > 1 or not directory.access("r"):
        return f"{directory} cannot be read (find exit {status})", ""
    errors = ""
    read = jq["-n", "-r"]
    while files != "":
        file, _, files = files.partition("\n")
        if file.startswith("!"):
            errors += f"{file}\n"
        else:
            host = file.removesuffix(".json")
            read = read["--rawfile", host, f"{directory}/{file}"]
    limit_ms = now_ms()
    limit_ms += CLOCK_LIMIT_MS
    read = read[f"def limit: {limit_ms};\n{RECORDS_FILTER}"]
    status, records = limited[read] & CAPTURE
    if status != 0:
        return f"the records in {directory} cannot be read (jq exit {status})", ""
    return "", errors + records


def choose_token(records: str, current: str) -> str:
    """Return the login to deliver, as read_credentials does, "" if no record has a live token.

    Keep the `current` token if it has more than 30 min left. Otherwise select the one that expires
    last. Log errors in records.
    """
    login = ""
    rest = records
    while rest != "":
        host, _, rest = rest.partition("\n")
        if host.startswith("!"):
            problem = host.removeprefix("!")
            log_error(f"ERROR: {problem} and is ignored")
            continue
        expiry, _, rest = rest.partition("\n")
        issued, _, rest = rest.partition("\n")
        token, _, rest = rest.partition("\n")
        record, _, rest = rest.partition("\n")
        _, issued_at_ms = parse_int(issued)
        add_secret(token)
        now = now_ms()
        if issued_at_ms > now + CLOCK_LIMIT_MS:
            when = timestamp(issued_at_ms // 1000)
            here = timestamp(now // 1000)
            log_error(
                f"ERROR: the record of {host} was issued at {when}, but this host's time is {here}"
            )
        elif outlasts(expiry, RENEW_BEFORE_MS):
            is_kept = token == current and outlasts(expiry, KEEP_BEFORE_MS)
            if login == "" or is_kept:
                login = f"{token}\n{expiry}\nnull\n{record}"
    return login
