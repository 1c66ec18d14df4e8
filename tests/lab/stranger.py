"""A machine in the lab's networks that the inventory does not know."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.lab.project import Project

NAME = "stranger"
ACME = "198.18.68.66"
# Debian's pebble: the ACME server that Let's Encrypt's own clients are tested with. It looks
# the site up in /etc/hosts, where it finds both children.
AUTHORITY = f"""
mkdir -p /root/acme && cd /root/acme
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=acme \
    -addext subjectAltName=IP:{ACME} -keyout key.pem -out cert.pem 2>/dev/null
cat >config.json <<END
{{"pebble": {{"listenAddress": "{ACME}:14000", "managementListenAddress": "{ACME}:15000",
 "certificate": "cert.pem", "privateKey": "key.pem", "httpPort": 80, "tlsPort": 443}}}}
END
for name in videoteca.test www.videoteca.test; do
    printf "198.18.68.12 $name\n198.18.68.13 $name\n" >>/etc/hosts
done
systemd-run --quiet --unit=acme --working-directory=/root/acme --setenv=PEBBLE_VA_NOSLEEP=1 \
    pebble -config config.json
cat cert.pem
python3 - <<END
import ssl, time, urllib.request
for _ in range(50):
    try:
        trusting = ssl._create_unverified_context()
        root = urllib.request.urlopen("https://{ACME}:15000/roots/0", context=trusting).read()
        break
    except OSError:
        time.sleep(0.1)
print(root.decode())
END
"""


def make(
    folder: Path, name: str, third: int, times: dict[str, float], **top: Any
) -> tuple[Project, Project]:
    """An operator's project with its lab up, and one by which to reach the stranger.

    Both are the same lab; only the second one's inventory has the stranger in it.
    """
    project = Project.make(folder / "operator", name, third)
    project.times = times
    project.data.update(top)
    outside = Project.make(folder / "outside", name, third)
    outside.data = copy.deepcopy(project.data)
    outside.data.pop("tls", None)
    outside.data["nodes"][NAME] = {
        "kind": "video",
        "private": f"198.18.{third}.66",
        "public": f"198.18.{third + 1}.66",
    }
    outside.write()
    outside.fab("lab.down")  # what a run before this one may have left
    outside.fab("lab.up").well()
    project.write()
    return project, outside


def install(outside: Project, packages: Sequence[str]) -> None:
    """Debian packages on the stranger's machine."""
    words = " ".join(packages)
    outside.on(
        NAME,
        "DEBIAN_FRONTEND=noninteractive SYSTEMD_OFFLINE=1"
        f" apt-get -qqy install --no-install-recommends {words} >/dev/null",
    )


def acme_authority(outside: Project) -> str:
    """An ACME authority on the stranger's machine; its certificates, in PEM."""
    install(outside, ["pebble", "openssl"])
    return outside.on(NAME, AUTHORITY)
