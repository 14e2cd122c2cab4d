"""Read the settings from the environment, and from scripts/oauth/refresh.conf."""

from __future__ import annotations

from plumbum import LocalPath, local

from oauthkit.shell import absolute, get_env, read_file, set_env

# All settings. CLAUDE_CONFIG_DIR leads to the credentials.
SETTINGS = (
    "CLAUDE_CONFIG_DIR", "OAUTHKIT_DOTENV", "OAUTHKIT_BEARER", "OAUTHKIT_LOG", "OAUTHKIT_UNIT",
    "OAUTHKIT_LIGHT", "OAUTHKIT_STORE", "OAUTHKIT_HOST",
    "OAUTHKIT_STORE_RECIPIENTS", "OAUTHKIT_STORE_IDENTITY",
    "ETCDCTL_CACERT", "ETCDCTL_CERT", "ETCDCTL_KEY",
)  # fmt: skip
# The settings that are not paths.
NO_PATHS = ("OAUTHKIT_UNIT", "OAUTHKIT_LIGHT", "OAUTHKIT_STORE", "OAUTHKIT_HOST")
LINE_LIMIT = 200


def make_absolute(base: str) -> None:
    """Make the paths in the environment absolute. Relative ones start in the directory `base`.

    claude runs in another directory. It would treat an empty CLAUDE_CONFIG_DIR as that directory.
    """
    for name in SETTINGS:
        value = get_env(name)
        if value != "" and name not in NO_PATHS:
            if not value.startswith("/"):
                value = f"{base}/{value}"
            path = absolute(value)
            set_env(name, path)
    if local.env.get("CLAUDE_CONFIG_DIR", "") == "":
        local.env.pop("CLAUDE_CONFIG_DIR", "")


def read_setting(line: str, file: LocalPath, number: int) -> str:
    """Apply a line of refresh.conf. Return the error as a line, or "" if there is none."""
    name, equals, value = line.partition("=")
    if equals == "":
        return f"{file} line {number} is not NAME=VALUE and is ignored\n"
    if value.startswith('"') or value.startswith("'") or value.startswith("~"):  # noqa: PIE810
        return f"{file} line {number} is ignored: quotes and ~ have no meaning here\n"
    if "$" in value or " #" in value or value.startswith(" ") or value.endswith(" "):
        return f"{file} line {number} is ignored: it has $, a comment or extra spaces\n"
    if name not in SETTINGS:
        return f"{file} line {number} is ignored: there is no such setting\n"
    given = get_env(name)
    if value != "" and given == "":  # the environment takes precedence
        set_env(name, value)
    if value == "" and name.startswith("OAUTHKIT_STORE_"):  # unset, it would disable encryption
        return f"{file} line {number} is ignored: it has no value\n"
    return ""


def read_settings(project: LocalPath) -> str:
    """Set what the environment does not have from refresh.conf: lines NAME=VALUE, and # comments.

    Return the errors, a line each. Lines with an error are ignored.
    """
    file = project / "scripts/oauth/refresh.conf"
    if not file.exists() and not file.is_symlink():
        return ""
    status, rest = read_file(file)
    if status == 2:
        return f"{file} has a NUL byte and is ignored\n"
    if status == 3:
        return f"{file} is larger than 256 KiB and is ignored\n"
    if status != 0:
        return f"{file} cannot be read and is ignored\n"
    errors = ""
    number = 0
    while rest != "":
        line, _, rest = rest.partition("\n")
        line = line.removesuffix("\r")
        number += 1
        if number > LINE_LIMIT:
            errors += f"{file}: only the first {LINE_LIMIT} lines are read\n"
            break
        if line != "" and not line.startswith("#"):
            errors += read_setting(line, file, number)
    make_absolute(f"{project}")
    return errors
