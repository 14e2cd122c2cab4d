"""A real etcd cluster: three members with TLS, each in a network namespace of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TOOLS = Path(__file__).resolve().parents[3] / ".tools"
PROGRAMS = (TOOLS / "etcd/etcd", TOOLS / "etcdctl/etcdctl")
ADDRESS = "10.77.0."
MEMBERS = (1, 2, 3)
LIMIT_S = 60
PATH = f"{TOOLS}/etcdctl:/usr/sbin:/sbin:{os.environ['PATH']}"


class Namespaces:
    """Hosts in network namespaces of their own, on one bridge. Host N has the address 10.77.0.N."""

    def __init__(self) -> None:
        self.switch = self._start([])
        self.hosts: dict[int, subprocess.Popen[bytes]] = {}
        self._in(self.switch, "ip", "link", "add", "br0", "type", "bridge")
        self._in(self.switch, "ip", "link", "set", "br0", "up")

    def _start(self, around: Sequence[str]) -> subprocess.Popen[bytes]:
        """Start a process that keeps a network namespace open."""
        user = [] if os.geteuid() == 0 or around else ["--user", "--map-root-user"]
        process = subprocess.Popen(
            [*around, "unshare", *user, "--net", "sh", "-c", "echo; exec sleep infinity"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"\n", "unshare --net is not permitted"
        return process

    def enter(self, process: subprocess.Popen[bytes]) -> list[str]:
        """Return the command prefix that enters a process's namespaces."""
        where = [f"--net=/proc/{process.pid}/ns/net"]
        if os.geteuid() != 0:
            where += [f"--user=/proc/{self.switch.pid}/ns/user", "--preserve-credentials"]
        return ["nsenter", *where, "--"]

    def _in(self, process: subprocess.Popen[bytes], *argv: str) -> None:
        subprocess.run(
            [*self.enter(process), *argv], env={"PATH": PATH}, timeout=LIMIT_S, check=True
        )

    def host(self, number: int) -> list[str]:
        """Return the command prefix for a host. Create the host if necessary."""
        if number not in self.hosts:
            host = self.hosts[number] = self._start(self.enter(self.switch))
            port = f"port{number}"
            self._in(
                self.switch, "ip", "link", "add", port, "type", "veth",
                "peer", "name", "eth0", "netns", str(host.pid),
            )  # fmt: skip
            self._in(self.switch, "ip", "link", "set", port, "master", "br0", "up")
            self._in(host, "ip", "address", "add", f"{ADDRESS}{number}/24", "dev", "eth0")
            self._in(host, "ip", "link", "set", "eth0", "up")
            self._in(host, "ip", "link", "set", "lo", "up")
        return self.enter(self.hosts[number])

    def connect(self, number: int, *, is_connected: bool = True) -> None:
        """Connect a host to the bridge, or cut it off."""
        self._in(
            self.switch, "ip", "link", "set", f"port{number}", "up" if is_connected else "down"
        )

    def end(self) -> None:
        """End the processes that keep the namespaces."""
        for process in (*self.hosts.values(), self.switch):
            process.kill()
            process.communicate()


class Certificates:
    """Certificates from two authorities. The cluster trusts only the first, `ca`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir()
        for authority in ("ca", "other"):
            self._openssl("req", "-x509", *self._new(authority), "-subj", f"/CN={authority}")
        names = ",".join(f"IP:{ADDRESS}{number}" for number in MEMBERS)
        self.make("member", "ca", f"subjectAltName={names}")
        self.make("client", "ca")
        self.make("wrong", "other")

    def _new(self, name: str) -> list[str]:
        return [
            "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", f"{name}.key", "-out", f"{name}.crt",
        ]  # fmt: skip

    def make(self, name: str, authority: str, extension: str = "", days: int = 2) -> None:
        """Make the files NAME.crt and NAME.key. Negative `days`: the certificate has expired."""
        (self.directory / "extension").write_text(extension, encoding="ascii")
        self._openssl("req", *self._new(name)[:-1], f"{name}.csr", "-subj", f"/CN={name}")
        self._openssl(
            "x509", "-req", "-in", f"{name}.csr", "-CA", f"{authority}.crt",
            "-CAkey", f"{authority}.key", "-CAcreateserial", "-out", f"{name}.crt",
            "-days", str(days), "-extfile", "extension",
        )  # fmt: skip

    def _openssl(self, *arguments: str) -> None:
        subprocess.run(
            ["openssl", *arguments],
            cwd=self.directory,
            capture_output=True,
            timeout=LIMIT_S,
            check=True,
        )

    def settings(self, name: str = "client") -> dict[str, str]:
        """Return etcdctl's variables for one of the clients."""
        return {
            "ETCDCTL_CACERT": str(self.directory / "ca.crt"),
            "ETCDCTL_CERT": str(self.directory / f"{name}.crt"),
            "ETCDCTL_KEY": str(self.directory / f"{name}.key"),
        }


