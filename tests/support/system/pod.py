"""Containers of a manifest in a chroot, with their mounts, user and read-only root; the kubelet."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

Manifest = dict[str, Any]
DATA, NEW_DATA = "..data", "..data_tmp"
# Top-level directories of this machine that a container sees, read-only. All others, such as /home
# and /var, are only there if the image or a volume has them.
SHARED = ("bin", "dev", "etc", "lib", "lib64", "proc", "sbin", "usr")
# Build the root at $1 from the lines of $2, "MODE SOURCE TARGET", and run the rest in it, as the
# container's user: no capabilities, and none to gain.
SCRIPT = """
set -e
root=$1 mounts=$2 user=$3 group=$4
shift 4
mount -t tmpfs -o mode=755 tmpfs "$root"
while IFS=$(printf '\\t') read -r mode source target; do
  if [ -L "$source" ]; then
    cp -a "$source" "$root$target"
    continue
  elif [ -d "$source" ]; then
    mkdir -p "$root$target"
  elif [ ! -e "$root$target" ]; then
    mkdir -p "$root${target%/*}" && : >"$root$target"
  fi
  mount --rbind "$source" "$root$target"
  if [ "$mode" = ro ]; then mount -o remount,bind,ro "$root$target"; fi
done <"$mounts"
mount -o remount,ro "$root"
exec /usr/sbin/chroot "$root" /usr/bin/setpriv --reuid="$user" --regid="$group" \
  --groups="$group" --no-new-privs --bounding-set=-all --inh-caps=-all -- "$@"
"""


class SecretVolume:
    """A volume of a Secret, which the kubelet writes and replaces.

    The steps are those of Write in kubernetes/kubernetes, pkg/volume/util/atomic_writer.go, and the
    modes those of pkg/volume/volume_linux.go.
    """

    def __init__(self, directory: Path, source: Manifest, group: int) -> None:
        """Create the directory. `source` is the volume's source in the manifest."""
        self.directory = directory
        self._source = source
        self._group = group
        directory.mkdir()

    def update(self, secret: Manifest) -> None:
        """Replace the files by those of a Secret. Raise KeyError if it lacks one of the items."""
        assert secret["metadata"]["name"] == self._source["secretName"]
        data = secret.get("data", {})
        files = {item["path"]: data[item["key"]] for item in self._source["items"]}
        stamp = time.strftime("..%Y_%m_%d_%H_%M_%S.", time.gmtime())
        new = Path(tempfile.mkdtemp(prefix=stamp, dir=self.directory))
        new.chmod(0o755)
        for name, content in files.items():
            path = new / name
            path.write_bytes(base64.b64decode(content, validate=True))
            os.chown(path, 0, self._group)
            path.chmod(self._source["defaultMode"] | 0o440)
        for name in files:
            if not (self.directory / name).is_symlink():
                (self.directory / name).symlink_to(f"{DATA}/{name}")
        data_link = self.directory / DATA
        old = data_link.readlink() if data_link.is_symlink() else None
        (self.directory / NEW_DATA).symlink_to(new.name)
        (self.directory / NEW_DATA).rename(data_link)
        if old is not None:
            shutil.rmtree(self.directory / old)


class Pod:
    """A pod's containers, on this machine's network. Only root can run them.

    Volumes other than Secrets are directories that the pod's group can write.
    """

    def __init__(self, template: Manifest, directory: Path, image: dict[str, Path]) -> None:
        """Create the volumes in `directory`.

        `template` is the pod's specification. `image` has more files and directories of the
        container by their paths there.
        """
        self.spec: Manifest = template
        security = template["securityContext"]
        assert security["runAsNonRoot"] is True
        self.user, self.group = security["runAsUser"], security["runAsGroup"]
        assert security["fsGroup"] == self.group
        self.image = image
        self.secrets: dict[str, SecretVolume] = {}
        self.directory = directory
        directory.mkdir()
        for volume in template["volumes"]:
            place = directory / volume["name"]
            if "secret" in volume:
                self.secrets[volume["name"]] = SecretVolume(place, volume["secret"], self.group)
            else:
                self.add_volume(volume["name"])

    def add_volume(self, name: str) -> Path:
        """Create a writable volume, with the owner and mode that fsGroup causes."""
        place = self.directory / name
        place.mkdir()
        os.chown(place, 0, self.group)
        place.chmod(0o2775)
        return place

    def command(self, container: Manifest, *argv: str) -> list[str]:
        """Return the command that runs `argv` in a container."""
        security = container["securityContext"]
        assert security["allowPrivilegeEscalation"] is False
        assert security["readOnlyRootFilesystem"] is True
        assert security["capabilities"] == {"drop": ["ALL"]}
        lines = [("ro", f"/{name}", f"/{name}") for name in SHARED if Path(f"/{name}").exists()]
        lines += [("ro", str(source), target) for target, source in self.image.items()]
        for mount in container["volumeMounts"]:
            assert "subPath" not in mount
            mode = "ro" if mount.get("readOnly") else "rw"
            lines.append((mode, str(self.directory / mount["name"]), mount["mountPath"]))
        mounts = self.directory / f"{container['name']}.mounts"
        mounts.write_text("".join("\t".join(line) + "\n" for line in lines), "utf-8")
        root = self.directory / f"{container['name']}.root"
        root.mkdir(exist_ok=True)
        return [
            "unshare", "--mount", "--", "/bin/sh", "-c", SCRIPT, "sh", str(root), str(mounts),
            str(self.user), str(self.group), *argv,
        ]  # fmt: skip

    @staticmethod
    def environment(container: Manifest) -> dict[str, str]:
        """Return a container's environment."""
        assert "envFrom" not in container
        path = "/opt/bin:/usr/local/bin:/usr/bin:/bin"
        return {"PATH": path, **{one["name"]: one["value"] for one in container["env"]}}

    def run(
        self, container: Manifest, *argv: str, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in a container to its end, with additions to the environment."""
        env = {**self.environment(container), **environment}
        return subprocess.run(
            self.command(container, *argv), env=env, cwd="/",
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
