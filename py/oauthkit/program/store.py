"""Publish the access token in a store, for other hosts, and find a live one there.

A store is a directory or etcd. It has a record for each host that publishes, without the refresh
token.
"""

from __future__ import annotations

from plumbum import LocalPath, local
from plumbum.commands import BaseCommand

from oauthkit.program.command_output import OUTPUT_LIMIT_LINES
from oauthkit.program.credentials import (
    RENEW_BEFORE_MS,
    access_token,
    expires_at,
    is_live,
    outlasts,
    read_credentials,
)
from oauthkit.program.directory import (
    RECORDS_LIMIT,
    list_directory,
    open_directory,
    write_record,
)
from oauthkit.program.encryption import (
    age_problem,
    decrypt,
    digest_of,
    encrypt,
    hidden_setting,
    read_key_file,
)
from oauthkit.program.etcd import etcd_get, etcd_list, etcd_put, open_etcd
from oauthkit.program.limits import GRACE_S, READ_LIMIT_S
from oauthkit.shell import (
    CAPTURE,
    Status,
    absolute,
    add_secret,
    is_unit_name,
    log_error,
    now_ms,
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
# Without another token, the last one is used until it has this much left. A host renews its token
# when 5 min are left, so a single publisher has none that can be delivered until then.
SERVE_BEFORE_MS = 60 * 1000
# Followers ignore a longer record.
RECORD_LIMIT_BYTES = 64 * 1024
# jq can need a hundred times a record's size. A file can also grow after find has checked its size.
MEMORY_LIMIT_KIB = 1024 * 1024

# The end of the filter that makes a host's record. publish_token prepends the values that vary.
RECORD_FILTER = (
    "expires_at_ms: (.expiresAt | floor),"
    ' scopes: (.scopes | if type == "array" and all(type == "string") then . else null end),'
    ' subscription_type: (.subscriptionType | if type == "string" then . else null end)}'
    " | with_entries(select(.value != null))"
)

# Define `store` for RECORDS_FILTER: the revision, and each host with its text. For a directory,
# each text is a jq variable with the host's name (--rawfile). Decrypted records are pairs of lines.
# A decrypted record cannot contain an encrypted one.
DIRECTORY_FILTER = 'def store: {revision: "", records: ($ARGS.named | to_entries)};\n'
DECRYPTED_FILTER = (
    'def encrypted: null; def store: {revision: "", records: [inputs | {key: ., value: input}]};\n'
)
ETCD_FILTER = (
    "def store: [fromjson?][] | objects | select(.header) | {revision: .header.revision,\n"
    ' records: [.kvs[]? | {key: (.key | @base64d | ltrimstr(prefix)), value: (.value // "")}\n'
    "  | .value |= if length > 90000 then . else @base64d end]};\n"
)

# Prints the revision. Then prints a line that starts with ! for each of the first 20 errors. Then
# prints five lines for each record: its host, expiry, time of issue, token, and the content of the
# bearer file. An encrypted record has an empty token and, instead of the bearer file, the encrypted
# record, with commas between its lines. Records from the past come first, then those from the
# future. Of the records from the past, it prints the 100 that expire last. Of those from the
# future, it prints 20, the latest first.
RECORDS_FILTER = (
    'def is_name: test("^[A-Za-z0-9:_][A-Za-z0-9:_.-]{0,79}\\\\z");\n'
    'def is_time: type == "number" and . > 0 and . < 1e15;\n'
    'def is_word: type == "string" and test("^[a-z0-9:._-]{1,64}\\\\z");\n'
    "def problem($host; $text):\n"
    ' if $host | is_name | not then "has an invalid name"\n'
    ' elif $text == "" then "is empty"\n'
    ' elif $text | utf8bytelength > 65536 then "is larger than 64 KiB"\n'
    ' elif type != "object" then "is not a JSON object"\n'
    ' elif .version != 1 then "has an unsupported version"\n'
    ' elif .host != $host then "is for another host"\n'
    ' elif (.expires_at_ms | is_time | not) then "has no valid expires_at_ms"\n'
    ' elif (.issued_at_ms | is_time | not) then "has no valid issued_at_ms"\n'
    " elif encrypted != null\n"
    ' then if encrypted | type == "string" and test("\\\\A[A-Za-z0-9+/=\\n -]+\\\\z") then ""\n'
    '  else "has no valid encrypted text" end\n'
    ' elif (.access_token | type != "string" or length > 4096'
    ' or (test("^[A-Za-z0-9._~+/-]+=*\\\\z") | not))\n'
    ' then "has no valid access_token"\n'
    ' elif .scopes | . != null and (type != "array" or length > 64 or (all(is_word) | not))\n'
    ' then "has no valid scopes"\n'
    " elif .subscription_type | . != null and (is_word | not)\n"
    ' then "has no valid subscription_type"\n'
    ' else "" end;\n'
    "def shown: if is_name then . else .[:200] | tojson end;\n"
    "store | .revision, (\n"
    " [.records[] | .key as $host | .value as $text | ($text | try fromjson catch null)\n"
    "  | {host: $host, record: ., problem: problem($host; $text)}]\n"
    ' | ([.[] | select(.problem != "")][:20][]\n'
    '  | "!the record of \\(.host | shown) \\(.problem)"),\n'
    '  ([.[] | select(.problem == "").record] | group_by(.issued_at_ms > limit)[]\n'
    "   | sort_by(-.expires_at_ms, .host)[:if .[0].issued_at_ms > limit then 20 else 100 end][]\n"
    "   | .host, (.expires_at_ms, .issued_at_ms | floor),\n"
    '   if encrypted then "", (encrypted | split("\\n") | join(",")) else .access_token,\n'
    "   ({claudeAiOauth: ({accessToken: .access_token, expiresAt: .expires_at_ms, scopes,\n"
    "    subscriptionType: .subscription_type} | with_entries(select(.value != null)))}\n"
    "   | tojson) end))"
)

jq = program("jq")
sh = program("sh")
timeout = program("timeout")
uname = program("uname")


def store_error(store: str) -> str:
    """Return an error if OAUTHKIT_STORE is not set, or not a supported kind of store, else ""."""
    if store == "":
        return "OAUTHKIT_STORE is not set"
    if not store.startswith("dir:/") and not store.startswith("etcd:"):
        return f"OAUTHKIT_STORE is {store}. It must be dir:/PATH or etcd:https://HOST:PORT/PREFIX"
    return ""


def host_name() -> tuple[str, str]:
    """Return an error ("" if there is none), and the name under which this host publishes."""
    host = local.env.get("OAUTHKIT_HOST", "")
    if host == "":
        _, host = uname["-n"] & CAPTURE
    if not is_unit_name(host) or "\\" in host:
        return f"{host} is not a valid host name. Set OAUTHKIT_HOST", host
    return "", host


def find_record(store: str, host: str) -> tuple[str, str, str]:
    """Return an error ("" if there is none), the file or key of a host's record, and its text.

    The text is "" if the host has no record.
    """
    if store.startswith("etcd:"):
        problem, prefix = open_etcd(store)
        key = prefix + host
        old = ""
        if problem == "":
            problem, old = etcd_get(key)
        return problem, key, old
    problem, directory = open_directory(store)
    file = f"{absolute(directory)}/{host}.json"
    _, old = read_file(file)
    return problem, file, old


def is_current(old: str, host: str, login: str, recipients: str) -> bool:
    """Return whether a host's record has the login's token, and is not from the future.

    This host may not be able to decrypt its record. An encrypted record therefore ends with a
    digest of the token, its expiry, the recipients and the encrypted text.
    `recipients` is "" without encryption.
    """
    token = access_token(login)
    expiry = expires_at(login)
    start = f'{{"version":1,"host":"{host}","issued_at_ms":'
    if not old.startswith(start):
        return False
    rest = old.removeprefix(start)
    issued, _, rest = rest.partition(",")
    if rest.endswith("\n"):
        rest = rest.removesuffix("\n")
    status, issued_at_ms = parse_int(issued)
    now = now_ms()
    if status != 0 or issued_at_ms > now:
        return False
    if recipients == "":
        same = f'"access_token":"{token}","expires_at_ms":{expiry}'
        return rest.endswith("}") and (rest.startswith(f"{same},") or rest == f"{same}}}")
    content, _, found = rest.rpartition(',"digest":')
    digest = digest_of(f"{token}\n{expiry}\n{recipients}\n{content}")
    return digest != "" and found == f'"{digest}"}}'


def new_record(credentials: LocalPath, host: str, login: str, recipients: str) -> tuple[str, str]:
    """Return an error ("" if there is none), and the record of a host's login.

    `recipients` is "" without encryption.
    """
    token = access_token(login)
    now = now_ms()
    start = f'version: 1, host: "{host}", issued_at_ms: {now}'
    record_filter = f".claudeAiOauth | {{{start}, access_token: .accessToken, {RECORD_FILTER}"
    status, record = jq["-c", record_filter, credentials] & CAPTURE
    if status != 0 or f'"access_token":"{token}"' not in record:
        return f"{credentials} changed while it was read", ""
    if recipients == "":
        return "", record
    problem, armor = encrypt(record)
    expiry = expires_at(login)
    content = f'"expires_at_ms":{expiry},"encrypted":"{armor}"'
    digest = digest_of(f"{token}\n{expiry}\n{recipients}\n{content}")
    start = f'"version":1,"host":"{host}","issued_at_ms":{now}'
    return problem, f'{{{start},{content},"digest":"{digest}"}}'


def publish_token(credentials: LocalPath, store: str) -> str:
    """Write this host's record if it has changed. Return an error, or "" if the store has it."""
    problem, login = read_credentials(credentials)
    if problem != "":
        return problem
    if not is_live(problem, login):
        return f"the token in {credentials} has expired, or has less than 5 min left"
    problem, host = host_name()
    if problem == "":
        problem = store_error(store)
    recipients = ""
    if problem == "" and local.env.get("OAUTHKIT_STORE_RECIPIENTS", "") != "":
        problem, recipients = read_key_file("RECIPIENTS")
    if problem != "":
        return problem
    problem, place, old = find_record(store, host)
    if problem != "" or is_current(old, host, login, recipients):
        return problem
    problem, record = new_record(credentials, host, login, recipients)
    if problem != "":
        return problem
    length = len(record)
    if length >= RECORD_LIMIT_BYTES:  # a newline follows it
        return (
            "the record is larger than 64 KiB, and followers would ignore it. Use fewer recipients"
        )
    if store.startswith("etcd:"):
        expiry = expires_at(login)
        _, expiry_ms = parse_int(expiry)
        return etcd_put(place, record, expiry_ms)
    file = absolute(place)
    return write_record(file, record)


def filter_records(text: str, filter_start: str, read: BaseCommand) -> tuple[Status, str]:
    """Run jq with RECORDS_FILTER after `filter_start`. Return its exit status and output."""
    limit_ms = now_ms()
    limit_ms += CLOCK_LIMIT_MS
    read = read[f"{filter_start}def limit: {limit_ms};\n{RECORDS_FILTER}"]
    limited = sh["-c", f'ulimit -v {MEMORY_LIMIT_KIB}; exec "$@"', "sh"]
    # Files on a network can hang.
    status, printed = (timeout["-k", GRACE_S, READ_LIMIT_S, limited[read]] << text) & CAPTURE
    return status, printed


def read_records(store: str) -> tuple[str, str, str]:
    """Return an error ("" if there is none), etcd's revision, and the records with their errors.

    RECORDS_FILTER describes the lines of the records.
    The revision of a directory is "".
    """
    problem = store_error(store)
    if problem != "":
        return problem, "", ""
    errors = ""
    text = ""
    if store.startswith("etcd:"):
        problem, prefix = open_etcd(store)
        if problem == "":
            problem, text = etcd_list(prefix)
        read = jq["-r", "-R"]
        record_filter = f'def prefix: "{prefix}";\n{ETCD_FILTER}'
    else:
        problem, directory = open_directory(store)
        files = ""
        number = 0
        damaged = 0
        if problem == "":
            problem, files = list_directory(directory)
        read = jq["-n", "-r"]
        while files != "":
            file, _, files = files.partition("\n")
            number += 1
            if number > RECORDS_LIMIT:
                return f"{directory} has more than {RECORDS_LIMIT} records", "", ""
            if file.startswith("!"):
                damaged += 1
                if damaged <= OUTPUT_LIMIT_LINES:
                    errors += f"{file}\n"
            else:
                host = file.removesuffix(".json")
                read = read["--rawfile", host, f"{directory}/{file}"]
        record_filter = DIRECTORY_FILTER
    if problem != "":
        return problem, "", ""
    record_filter = f"def encrypted: .encrypted;\n{record_filter}"
    status, printed = filter_records(text, record_filter, read)
    if status == 127:
        return "jq not found in PATH. It is needed to read the records", "", ""
    revision, _, records = printed.partition("\n")
    if status != 0 or (store.startswith("etcd:") and revision == ""):
        return f"the records in {store} cannot be read (jq exit {status})", "", ""
    return "", revision, errors + records


def decrypt_records(records: str, errors: str) -> tuple[str, str]:
    """Decrypt the records from read_records. Return an error (or "") and the records.

    Use only the encrypted values: anyone who can write to the store can change the host and the
    times outside. For the same reason, a record in clear text is an error if this host can
    decrypt records. `errors` is what read_settings returned.
    """
    identity = local.env.get("OAUTHKIT_STORE_IDENTITY", "")
    problem = hidden_setting("IDENTITY", errors)
    if identity != "":
        problem, _ = read_key_file("IDENTITY")
    if problem != "":
        return problem, ""
    result = ""
    decrypted = ""
    failed = 0
    rest = records
    while rest != "":
        host, _, rest = rest.partition("\n")
        if host.startswith("!"):
            result += f"{host}\n"
            continue
        expiry, _, rest = rest.partition("\n")
        issued, _, rest = rest.partition("\n")
        token, _, rest = rest.partition("\n")
        record, _, rest = rest.partition("\n")
        if token != "" and identity == "":
            result += f"{host}\n{expiry}\n{issued}\n{token}\n{record}\n"
            continue
        status, text = decrypt(token, record, identity)
        if status == 0:
            decrypted += f"{host}\n{text}\n"
            continue
        problem = age_problem(status)
        if problem != "":
            return problem, ""
        failed += 1
        if failed <= OUTPUT_LIMIT_LINES:
            result += f"!the record of {host} {text}\n"
    if decrypted != "":
        status, text = filter_records(decrypted, DECRYPTED_FILTER, jq["-n", "-r", "-R"])
        if status != 0:
            return f"the decrypted records cannot be read (jq exit {status})", ""
        _, _, text = text.partition("\n")
        result += text
    return "", result


def choose_token(records: str, current: str, rejected_expiry: str) -> str:
    """Return the login to deliver, as read_credentials does, or "" if no record has a live token.

    Keep the `current` token if it has more than 30 min left. Otherwise select the one that expires
    last. Never select the token that expires at `rejected_expiry`: the API rejects it. Log errors
    in records.
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
        elif expiry != rejected_expiry and outlasts(expiry, RENEW_BEFORE_MS):
            is_kept = token == current and outlasts(expiry, KEEP_BEFORE_MS)
            if login == "" or is_kept:
                login = f"{token}\n{expiry}\nnull\n{record}"
    return login
