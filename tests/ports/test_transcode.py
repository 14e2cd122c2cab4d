"""Files that are converted, files that exist, and conversions that fail."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from oauthkit.parity import Pair, Run

if TYPE_CHECKING:
    from collections.abc import Callable

USAGE = "usage: transcode [--bitrate=RATE] SOURCE TARGET\n"


@pytest.fixture
def parity(make_port: Callable[..., Pair[Run]]) -> Pair[Run]:
    pair = make_port("mkdir", "mv", "rm", "sed")
    for name in ("1. Größe.flac", "2 [live].flac", "cover.jpg"):
        pair.file(f"my music/{name}", name)
    return pair


def encode(parity: Pair[Run], name: str) -> None:
    """Write the file as ffmpeg does, with a warning."""
    part = str(parity.project / f"out/{name}.mp3.part")
    ffmpeg = parity.stand_in("ffmpeg").when(..., part)
    ffmpeg.writes(part, name).then.exits(0, stderr=f"{name}: a warning\n")


def test_each_file_is_converted(parity: Pair[Run]) -> None:
    encode(parity, "1. Größe")
    encode(parity, "2 [live]")
    parity.stand_in("du").prints("12M\tout\n")
    run = parity.run("my music", "out")
    assert run.stdout == (
        "[  1/  2] 1. Größe                 converted\n"
        "[  2/  2] 2 [live]                 converted\n"
        f"{parity.project}/out: 12M\n"
    )
    assert (run.exit_code, run.stderr) == (0, "")
    assert run.files["out/1. Größe.mp3"].content == "1. Größe".encode()
    log = run.files["out/transcode.log"].content
    assert log == "1. Größe: a warning\n2 [live]: a warning\n".encode()
    first = run.calls("ffmpeg")[0]
    assert first[:6] == [
        "-nostdin", "-loglevel", "warning", "-y", "-i", f"{parity.project}/my music/1. Größe.flac",
    ]  # fmt: skip
    assert first[8:10] == ["-b:a", "320k"]


def test_existing_file_is_kept(parity: Pair[Run]) -> None:
    parity.file("out/2 [live].mp3", "old")
    encode(parity, "1. Größe")
    parity.stand_in("du").prints("12M\tout\n")
    run = parity.run("--bitrate=96k", "my music", "out")
    assert "[  2/  2] 2 [live]                 exists\n" in run.stdout
    assert run.files["out/2 [live].mp3"].content == b"old"
    assert run.calls("ffmpeg")[0][8:10] == ["-b:a", "96k"]


def test_failed_conversion_leaves_no_file(parity: Pair[Run]) -> None:
    encode(parity, "2 [live]")
    part = str(parity.project / "out/1. Größe.mp3.part")
    parity.stand_in("ffmpeg").when(..., part).writes(part, "half").then.exits(
        69, stderr="invalid data\n"
    )
    run = parity.run("my music", "out")
    assert run.exit_code == 1
    assert "[  1/  2] 1. Größe                 failed, status 69\n" in run.stdout
    assert run.stderr == f"1 of 2 failed: see {parity.project}/out/transcode.log\n"
    assert set(run.files) >= {"out/2 [live].mp3", "out/transcode.log"}
    assert not [name for name in run.files if name.endswith(".part")]


def test_interrupted_conversion_ends_the_run(parity: Pair[Run]) -> None:
    parity.stand_in("ffmpeg").exits(255, stderr="Exiting normally, received signal 2.\n")
    run = parity.run("my music", "out")
    assert (run.exit_code, run.stdout, run.stderr) == (255, "", "")


def test_ffmpeg_is_not_installed(parity: Pair[Run]) -> None:
    run = parity.run("my music", "out")
    assert (run.exit_code, run.stdout, run.stderr) == (1, "", "ffmpeg not found in PATH\n")


def test_no_files(parity: Pair[Run]) -> None:
    parity.directory("empty")
    parity.stand_in("ffmpeg")
    parity.stand_in("du").fails(stderr="du: cannot read\n")
    run = parity.run("empty", "out")
    assert (run.exit_code, run.stdout, run.stderr) == (0, "", "")


def test_target_cannot_be_created(parity: Pair[Run]) -> None:
    parity.file("out", "")
    parity.stand_in("ffmpeg")
    run = parity.run("my music", "out")
    assert (run.exit_code, run.stdout) == (1, "")
    assert run.stderr.endswith("mkdir failed with exit status 1\n")


@pytest.mark.parametrize(
    ("arguments", "exit_code", "error"),
    [
        (("my music",), 2, USAGE),
        (("my music", "out", "more"), 2, f"unexpected argument 'more'\n{USAGE}"),
        (("my music", ""), 2, f"unexpected argument ''\n{USAGE}"),
        (("--quality=1", "my music", "out"), 2, f"unexpected argument '--quality=1'\n{USAGE}"),
    ],
)
def test_wrong_arguments(
    parity: Pair[Run], arguments: tuple[str, ...], exit_code: int, error: str
) -> None:
    run = parity.run(*arguments)
    assert (run.exit_code, run.stdout, run.stderr) == (exit_code, "", error)
