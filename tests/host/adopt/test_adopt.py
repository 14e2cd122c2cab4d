"""oauthkit adopt: the new script replaces the old one in a checkout, and nothing is lost."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.host.adopt_checkout import (
    IPC_TS,
    OAUTH_TS,
    adopt,
    commit,
    git,
    make_checkout,
    refused,
)
from tests.support.host.host_project import quoted
from tests.support.refresh.world import REPOSITORY

from oauthkit.host.adopt import adopt as adopting
from oauthkit.host.adopt import nanoclaw
from oauthkit.host.adopt.nanoclaw import OLD
from oauthkit.host.project import CONF_FILE
from oauthkit.host.shipped_files import CHECKOUT_FILES
from oauthkit.host.shipped_files import SCRIPT as NEW


def calls(*missing: str) -> list[str]:
    """Return the lines that adopt prints if the sources do not make these calls."""
    lines = [*nanoclaw.CALL, *(nanoclaw.CALLS[key] for key in missing)]
    return [
        "add these calls to NanoClaw's sources (oauthkit's docs/host.md):",
        *(f"    {line}" for line in lines),
    ]


UNCHANGED = "\n".join(["nothing to change", *calls("--ensure", "--rejected", "refresh_oauth"), ""])


def test_everything_is_moved(checkout: Path) -> None:
    done = adopt(checkout)
    assert (done.returncode, done.stderr) == (0, "")
    assert not (checkout / OLD).exists()
    for name, mode in CHECKOUT_FILES.items():
        assert (checkout / name).read_bytes() == (REPOSITORY / name).read_bytes()
        assert (checkout / name).stat().st_mode & 0o777 == mode
    source = {name: (checkout / name).read_text("utf-8") for name in ("src/oauth.ts", "src/ipc.ts")}
    assert source["src/oauth.ts"] == OAUTH_TS.replace("'refresh-oauth.sh'", "'oauth', 'refresh.sh'")
    assert source["src/ipc.ts"] == (
        IPC_TS.replace('"refresh-oauth.sh"', '"oauth", "refresh.sh"')
        .replace("`refresh-oauth.sh`", "`oauth`, `refresh.sh`")
        .replace(OLD, NEW)
    )
    assert (checkout / "src/ipc.ts").stat().st_mode & 0o777 == 0o755
    for name in (".claude/skills/setup/SKILL.md", "package.json"):
        assert NEW in (checkout / name).read_text("utf-8")
    assert "refresh-oauth.sh" not in git(checkout, "grep", "-h", "", "--", "src", ".claude")
    lines = done.stdout.splitlines()
    said, steps = lines[:11], lines[11:]
    assert steps == [
        "now build and restart NanoClaw: its sources have changed",
        f"now run: bash '{checkout}/{NEW}'",
        *calls("--ensure", "--rejected", "refresh_oauth"),
    ]
    assert sorted(said) == [
        "changed .claude/skills/setup/SKILL.md",
        "changed container/skills/refresh-oauth/SKILL.md",
        "changed package.json",
        "changed src/ipc.ts",
        "changed src/oauth.ts",
        f"removed {OLD}",
        "wrote .gitignore",
        "wrote scripts/oauth/README.md",
        "wrote scripts/oauth/follow.sh",
        "wrote scripts/oauth/publish.sh",
        f"wrote {NEW}",
    ]


def test_a_second_run_changes_nothing(checkout: Path) -> None:
    adopt(checkout)
    commit(checkout)
    done = adopt(checkout)
    assert (done.returncode, done.stdout, done.stderr) == (0, UNCHANGED, "")
    assert git(checkout, "status", "--porcelain") == ""


def test_next_steps_are_printed_without_the_old_script(checkout: Path) -> None:
    names = (OLD, "src/oauth.ts", "src/ipc.ts", "container/skills/refresh-oauth/SKILL.md")
    git(checkout, "rm", "--quiet", *names, ".claude/skills/setup/SKILL.md", "package.json")
    for name in ("package.json", "src/other.ts", "container/x"):
        (checkout / name).parent.mkdir(exist_ok=True)
        (checkout / name).touch()
    commit(checkout)
    done = adopt(checkout)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        *(f"wrote {name}" for name in CHECKOUT_FILES),
        "wrote .gitignore",
        f"now run: bash '{checkout}/{NEW}'",
        *calls("--ensure", "--rejected", "refresh_oauth"),
    ]


def test_calls_that_the_sources_make_are_not_named(checkout: Path) -> None:
    request = "if (task.type === 'refresh_oauth') await refresh('--ensure');\n"
    (checkout / "src/other.ts").write_text(request, encoding="utf-8")
    commit(checkout)
    done = adopt(checkout)
    assert done.stdout.endswith("\n".join([*calls("--ensure", "--rejected"), ""]))
    text = f"refresh('--ensure');\n{request}"
    (checkout / "src/other.ts").write_text(text, encoding="utf-8")
    commit(checkout)
    assert adopt(checkout).stdout.endswith("\n".join([*calls("--rejected"), ""]))


def test_calls_are_those_of_the_manual() -> None:
    page = (REPOSITORY / "docs/host.md").read_text("utf-8")
    assert "\n    " + "\n    ".join(nanoclaw.CALL) + "\n\n" in page
    assert "\n    " + "\n    ".join(nanoclaw.CALLS.values()) + "\n\n" in page


def test_dry_run_shows_the_diff_and_changes_nothing(checkout: Path) -> None:
    done = adopt(checkout, "--dry-run")
    assert (done.returncode, done.stderr) == (0, "")
    assert git(checkout, "status", "--porcelain") == ""
    adopt(checkout)
    wanted = git(checkout, "diff", "--no-color", "--", "src/oauth.ts")
    changed = [line for line in wanted.splitlines() if re.match(r"[+-][^+-]", line)]
    assert changed
    assert all(line in done.stdout.splitlines() for line in changed)
    assert f"--- a/{OLD}\n+++ /dev/null\n" in done.stdout
    assert f"--- /dev/null\n+++ b/{NEW}\n" in done.stdout


def test_a_dirty_tree_is_rejected_unless_forced(checkout: Path) -> None:
    (checkout / "src/other.ts").write_text("// mine\n", encoding="utf-8")
    done = adopt(checkout)
    assert (done.returncode, done.stdout) == (1, "")
    assert "has changes that are not committed. Commit or stash them, or use --force" in done.stderr
    assert (checkout / OLD).exists()
    assert adopt(checkout, "--force").returncode == 0
    assert (checkout / "src/other.ts").read_text("utf-8") == "// mine\n"


def test_unclear_mentions_are_reported_and_unchanged(checkout: Path) -> None:
    text = "const name = 'refresh-oauth.sh';\nrun(name); // my-scripts/refresh-oauth.sh\n"
    (checkout / "src/odd.ts").write_text(text, encoding="utf-8")
    commit(checkout)
    done = adopt(checkout)
    assert done.returncode == 1
    assert (checkout / "src/odd.ts").read_text("utf-8") == text
    left = [line for line in done.stdout.splitlines() if line.startswith("not understood")]
    assert [line.split(": ")[1] for line in left] == ["src/odd.ts:1"]
    assert left[0].endswith(": const name = 'refresh-oauth.sh'; (and 1 more line)")
    assert not (checkout / OLD).exists()


def test_paths_in_parts_are_reported_and_unchanged(checkout: Path) -> None:
    odd = {
        "src/parts.ts": "const a = 1;\nrun(dir + 'refresh-oauth' + '.sh');\n",
        "src/other.ts": "const NAME = `refresh-oauth`;\n",
        "docs/CHANGELOG.md": "- refresh-oauth.sh is new\n",
        "docs/skill.md": "container/skills/refresh-oauth asks for it\n",
    }
    for name, text in odd.items():
        (checkout / name).parent.mkdir(exist_ok=True)
        (checkout / name).write_text(text, encoding="utf-8")
    commit(checkout)
    done = adopt(checkout)
    left = [line for line in done.stdout.splitlines() if line.startswith("not understood")]
    assert [line.split(": ")[1] for line in left] == ["src/parts.ts:2"]
    record = (
        "mentioned in a document, left unchanged: docs/CHANGELOG.md:1: - refresh-oauth.sh is new"
    )
    assert record in done.stdout.splitlines()
    assert done.returncode == 1
    assert {name: (checkout / name).read_text("utf-8") for name in odd} == odd


def test_bytes_links_and_binaries_are_unchanged(checkout: Path) -> None:
    (checkout / "src/latin.ts").write_bytes(b"// \xe9\r\nx('scripts/refresh-oauth.sh')\r\n")
    (checkout / "image.png").write_bytes(b"\0scripts/refresh-oauth.sh")
    (checkout / "src/link.ts").symlink_to("oauth.ts")
    commit(checkout)
    assert adopt(checkout).returncode == 0
    assert (
        checkout / "src/latin.ts"
    ).read_bytes() == b"// \xe9\r\nx('scripts/oauth/refresh.sh')\r\n"
    assert (checkout / "image.png").read_bytes() == b"\0scripts/refresh-oauth.sh"
    assert (checkout / "src/link.ts").is_symlink()


def test_content_that_git_does_not_have_is_not_destroyed(checkout: Path) -> None:
    skill = "container/skills/refresh-oauth/SKILL.md"
    (checkout / ".gitignore").write_text("container/skills/\n", encoding="utf-8")
    git(checkout, "rm", "--quiet", "--cached", skill)
    commit(checkout)
    refused(checkout, f"{skill} differs from the last commit")
    assert adopt(checkout, "--force").returncode == 0


def test_ignored_files_are_not_destroyed(checkout: Path) -> None:
    git(checkout, "update-index", "--skip-worktree", OLD)
    (checkout / OLD).write_text("#!/bin/bash\n# mine\n", encoding="utf-8")
    refused(checkout, f"{OLD} differs from the last commit")


def test_line_ends_that_git_converts_are_in_the_commit(checkout: Path) -> None:
    (checkout / ".gitattributes").write_text("*.ts text eol=crlf\n", encoding="utf-8")
    (checkout / "src/oauth.ts").write_bytes(OAUTH_TS.replace("\n", "\r\n").encode())
    commit(checkout)
    done = adopt(checkout)
    assert (done.returncode, done.stderr) == (0, "")
    assert b"'oauth', 'refresh.sh');\r\n" in (checkout / "src/oauth.ts").read_bytes()


def test_an_untracked_file_that_status_would_not_show(checkout: Path) -> None:
    git(checkout, "config", "status.showUntrackedFiles", "no")
    (checkout / "mine").touch()
    refused(checkout, "has changes that are not committed")


def test_documents_are_not_edited(checkout: Path) -> None:
    names = ("docs/setup.md", "plans/2026/x.md", "CHANGELOG.md", "docs/plans/y.ts")
    for name in names:
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).write_text(f"run {OLD}\nrun {OLD}\n", encoding="utf-8")
    commit(checkout)
    done = adopt(checkout)
    assert done.returncode == 0
    assert {(checkout / name).read_text("utf-8") for name in names} == {f"run {OLD}\nrun {OLD}\n"}
    start = "mentioned in a document, left unchanged: "
    found = [x.removeprefix(start) for x in done.stdout.splitlines() if x.startswith(start)]
    assert found == [f"{name}:1: run {OLD} (and 1 more line)" for name in sorted(names)]


def test_temporary_files_are_ignored_by_git(checkout: Path) -> None:
    (checkout / ".gitignore").write_text("/data/bearer/\n.env", encoding="utf-8")
    (checkout / ".gitignore").chmod(0o640)
    commit(checkout)
    adopt(checkout, "--bearer", "data/new/credentials.json")
    lines = (checkout / ".gitignore").read_text("utf-8").splitlines()
    assert lines == ["/data/bearer/", ".env", "/.env.oauthkit.*", "/data/new/"]
    assert (checkout / ".gitignore").stat().st_mode & 0o777 == 0o640
    commit(checkout)
    for bearer, line in (("bearer.json", "/bearer.json*"), (f"{checkout}/a/b/c.json", "/a/b/")):
        assert adopt(checkout, "--bearer", bearer).returncode == 0
        lines.append(line)
        assert (checkout / ".gitignore").read_text("utf-8").splitlines() == lines
        commit(checkout)
    assert "nothing to change" in adopt(checkout).stdout
    assert ".gitignore" not in adopt(checkout, "--bearer", "/run/bearer").stdout


def test_gitignore_is_unchanged(checkout: Path) -> None:
    (checkout / ".gitignore").write_text(f"/{OLD}\n", encoding="utf-8")
    commit(checkout)
    done = adopt(checkout)
    assert (checkout / ".gitignore").read_text("utf-8") == f"/{OLD}\n/.env.oauthkit.*\n"
    assert f"not understood, left unchanged: .gitignore:1: /{OLD}\n" in done.stdout


def test_links_to_the_old_script_are_named(checkout: Path) -> None:
    (checkout / "run").symlink_to(OLD)
    (checkout / "again").symlink_to("run")
    commit(checkout)
    done = adopt(checkout)
    assert done.returncode == 1
    for line in (f"run: a link to {OLD}", "again: a link to run"):
        assert f"not understood, left unchanged: {line}\n" in done.stdout


def test_a_second_run_before_the_commit(checkout: Path) -> None:
    adopt(checkout)
    done = adopt(checkout)
    assert (done.returncode, done.stdout, done.stderr) == (0, UNCHANGED, "")


def test_git_variables_in_the_environment_are_ignored(checkout: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "--quiet")
    done = adopt(checkout, GIT_DIR=str(other / ".git"), GIT_WORK_TREE=str(other))
    assert (done.returncode, done.stderr) == (0, "")
    assert NEW in (checkout / "package.json").read_text("utf-8")


def test_subdirectory_of_a_checkout_is_rejected(checkout: Path) -> None:
    refused(checkout / "src", "is a subdirectory of the checkout")


def test_unrelated_scripts_are_reported_and_unchanged(checkout: Path) -> None:
    text = f"""see https://example.org/nanoclaw/blob/main/{OLD}
