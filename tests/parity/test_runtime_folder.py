"""XDG_RUNTIME_DIR, where the user manager's bus is: what the programs of systemd get of it."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

import pytest
from tests.parity.test_timer import SCHEDULED, not_scheduled, refresh

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.parity.oauth_world import Parity

    from oauthkit.parity import Form

UNSET = pytest.mark.parametrize("unset", [{}, {"XDG_RUNTIME_DIR": ""}], ids=["unset", "empty"])
OTHER = "4711"  # another user
RuntimeIs: TypeAlias = "Callable[[bool], str]"


def with_run(form: Form, folder: str) -> Form:
    """The form in a mount namespace with a /run of its own that holds nothing but `folder`."""
    unshare, mount, mkdir = (str(shutil.which(name)) for name in ("unshare", "mount", "mkdir"))
    user = [] if os.getuid() == 0 else ["--user", "--map-root-user"]
    prepare = f'{mount} -t tmpfs tmpfs /run && {mkdir} -p -m 0700 "/run$0" && exec "$@"'
    wrapper = [unshare, *user, "--mount", "--", "/bin/sh", "-c", prepare, folder]
    return replace(form, argv=lambda world: [*wrapper, *form.argv(world)])


@pytest.fixture
def runtime_is(parity: Parity) -> RuntimeIs:
    """Makes both forms find /run/user/UID, or not find it; gives its path."""

    def prepare(is_there: bool) -> str:
        folder = f"/user/{0 if os.getuid() else os.getuid()}"
        for name, form in parity.forms.items():
            parity.forms[name] = with_run(form, folder if is_there else f"/user/{OTHER}")
        probe = with_run(replace(parity.forms["bash"], argv=lambda _: ["/bin/true"]), folder)
        argv = probe.argv(parity.world)
        if subprocess.run(argv, check=False, capture_output=True, timeout=30).returncode != 0:
            pytest.skip("this machine allows no mount namespaces")
        return f"/run{folder}"

    return prepare


@pytest.mark.parametrize("is_there", [True, False])
def test_user_is_not_the_one_that_the_caller_calls_so(
    parity: Parity, runtime_is: RuntimeIs, is_there: bool
) -> None:
    """A UID that bash is handed goes before its own."""
    runtime = runtime_is(is_there)
    parity.credentials()
    del parity.env["XDG_RUNTIME_DIR"]
    parity.env["UID"] = OTHER
    run = refresh(parity)
    for program in ("systemctl", "systemd-run"):
        assert run.call(program).env.get("XDG_RUNTIME_DIR") == (runtime if is_there else None)
        assert run.call(program).env["UID"] == OTHER


@UNSET
@pytest.mark.parametrize("is_there", [True, False])
def test_run_user_uid_is_the_runtime_folder_if_it_is_there_and_none_is_set(
    parity: Parity, runtime_is: RuntimeIs, unset: dict[str, str], is_there: bool
) -> None:
    runtime = runtime_is(is_there)
    parity.credentials()
    del parity.env["XDG_RUNTIME_DIR"]
    parity.env.update(unset)
    run = refresh(parity)
    expected = runtime if is_there else unset.get("XDG_RUNTIME_DIR")
    for program in ("systemctl", "systemd-run"):
        assert run.call(program).env.get("XDG_RUNTIME_DIR") == expected
    no_bus = not_scheduled(1, "Failed to connect to bus: No medium found")
    last = [SCHEDULED] if is_there else no_bus
    assert run.messages[-len(last) :] == last


def test_runtime_folder_that_is_set_counts(parity: Parity, runtime_is: RuntimeIs) -> None:
    runtime_is(True)
    parity.credentials()
    run = refresh(parity)
    assert run.call("systemd-run").env["XDG_RUNTIME_DIR"] == str(parity.world.runtime)
