"""Encrypt and decrypt records with age(1), to hide the tokens from a store's other readers."""

from __future__ import annotations

from plumbum import local
from plumbum.commands import ERROUT, BaseCommand

from oauthkit.program.limits import AGE_LIMIT_S, GRACE_S
from oauthkit.shell import CAPTURE, Status, absolute, get_env, program, read_file

age = program("age")
setsid = program("setsid")
sha256sum = program("sha256sum")
timeout = program("timeout")


def hidden_setting(kind: str, errors: str) -> str:
    """Return an error if a line that read_settings rejected may be a key setting, else "".

    A typo must not lead to tokens in clear text. `kind` is as in read_key_file.
    """
    value = get_env(f"OAUTHKIT_STORE_{kind}")
    if errors == "" or value != "":
        return ""
    return f"an error in refresh.conf may hide OAUTHKIT_STORE_{kind}. Fix refresh.conf"


def read_key_file(kind: str) -> tuple[str, str]:
    """Return an error ("" if there is none), and the content of the file that a setting names.

    `kind` is the last word of the setting's name: RECIPIENTS or IDENTITY.
    """
    file = get_env(f"OAUTHKIT_STORE_{kind}")
    status, text = read_file(file)
    if text != "":
        return "", text
    if status == 0:
        return f"OAUTHKIT_STORE_{kind}: {file} is empty", ""
    path = absolute(file)
    if not path.exists():
        return f"OAUTHKIT_STORE_{kind}: {file} not found", ""
    return f"OAUTHKIT_STORE_{kind}: {file} cannot be read", ""


def run_age(text: str, command: BaseCommand) -> tuple[Status, str]:
    """Run age with `text` on stdin. Return its exit status and output.

    It has no terminal, so it cannot ask for a passphrase. timeout stops its children, too.
    """
    limited = setsid["--wait", timeout["-k", GRACE_S, AGE_LIMIT_S, command]]
    status, printed = ((limited << text) >= ERROUT) & CAPTURE
    return status, printed


def age_problem(status: Status) -> str:
    """Return why age failed for a reason other than its input, or "" if it did not."""
    if status == 127:
        return "age not found in PATH"
    if status == 124 or status == 137:
        return f"age was stopped after {AGE_LIMIT_S} s"
    return ""


def age_error(status: Status, printed: str) -> str:
    """Return the error in age's exit status and output, or "" if there is none."""
    problem = age_problem(status)
    if status == 0 or problem != "":
        return problem
    # Anything else that age prints can be the record.
    _, error, reason = printed.rpartition("age: error: ")
    if error == "":
        return f"age exit {status}"
    reason, _, _ = reason.partition("\n")
    return f"age exit {status}: {reason}"


def encrypt(text: str) -> tuple[str, str]:
    """Encrypt `text` to the recipients. Return an error ("" if there is none), and the armor.

    The armor's newlines are escaped, as in a JSON string.
    """
    recipients = local.env.get("OAUTHKIT_STORE_RECIPIENTS", "")
    status, printed = run_age(text, age["--armor", "-R", recipients])
    error = age_error(status, printed)
    # age may print warnings before the armor.
    _, begin, armor = printed.partition("-----BEGIN AGE ENCRYPTED FILE-----\n")
    if error == "" and (begin == "" or not armor.endswith("\n-----END AGE ENCRYPTED FILE-----")):
        error = "age printed something else"
    if error != "":
        return f"the record cannot be encrypted ({error})", ""
    armor = begin + armor
    armor = armor.replace("\n", "\\n")
    return "", armor


def decrypt(token: str, record: str, identity: str) -> tuple[Status, str]:
    """Decrypt a record from read_records. `identity` is a key file, or "" if this host has none.

    Return age's exit status, and the text or the error.
    """
    if token != "":
        return 1, "is not encrypted (OAUTHKIT_STORE_IDENTITY is set)"
    if identity == "":
        return 1, "is encrypted (OAUTHKIT_STORE_IDENTITY is not set)"
    armor = record.replace(",", "\n")
    status, printed = run_age(armor, age["--decrypt", "-i", identity])
    if status != 0:
        error = age_error(status, printed)
        return status, f"cannot be decrypted ({error})"
    # The record is the last line. age may print warnings before it.
    _, _, text = printed.rpartition("\n")
    return 0, text


def digest_of(text: str) -> str:
    """Return the SHA-256 of `text` in hexadecimal digits, or "" if sha256sum fails."""
    _, printed = (sha256sum << text) & CAPTURE
    digest, _, _ = printed.partition(" ")
    return digest