bash ../other/{OLD}
"""
    own = f'bash "$(dirname "$0")/../{OLD}"; bash ../{OLD}; bash ${{root}}/{OLD}\n'
    (checkout / "notes.md").write_text(text + own, encoding="utf-8")
    commit(checkout)
    done = adopt(checkout)
    assert (checkout / "notes.md").read_text("utf-8") == text + own.replace(OLD, NEW)
    left = [line for line in done.stdout.splitlines() if line.startswith("not understood")]
    assert [line.split(": ")[1] for line in left] == ["notes.md:1"]
    assert left[0].endswith(" (and 1 more line)")


def test_file_in_place_of_a_directory_is_rejected_before_any_change(
    checkout: Path,
) -> None:
    (checkout / "scripts/oauth").touch()
    commit(checkout)
    refused(checkout, "scripts/oauth is not a directory")
    (checkout / "scripts/oauth").unlink()
    (checkout / NEW).mkdir(parents=True)
    refused(checkout, f"{NEW} cannot be read: Is a directory")


def test_a_file_that_cannot_be_read_is_named(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = os.open

    def fails(path: str | Path, *arguments: int) -> int:
        if Path(path).name == "other.ts":
            raise PermissionError(13, "Permission denied")
        return read(path, *arguments)

    monkeypatch.setattr(os, "open", fails)
    said: list[str] = []
    assert adopting.adopt(checkout, said.append, is_dry=False, is_forced=False) == 1
    assert "not searched: src/other.ts: Permission denied" in said


def test_no_checkout(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    env = {**os.environ, "GIT_CEILING_DIRECTORIES": str(tmp_path)}
    argv = [sys.executable, "-m", "oauthkit", "adopt", str(tmp_path / "empty")]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env=env)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"oauthkit adopt: git rev-parse in {tmp_path / 'empty'} failed: " in done.stderr
    fix = ". Run git init there and commit everything, or copy the files by hand: see "
    assert done.stderr.endswith(f'{fix}"The script alone" in oauthkit\'s README.md\n')
    assert "\n### The script alone\n" in (REPOSITORY / "README.md").read_text(encoding="utf-8")
    done = adopt(tmp_path / "none")
    said = "is not a directory: pass a NanoClaw checkout"
    assert done.returncode == 2
    assert done.stderr == f"oauthkit adopt: {str(tmp_path / 'none')!r} {said}\n"


def test_checkout_that_does_not_look_like_nanoclaw_is_rejected_unless_forced(
    checkout: Path,
) -> None:
    git(checkout, "rm", "-r", "--quiet", "container", "package.json")
    commit(checkout)
    missing = "there is no package.json and no container. Give another directory, or use --force"
    refused(checkout, missing)
    assert adopt(checkout, "--force").returncode == 0
    assert (checkout / NEW).exists()


def test_calls_in_built_files_are_reported(checkout: Path) -> None:
    built = checkout / "dist/host/oauth.js"
    built.parent.mkdir(parents=True)
    built.write_text("import x\nrun('scripts/refresh-oauth.sh')\n", encoding="utf-8")
    (checkout / ".gitignore").write_text("/dist\n", encoding="utf-8")
    commit(checkout)
    for _ in range(2):
        done = adopt(checkout, "--force")
        assert (done.returncode, done.stderr) == (0, "")
        said = (
            f"dist/host/oauth.js:2: run('{OLD}')\nnow build and restart NanoClaw: npm run build\n"
        )
        assert f"calls the old script until the next build: {said}" in done.stdout
    assert "now build" not in adopt(checkout, "--force", "--dry-run").stdout


def test_time_limits_near_a_call_are_named(checkout: Path) -> None:
    text = OAUTH_TS + "execFile('bash', [script], { timeout: 60_000 }, done);\nsetTimeout(f, 1);\n"
    (checkout / "src/oauth.ts").write_text(text, encoding="utf-8")
    (checkout / "src/other.ts").write_text("fetch(url, { timeout: 1 });\n", encoding="utf-8")
    (checkout / "notes.md").write_text(f"{OLD} has no timeout\n", encoding="utf-8")
    commit(checkout)
    said = (
        "this time limit may be too short, because a refresh can take up to 10 min:"
        " src/oauth.ts:3: execFile('bash', [script], { timeout: 60_000 }, done);"
    )
    for arguments in (["--dry-run"], []):
        done = adopt(checkout, *arguments)
        assert (done.returncode, done.stderr) == (0, "")
        assert [line for line in done.stdout.splitlines() if "time limit" in line] == [said]
    assert "timeout: 60_000" in (checkout / "src/oauth.ts").read_text("utf-8")
    commit(checkout)
    assert adopt(checkout).stdout.splitlines() == [
        "nothing to change",
        said,
        *calls("--ensure", "--rejected", "refresh_oauth"),
    ]


def test_readme_states_how_long_a_refresh_can_take() -> None:
    assert adopting.DURATION_HINT == "a refresh can take up to 10 min"
    text = " ".join((REPOSITORY / "scripts/oauth/README.md").read_text("utf-8").split())
    assert "A caller should wait at least 10 min " in text


def test_uncommitted_file_is_reported_and_unchanged(checkout: Path) -> None:
    (checkout / "start.sh").write_text(f"exec bash {OLD}\n", encoding="utf-8")
    done = adopt(checkout, "--force")
    assert done.returncode == 1
    assert f"not understood, left unchanged: start.sh:1: exec bash {OLD}\n" in done.stdout
    assert (checkout / "start.sh").read_text("utf-8") == f"exec bash {OLD}\n"


def test_calls_from_outside_the_checkout_are_reported(checkout: Path, tmp_path: Path) -> None:
    unit = tmp_path / "home/.config/systemd/user/old.service"
    unit.parent.mkdir(parents=True)
    unit.write_text(f"[Service]\nExecStart={checkout}/{OLD}\nExecStop=/x/{OLD}\n", encoding="utf-8")
    (tmp_path / "bin").mkdir()
    crontab = tmp_path / "bin/crontab"
    line = f"0 * * * * '{checkout}/{OLD}'"
    crontab.write_text(f'#!/bin/sh\necho "# my crontab"\necho "{line}"\n', encoding="utf-8")
    crontab.chmod(0o755)
    done = adopt(checkout, PATH=f"{tmp_path}/bin:{os.environ['PATH']}")
    left = [line for line in done.stdout.splitlines() if line.startswith("not understood")]
    start = "not understood, left unchanged: "
    call = f"ExecStart={checkout}/{OLD}"
    assert left == [f"{start}crontab:2: {line[:120]}", f"{start}{unit}:2: {call[:120]}"]
    assert done.returncode == 1


def test_names_are_made_printable(checkout: Path) -> None:
    (checkout / "src/\x1b[31m.ts").write_text("run('refresh-oauth.sh', '\x1b')\n", "utf-8")
    commit(checkout)
    done = adopt(checkout)
    assert done.returncode == 1
    assert "\x1b" not in done.stdout
    assert "src/\ufffd[31m.ts:1: run('refresh-oauth.sh', '\ufffd')\n" in done.stdout


def test_wheel_contains_the_shipped_files() -> None:
    project = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    for name in CHECKOUT_FILES:
        assert f'"{name}" = "oauthkit/_data/{name.rpartition("/")[2]}"\n' in project


def test_settings_are_written(checkout: Path) -> None:
    conf = checkout / CONF_FILE
    options = ("--unit", "mine", "--bearer", "run/bearer", "--light")
    dry = adopt(checkout, "--dry-run", *options)
    assert f"--- /dev/null\n+++ b/{CONF_FILE}\n@@ -0,0 +1,3 @@\n+OAUTHKIT_UNIT=mine\n" in dry.stdout
    assert not conf.exists()
    done = adopt(checkout, *options)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"wrote {CONF_FILE}\n" in done.stdout
    directory = checkout / "run"
    create = f"mkdir -p {quoted(directory)}"
    assert f"\nnow create the bearer file's directory: {create}\nnow run: bash" in done.stdout
    directory.mkdir()
    text = "OAUTHKIT_UNIT=mine\nOAUTHKIT_BEARER=run/bearer\nOAUTHKIT_LIGHT=1\n"
    assert conf.read_text("utf-8") == text
    assert conf.stat().st_mode & 0o777 == 0o644
    conf.write_text(f"# ours\n{text}", "utf-8")
    conf.chmod(0o600)
    commit(checkout)
    hint = f"read this before you run the refresh: {CONF_FILE}\n"
    assert adopt(checkout, *options).stdout == UNCHANGED.replace("\n", f"\n{hint}", 1)
    said = adopt(checkout, "--unit", "other").stdout
    assert said == UNCHANGED.replace("nothing to change\n", f"changed {CONF_FILE}\n{hint}")
    assert conf.read_text("utf-8") == f"# ours\n{text.replace('mine', 'other')}"
    assert conf.stat().st_mode & 0o777 == 0o600


def test_settings_that_cannot_be_written(checkout: Path) -> None:
    done = adopt(checkout, "--bearer", "~/x")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--bearer: the value '~/x' starts with ~" in done.stderr
    assert (checkout / OLD).exists()
    target = checkout.parent / "outside"
    target.write_text("A=1\n", "utf-8")
    (checkout / CONF_FILE).parent.mkdir(parents=True)
    (checkout / CONF_FILE).symlink_to(target)
    commit(checkout)
    done = adopt(checkout, "--light")
    assert (done.returncode, done.stdout) == (1, "")
    assert "does not write through links" in done.stderr
    assert target.read_text("utf-8") == "A=1\n"
    assert (checkout / OLD).exists()


# --- Kinds of checkout ---


def test_dry_run_starts_with_a_summary(checkout: Path) -> None:
    lines = adopt(checkout, "--dry-run").stdout.splitlines()
    assert lines[:5] == [
        f"checkout: {checkout}",
        "would write 5: scripts/oauth/refresh.sh, scripts/oauth/publish.sh,"
        " scripts/oauth/follow.sh, scripts/oauth/README.md, .gitignore",
        "would change 5: container/skills/refresh-oauth/SKILL.md, .claude/skills/setup/SKILL.md,"
        " package.json, src/ipc.ts, src/oauth.ts",
        f"would remove 1: {OLD}",
        "not understood: 0 files; not searched: 0 files",
    ]
    assert lines[5].startswith("--- ")


@pytest.fixture
def managed(checkout: Path) -> Path:
    """Move the refresh into a skill, from which each build copies it."""
    skill = checkout / nanoclaw.SKILL
    for name in (OLD, "src/oauth.ts", "container/skills/refresh-oauth/SKILL.md"):
        (skill / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).rename(skill / name)
    commit(checkout)
    return checkout


def test_files_of_a_skill_are_replaced_too(managed: Path) -> None:
    done = adopt(managed, "--dry-run")
    assert done.stdout.startswith(f"checkout: {managed}, with the files of {nanoclaw.SKILL}\n")
    done = adopt(managed)
    assert (done.returncode, done.stderr) == (0, "")
    for prefix in ("", f"{nanoclaw.SKILL}/"):
        assert not (managed / prefix / OLD).exists()
        for name in CHECKOUT_FILES:
            assert (managed / prefix / name).read_bytes() == (REPOSITORY / name).read_bytes()
    assert "'oauth', 'refresh.sh'" in (managed / nanoclaw.SKILL / "src/oauth.ts").read_text("utf-8")
    # The build copies the skill's files.
    shutil.copytree(managed / nanoclaw.SKILL, managed, dirs_exist_ok=True)
    commit(managed)
    assert adopt(managed).stdout == UNCHANGED
    assert "'oauth', 'refresh.sh'" in (managed / "src/oauth.ts").read_text("utf-8")


def test_skill_that_is_a_link_is_not_written(managed: Path, tmp_path: Path) -> None:
    skill = managed / nanoclaw.SKILL
    skill.rename(tmp_path / "elsewhere")
    skill.symlink_to(tmp_path / "elsewhere")
    commit(managed)
    refused(managed, "does not write through links")


def test_nanoclaw_2_is_rejected(checkout: Path) -> None:
    package = '{"dependencies": {"@onecli-sh/sdk": "^2.0.0"}}\n'
    (checkout / "package.json").write_text(package, encoding="utf-8")
    commit(checkout)
    refused(checkout, "is NanoClaw 2 or newer: its containers get the token from OneCLI")
    refused(checkout, "Use the hook for OneCLI (oauthkit's examples/hooks), or --force")
    refused(checkout, "is NanoClaw 2 or newer", "--dry-run")
    reader = checkout / "src/container-runner.ts"
    reader.write_text("env.CLAUDE_CODE_OAUTH_TOKEN\n", encoding="utf-8")
    commit(checkout)
    assert adopt(checkout).returncode == 0
    reader.unlink()
    git(checkout, "checkout", "--quiet", "HEAD", ".")
    (checkout / "docs").mkdir()
    git(checkout, "mv", "src/container-runner.ts", "docs/container-runner.ts")
    commit(checkout)
    refused(checkout, "is NanoClaw 2 or newer")
    assert adopt(checkout, "--force").returncode == 0


def test_nanoclaw_2_4_is_rejected(checkout: Path) -> None:
    skill = checkout / ".claude/skills/add-onecli/SKILL.md"
    skill.parent.mkdir(parents=True)
    skill.write_text("# OneCLI\n", encoding="utf-8")
    (checkout / "src/oauth.ts").unlink()
    commit(checkout)
    refused(checkout, "is NanoClaw 2 or newer")


def test_several_checkouts(checkout: Path, tmp_path: Path) -> None:
    other = make_checkout(tmp_path / "other")
    (other / "package.json").unlink()
    done = adopt(checkout, str(other), str(tmp_path / "none"))
    assert done.returncode == 2
    assert (other / OLD).exists()
    assert not (checkout / OLD).exists()
    heads = [line for line in done.stdout.splitlines() if line.startswith("== ")]
    assert heads == [f"== {path}" for path in (other, tmp_path / "none", checkout)]
    assert len(done.stderr.splitlines()) == 2
