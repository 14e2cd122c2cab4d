"""Shows the state of a project: to a person, as JSON, or as metrics."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from oauthkit.host.metrics import exposition
from oauthkit.host.status import collect

if TYPE_CHECKING:
    from oauthkit.host.places import Places


class ReportError(Exception):
    """Raised when the state cannot be shown; the text says why and what would help."""


def report(places: Places, *, is_json: bool, metrics_file: str | None) -> int:
    """Shows the state in one form: 0 if .env carries a live token, 1 if not."""
    status = collect(places)
    if metrics_file == "-":
        print(exposition(status), end="")
    elif metrics_file is not None:
        _replace(Path(metrics_file), exposition(status))
    elif is_json:
        print(json.dumps(status.to_json(), indent=2))
    else:
        try:
            from rich.console import Console  # noqa: PLC0415 - the other forms need no rich

            from oauthkit.host.status_view import show  # noqa: PLC0415
        except ModuleNotFoundError:
            message = "rich is not installed: pip install 'oauthkit[host]', or use --json"
            raise ReportError(message) from None
        # The command line collects what goes to sys.stdout, which is then no terminal.
        show(status, Console(file=sys.__stdout__, highlight=False))
    return 0 if status.is_live else 1


def _replace(file: Path, text: str) -> None:
    """Makes `text` the content of a file that others may read, in one step."""
    try:
        handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        Path(name).chmod(0o644)
        Path(name).replace(file)
    except OSError as error:
        raise ReportError(f"{file} cannot be written: {error.strerror}") from None
