"""Python virtual environments."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Dict, List, Optional, Sequence

from nodriza.resources.base import Resource, State

if TYPE_CHECKING:
    from nodriza.agent.host import Host

MARKER = ".nodriza-requirements"
"""A file in the environment, written last: what was installed, for which Python."""
FOLDERS = frozenset({"bin", "include", "lib", "lib64"})
"""What ``python -m venv`` makes before it writes pyvenv.cfg."""


PATIENCE = ("--retries", "1", "--timeout", "15")
RESOLVER = {"RES_OPTIONS": "timeout:3 attempts:2"}
"""A name server that is dead costs ten seconds a try and more (resolv.conf(5)), and pip tries
six times: for minutes nobody would hear why nothing happens."""
LINES = 20
_UNREACHED = re.compile(
    r"(Temporary failure in name resolution|Name or service not known|No address associated"
    r" with hostname|Connection refused|Network is unreachable|No route to host"
    r"|[Cc]onnect(?:ion)?(?: to \S+)? timed out|[Rr]ead timed out|certificate verify failed[^')]*)"
)
"""How pip's warnings end when it can't reach an index; the words are glibc's and OpenSSL's."""


@dataclass(frozen=True)
class Venv(Resource):
    """A virtual environment in which the file ``requirements`` has been installed.

    That file is on the host. What is compared is ``digest``, which stands for all that
    gets installed, or else the file's own text. Without requirements, an empty
    environment. ``user`` owns it and runs pip, in ``folder``: relative paths in requirements
    (``./lib``) begin there, because pip takes them from where it was started.
    """

    path: str
    requirements: str = ""
    python: str = "python3"
    user: Optional[str] = None
    digest: str = ""
    folder: str = "/"

    ALONE: ClassVar[bool] = True  # the file of requirements may arrive earlier in the run

    def wanted(self) -> State:
        """Complete, for the requirements and the Python that are on the host."""
        return {"installed": True}

    @classmethod
    def look(cls, host: Host, many: Sequence[Venv]) -> List[State]:
        """Compares the marker; asks each Python once which one it is."""
        tags = {python: _tag(host, python) for python in {venv.python for venv in many}}
        return [venv._look(host, tags) for venv in many]

    def _look(self, host: Host, tags: Dict[str, str]) -> State:
        expected = self._expected(host, tags[self.python])
        if expected is None or host.stat(self.path) is None:
            return None
        return {"installed": host.read(f"{self.path}/{MARKER}") == expected}

    def fix(self, host: Host, now: State) -> None:
        """python -m venv, pip install, and the marker last.

        An environment that has no marker is one that was left half-way, and is made anew:
        pip takes a package whose files were only partly written for installed.
        """
        tag = _tag(host, self.python)
        expected = self._expected(host, tag)
        if expected is None:
            missing = self.python if not tag else self.requirements
            host.refuse(f"{self.path} can't be made: there is no {missing}")
        marker = f"{self.path}/{MARKER}"
        before = (host.read(marker) or b"").split()
        if before[1:] == [tag.encode()] and before[0] != b"-" and self.requirements:
            host.remove(marker)
        else:
            self._build(host)
        if self.requirements:
            pip = [f"{host.at(self.path)}/bin/python", "-m", "pip", "--no-input"]
            pip += ["--disable-pip-version-check", *PATIENCE, "install", "--quiet"]
            requirements, folder = host.at(self.requirements), host.at(self.folder)
            argv = [*pip, "-r", requirements]
            done = host.run(
                argv, user=self.user, cwd=folder, env=RESOLVER, timeout=1800, check=False
            )
            if done.exit:
                host.refuse(f"pip install: exit {done.exit}\n{reason(done.err or done.out)}")
        owner = self.user or "root"
        host.write(marker, expected, owner=owner, group=host.group_of(owner))

    def _build(self, host: Host) -> None:
        if host.stat(self.path) is None:
            host.mkdir(self.path)
        names = host.list(self.path)
        if "pyvenv.cfg" not in names and not FOLDERS.issuperset(names):
            host.refuse(f"{self.path} has files, and isn't a virtual environment: left alone")
        owner = self.user or "root"
        host.own(self.path, owner, host.group_of(owner), "0755")
        options = ["--clear", *([] if self.requirements else ["--without-pip"])]
        host.run([self.python, "-m", "venv", *options, host.at(self.path)], user=self.user)

    def _expected(self, host: Host, tag: str) -> Optional[bytes]:
        """What the marker has to say; ``None`` while that can't be known."""
        if not self.requirements:
            return f"- {tag}\n".encode() if tag else None
        if self.digest:
            return f"{self.digest} {tag}\n".encode() if tag else None
        text = host.read(self.requirements)
        if text is None or not tag:
            return None
        return f"{hashlib.sha256(text).hexdigest()} {tag}\n".encode()


def _tag(host: Host, python: str) -> str:
    """Which Python it is, up to the minor version: "cpython-311". Empty: there is none."""
    code = "import sys; print(sys.implementation.cache_tag)"
    result = host.run([python, "-c", code], check=False)
    return "" if result.exit else result.out.strip()


def reason(words: str) -> str:
    """What pip said, and above it why, where that stands in the middle of its retries."""
    lines = words.strip().splitlines()[-LINES:]
    if found := _UNREACHED.search(words):
        lines.insert(0, f"the package index can't be reached from this host: {found.group()}")
    return "\n".join(lines)
