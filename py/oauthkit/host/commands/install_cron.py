"""Print the crontab line that keeps a project's token live."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from oauthkit.console import OUT, complain
from oauthkit.host import notify
from oauthkit.host.commands import install
from oauthkit.host.systemd import cron
from oauthkit.host.systemd.start_command import command_of

if TYPE_CHECKING:
    from oauthkit.host.project import ProjectPaths


def install_cron(
    paths: ProjectPaths, form: str | None, settings: dict[str, str], channel: notify.Channel | None
) -> int:
    """Write the settings and the notification hooks, and print the line. Return 0.

    The crontab is not changed. If it already has the line, or another one for the project, say so
    on stderr.
    """
    if channel:
        notify.require_own(paths)
    install.require_no_earlier_units(paths, settings)
    if settings:
        paths = install.change_settings(paths, settings, lambda _: None)
    if channel:
        notify.write(paths, channel, complain)  # stdout has the crontab line
    line = cron.new_line(command_of(paths, form))
    install.report_unready(paths, complain)
    if cron.line_of(paths) is None:
        OUT.write(line)
        if sys.__stdout__ is not None and sys.__stdout__.isatty():
            add = cron.install_command(paths)
            complain(f"the crontab has not been changed. To add this line, run: {add}")
    elif line.rstrip("\n") in cron.crontab().split("\n"):
        complain("the crontab already has this line")
    else:
        complain("the crontab already has a line for this project. To change it to the")
        complain("following one, run: crontab -e")
        complain(line.rstrip())
    return 0
