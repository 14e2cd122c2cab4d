"""Start the forms of the refresh in other ways."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.refresh.world import Parity

    from oauthkit.parity import Form, World

NO_HOME = "oauthkit: HOME is not set. It is needed to find claude's credentials\n"


def alone(parity: Parity, form: str, argv: Callable[[World], list[str]] | None = None) -> None:
    """Run only one form, because the forms differ in wording. `argv` replaces its command."""
    one = parity.forms[form]
    parity.forms = {form: replace(one, argv=argv or one.argv)}


def python(*arguments: str) -> Callable[[World], list[str]]:
    """Return the argv of the Python form with these arguments. {} is the project."""
    return lambda world: [
        sys.executable, "-m", "oauthkit", "refresh",
        *(argument.format(world.project) for argument in arguments),
    ]  # fmt: skip


def redirected(form: Form, redirection: str) -> Form:
    """Return the form as a shell starts it with this redirection."""
    shell = ["/bin/sh", "-c", f'exec "$@" {redirection}', "sh"]
    return replace(form, argv=lambda world: [*shell, *form.argv(world)])
