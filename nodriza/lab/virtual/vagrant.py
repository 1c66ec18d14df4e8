"""Vagrant through python-vagrant, with what that does not have: a bound and the words.

Its commands wait for ever, and throw away what Vagrant says on stderr; a person at a
terminal needs both. timeout(1) in front of each command is the bound.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import paramiko

from nodriza.errors import LabError

logging.getLogger("vagrant").setLevel(logging.ERROR)  # that there is none, we say ourselves
import vagrant  # noqa: E402

LONG = 3600
"""Seconds for ``up`` and ``destroy`` of all machines, the download of a box among them."""
SHORT = 300
NO_BOX = "fab lab.box makes one on this computer; box: in the inventory's lab names another"
AGAIN = "type the same command again: it continues where this one stopped"


class Vagrant:
    """The machines of one Vagrantfile."""

    def __init__(self, folder: Path, inventory: Path, data: Path) -> None:
        self.data = data
        env = {
            **os.environ,
            "NODRIZA_FAB": str(Path(sys.executable).with_name("fab")),
            "NODRIZA_INVENTORY": inventory.stem,
            "VAGRANT_BOX_UPDATE_CHECK_DISABLE": "1",
            "VAGRANT_CHECKPOINT_DISABLE": "1",
            "VAGRANT_DOTFILE_PATH": str(data),
            "VAGRANT_NO_COLOR": "1",
        }
        self._words: IO[str] | None = None
        self._vagrant = _Bounded(root=str(folder), env=env, err_cm=self._errors)

    @contextlib.contextmanager
    def _errors(self) -> Iterator[IO[str] | None]:
        yield self._words

    def up(self, provider: str, say: Callable[[str], None]) -> None:
        """Create and start what does not run; each line that Vagrant says is passed on."""
        with self._told("up"):
            for line in self._vagrant.up(provider=provider, stream_output=True):
                say(line.rstrip())

    def stop(self) -> None:
        """End an ``up`` that another thread is at; what it had made stays."""
        self._vagrant.stop()

    def destroy(self) -> None:
        """Machines, their disks, and the networks that were made for them."""
        with self._told("destroy"):
            self._vagrant.destroy()

    def states(self) -> dict[str, str]:
        """Each machine's state in Vagrant's words: running, not_created, poweroff…"""
        with self._told("status"):
            return {found.name: found.state for found in self._vagrant.status() if found.name}

    def logins(self) -> dict[str, dict[str, str]]:
        """How to log in on each machine that runs: user, host, port and key."""
        try:
            text = self._ssh_config()
        except LabError:  # one that is off is an error to Vagrant
            running = [name for name, state in self.states().items() if state == "running"]
            text = "\n".join(self._ssh_config(name) for name in running)
        config = paramiko.SSHConfig.from_text(text)
        found = {name: config.lookup(name) for name in config.get_hostnames() if name != "*"}
        return {
            name: {
                "user": login["user"],
                "host": login["hostname"],
                "port": login["port"],
                "key": login["identityfile"][0].strip('"'),
            }
            for name, login in found.items()
        }

    def _ssh_config(self, name: str | None = None) -> str:
        with self._told("ssh-config"):
            return str(self._vagrant.ssh_config(vm_name=name))

    def box_add(self, name: str, file: Path) -> None:
        """Take a box from a file, in the place of one of that name."""
        with self._told("box add"):
            self._vagrant.box_add(name, str(file), force=True)

    def ids(self) -> dict[str, str]:
        """The machines that were created, by name; another machine has another id."""
        files = self.data.glob("machines/*/*/id")
        return {file.parts[-3]: file.read_text() for file in files}

    def provider(self) -> str:
        """Of the machines that were created; empty while there are none."""
        return next((file.parts[-2] for file in self.data.glob("machines/*/*/id")), "")

    def forget(self, name: str) -> None:
        """That there was a machine; for one that is gone."""
        shutil.rmtree(self.data / "machines" / name)

    def last_change(self) -> float:
        """When Vagrant last made, started or removed a machine."""
        return max((path.stat().st_mtime for path in self.data.glob("machines/*/*")), default=0)

    @contextlib.contextmanager
    def _told(self, what: str) -> Iterator[None]:
        with tempfile.TemporaryFile("w+") as self._words:
            try:
                yield
            except subprocess.CalledProcessError as error:
                self._words.seek(0)
                # A plugin's own mistakes come with a hundred lines of Ruby's whereabouts.
                lines = [line for line in self._words if not re.match(r"/\S+:\d+:in ", line)]
                words = re.sub(r"\n{3,}", "\n\n", "".join(lines)).strip()
                late = " (it did not end in time)" if error.returncode in (124, 137) else ""
                raise LabError(
                    f"vagrant {what} failed{late}:\n{words}",
                    where=str(self._vagrant.root),
                    kept="machines that are there stay as they are",
                    do=NO_BOX if re.search(r"[Bb]ox '.*' could not be found", words) else AGAIN,
                ) from None


class _Bounded(vagrant.Vagrant):  # type: ignore[misc]
    _running: subprocess.Popen[bytes] | None = None

    def stop(self) -> None:
        """As Ctrl-C would: Vagrant then has a minute (timeout(1) passes the signal on)."""
        if self._running:
            self._running.send_signal(signal.SIGINT)

    def _stream_vagrant_command(self, args: list[str | None]) -> Iterator[str]:
        # The original keeps its process to itself, so that nobody can end it.
        command = self._make_vagrant_command(args)
        with (
            self.err_cm() as words,
            subprocess.Popen(
                command, cwd=self.root, env=self.env, stdout=subprocess.PIPE, stderr=words
            ) as self._running,
        ):
            for line in self._running.stdout or ():
                yield line.decode("utf-8", "replace")
        if code := self._running.returncode:
            raise subprocess.CalledProcessError(code, command)

    def _make_vagrant_command(self, args: list[str | None]) -> list[str]:
        seconds = LONG if args[0] in ("up", "destroy", "box") else SHORT
        # SIGINT, as Ctrl-C would send: Vagrant then ends its steps in good order.
        bound = ["timeout", "--foreground", "--signal=INT", "--kill-after=60", str(seconds)]
        command: Any = super()._make_vagrant_command(args)
        return [*bound, *command]
