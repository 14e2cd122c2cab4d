"""Time limits around calls of the script: those that are too short, and no others."""

from __future__ import annotations

import time

import pytest

from oauthkit.host.limits import raise_limits, short_limits

PATH = "const script = path.join(process.cwd(), 'scripts', 'oauth', 'refresh.sh');\n"
# A file, its text, and what is said to be too short in it; @ is where the path gets its name.
SHORT: dict[str, tuple[str, str, list[str]]] = {
    "options": (
        "a.ts",
        "@execFile('bash', [script], { timeout: 60_000 }, cb);",
        ["60_000 is 60 s"],
    ),
    "a product": (
        "a.ts",
        "@execFile(script, { timeout: 2 * 60 * 1000 });",
        ["2 * 60 * 1000 is 120 s"],
    ),
    "in the call": (
        "a.mjs",
        'exec(`bash ${path.resolve(r, "scripts", "oauth", "refresh.sh")}`, { timeout: 9000 })',
        ["9000 is 9 s"],
    ),
    "as one text": (
        "a.ts",
        "spawn('bash', ['scripts/oauth/refresh.sh'],{timeout:1})",
        ["1 is 0.001 s"],
    ),
    "within lines": (
        "a.ts",
        "@spawnSync(\n  'bash',\n  [script], // )}; ';\n  {\n    cwd: '}',\n  timeout : 1000 });",
        ["1000 is 1 s"],
    ),
    "promised": (
        "a.ts",
        "@await promisify(execFile)(script, [], { timeout: 5000 });",
        ["5000 is 5 s"],
    ),
    "a constant": (
        "a.ts",
        "const LIMIT_MS: number = 30_000;\n@execFile(script, { timeout: LIMIT_MS });",
        ["LIMIT_MS is 30 s"],
    ),
    "not known": (
        "a.ts",
        "@execFile(script, { timeout: config.limit });",
        ["config.limit is not known here"],
    ),
    "a signal": (
        "a.ts",
        "@execFile(script, { signal: AbortSignal.timeout(1000) });",
        ["1000 is 1 s"],
    ),
    "two calls": (
        "a.ts",
        "@execFile(script, { timeout: 1000 });\nfunction f() { run(script, { timeout: 2000 }); }",
        ["1000 is 1 s", "2000 is 2 s"],
    ),
    "a shell": ("run.sh", "timeout -k 5 60 bash scripts/oauth/refresh.sh", ["60 is 60 s"]),
    "minutes": ("package.json", '{"x": "timeout 3m ./scripts/oauth/refresh.sh"}', ["3m is 180 s"]),
}
LONG = {
    "long enough": ("a.ts", "@execFile(script, { timeout: 4 * 60 * 1000 });"),
    "no limit": ("a.ts", "@execFile(script, { timeout: 0 });"),
    "of another call": ("a.ts", "@execFile(script);\nconst o = { timeout: 1000 };"),
    "of a call without semicolons": (
        "a.ts",
        "@function f() { execFile(script) }\nconst o = { timeout: 1 }",
    ),
    "of a call within": ("a.ts", "@execFile(script, () => { fetch(url, { timeout: 1000 }); });"),
    "of another name": (
        "a.ts",
        "@execFile(my.script, { timeout: 1000 }); f($script, { timeout: 1 });",
    ),
    "in a text": ("a.ts", "@execFile(script, ['timeout: 1000']); // timeout: 1000"),
    "of something else": ("a.ts", "execFile('scripts/oauth/other.sh', { timeout: 1000 });"),
    "in a shell": ("run.sh", "timeout 240 bash scripts/oauth/refresh.sh; timeout 5 true"),
    "of another command": ("run.sh", "timeout 5 true; bash scripts/oauth/refresh.sh"),
}


@pytest.mark.parametrize(("file", "text", "said"), SHORT.values(), ids=SHORT)
def test_what_is_too_short(file: str, text: str, said: list[str]) -> None:
    found = short_limits(file, text.replace("@", PATH))
    end = ", and a refresh may take 4 min, with hooks 6"
    assert [limit.said() for limit in found] == [f"the time limit {what}{end}" for what in said]


@pytest.mark.parametrize(("file", "text"), LONG.values(), ids=LONG)
def test_what_is_not(file: str, text: str) -> None:
    text = text.replace("@", PATH)
    assert short_limits(file, text) == []
    assert raise_limits(file, text) == text


def test_what_can_be_raised() -> None:
    text = f"{PATH}f(script, {{ timeout: 60 * 1000 }}); g(script, {{ timeout: LIMIT }});"
    wanted = text.replace("60 * 1000", "360_000")
    assert raise_limits("a.ts", text) == wanted
    assert raise_limits("a.ts", wanted) == wanted
    line = "timeout 2m bash scripts/oauth/refresh.sh"
    assert raise_limits("x", line) == line.replace("2m", "360")


@pytest.mark.parametrize(
    "text", ["`" * 9999, "(" * 9999, "scripts/oauth/refresh.sh" * 999, "{'" * 9999]
)
def test_odd_texts_take_no_time(text: str) -> None:
    assert short_limits("a.ts", PATH + text) == []


MANY = 20_000


@pytest.mark.parametrize(
    "text",
    [
        PATH + "execFile('bash', [script], { timeout: 60_000 });\n" * MANY,
        PATH + "const L = 5_000;\n" + "f(script, { timeout: L });\n" * MANY,
        (PATH + "f(script, { timeout: 1 });\n") * MANY,
        PATH + "/*" * MANY,
    ],
    ids=["uses", "constants", "declarations", "comments"],
)
def test_time_grows_with_the_length_of_a_file_alone(text: str) -> None:
    start_s = time.process_time()
    found = short_limits("a.ts", text)
    assert raise_limits("a.ts", text).count("360_000") == len([x for x in found if x.raised])
    assert time.process_time() - start_s < 15


def test_switches_of_timeout_take_no_time() -> None:
    assert short_limits("a.sh", f"timeout {'-k ' * 60}x scripts/oauth/refresh.sh") == []
