"""How to log in on virtual machines, and by which keys they are known."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from nodriza.lab import programs, ssh, state
from nodriza.lab.virtual import kvm
from nodriza.ssh.hops import known_name

if TYPE_CHECKING:
    from nodriza.lab.virtual.lab import Lab

PATIENCE = 120
"""Seconds for SSH to an emulated machine, when all of them are busy."""


def find(lab: Lab) -> None:
    """Ask Vagrant how to log in, learn the keys of new machines, and write it down."""
    vagrant, place = lab.vagrant, lab.place
    ids, logins = vagrant.ids(), vagrant.logins()
    place.folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    pins = place.folder / "pins.json"
    old = state.read_json(pins)
    known = {name: old[name] for name in logins if old.get(name, {}).get("id") == ids.get(name)}
    new = [name for name in logins if name not in known]
    with ThreadPoolExecutor(max(1, len(new))) as pool:
        for name, keys in zip(new, pool.map(lambda n: _host_keys(logins[n]), new), strict=True):
            known[name] = {"id": ids.get(name), "keys": keys}
    state.write_json(pins, known)
    known_hosts = place.folder / "known_hosts"
    lines = [
        f"{known_name(login['host'], int(login['port']))} {key}\n"
        for name, login in logins.items()
        for key in known[name]["keys"]
    ]
    state.write(known_hosts, "".join(lines))
    state.write_json(
        place.overlay,
        {
            "driver": "vagrant",
            "netns": lab.netns,
            "patience": 10 if kvm.acceleration(lab.cluster) == "kvm" else PATIENCE,
            "logins": {
                name: {**login, "port": int(login["port"]), "known_hosts": str(known_hosts)}
                for name, login in logins.items()
            },
        },
    )


def _host_keys(login: dict[str, str]) -> list[str]:
    """A new machine's keys, as it has them itself.

    Only whoever made the machine knows the key that it lets in, and Vagrant says where it
    is: what answers there and shows these files is taken for it, this once.
    """
    argv = ssh.argv(
        f"{login['user']}@{login['host']}",
        login["key"],
        int(login["port"]),
        StrictHostKeyChecking="no",
        ConnectTimeout=str(PATIENCE),
        UserKnownHostsFile="/dev/null",
    )
    said = programs.run([*argv, "cat /etc/ssh/ssh_host_*_key.pub"], timeout=PATIENCE)
    return [" ".join(line.split()[:2]) for line in said.splitlines()]