class Cluster:
    """An etcd cluster. `heal` restarts members that were killed."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.network = Namespaces()
        self.certificates = Certificates(root / "certificates")
        self.members: dict[int, subprocess.Popen[bytes]] = {}
        self.endpoints = ",".join(f"https://{ADDRESS}{number}:2379" for number in MEMBERS)
        self.heal()

    def heal(self) -> None:
        """Start the members that are not running, and wait until all are healthy."""
        for number in MEMBERS:
            if number not in self.members:
                self._start(number)
        end_s = time.monotonic() + LIMIT_S
        while (done := self.etcdctl("endpoint", "health", check=False)).returncode != 0:
            assert time.monotonic() < end_s, done.stderr
            time.sleep(0.2)

    def _start(self, number: int) -> None:
        url = f"https://{ADDRESS}{number}"
        files = self.certificates.directory
        peers = ",".join(f"m{member}=https://{ADDRESS}{member}:2380" for member in MEMBERS)
        with (self.root / f"member{number}.log").open("ab") as log:
            self.members[number] = subprocess.Popen(
                [
                    *self.network.host(number), PROGRAMS[0],
                    f"--name=m{number}", f"--data-dir={self.root}/member{number}",
                    f"--listen-client-urls={url}:2379", f"--advertise-client-urls={url}:2379",
                    f"--listen-peer-urls={url}:2380", f"--initial-advertise-peer-urls={url}:2380",
                    f"--initial-cluster={peers}", f"--cert-file={files}/member.crt",
                    f"--key-file={files}/member.key", f"--trusted-ca-file={files}/ca.crt",
                    "--client-cert-auth", f"--peer-cert-file={files}/member.crt",
                    f"--peer-key-file={files}/member.key", f"--peer-trusted-ca-file={files}/ca.crt",
                    "--peer-client-cert-auth",
                ],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    def kill(self, *numbers: int) -> None:
        """Kill members."""
        for number in numbers:
            member = self.members.pop(number)
            member.send_signal(signal.SIGKILL)
            member.communicate()

    def leader(self) -> int:
        """Return the leader's number."""
        for number in MEMBERS:
            url = f"https://{ADDRESS}{number}:2379"
            done = self.etcdctl("endpoint", "status", "--write-out=fields", endpoints=url)
            fields = dict(
                line.split(" : ", 1) for line in done.stdout.splitlines() if " : " in line
            )
            if fields['"MemberID"'] == fields['"Leader"']:
                return number
        raise AssertionError("there is no leader")

    def etcdctl(
        self, *arguments: str, endpoints: str | None = None, check: bool = True, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run etcdctl on a host that is never cut off."""
        return self.run(
            10,
            [str(PROGRAMS[1]), *arguments],
            {
                **self.certificates.settings(),
                "ETCDCTL_ENDPOINTS": endpoints or self.endpoints,
                "ETCDCTL_API": "3",
            },
            check=check,
            stdin=stdin,
        )

    def run(
        self,
        host: int,
        argv: Sequence[str],
        env: Mapping[str, str],
        *,
        check: bool = True,
        stdin: str = "",
    ) -> subprocess.CompletedProcess[str]:
        """On a host, run a program with only PATH and `env` set."""
        return subprocess.run(
            [*self.network.host(host), *argv],
            input=stdin,
            capture_output=True,
            text=True,
            env={"PATH": PATH, **env},
            timeout=LIMIT_S,
            check=check,
        )

    def end(self) -> None:
        """End all members and hosts."""
        self.kill(*list(self.members))
        self.network.end()


def missing_programs() -> list[str]:
    """Return the programs that a cluster needs and this machine lacks."""
    tools = [name for name in ("ip", "nsenter", "openssl", "unshare") if not _found(name)]
    return tools + [str(program) for program in PROGRAMS if not program.exists()]


def _found(name: str) -> bool:
    return shutil.which(name, path=PATH) is not None
