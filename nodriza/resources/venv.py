"""Python virtual environments."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Dict, List, Optional, Sequence, Tuple

from nodriza.host import cache, pip_conf, transient, tree
from nodriza.host.installer import refuse_failed
from nodriza.host.room import refuse_full
from nodriza.resources.base import Resource, State

if TYPE_CHECKING:
    from nodriza.host.errors import Result
    from nodriza.host.host import Host

MARKER = ".nodriza-requirements"
"""A file in the environment, written last: what was installed, for which Python."""
PINNED = "pinned.txt"
"""The name of a requirements file that names all that is installed: nothing is resolved."""
FOLDERS = frozenset({"bin", "include", "lib", "lib64"})
"""What ``python -m venv`` makes before it writes pyvenv.cfg."""
WHEELS = "/usr/share/python-wheels"
"""Where Debian has the pip that python3-venv puts into environments (python3-pip-whl)."""

PATIENCE = ("--retries", "1", "--timeout", "15")
RESOLVER = {"RES_OPTIONS": "timeout:3 attempts:2"}
"""A name server that is dead costs ten seconds a try and more (resolv.conf(5)), and pip tries
six times: for minutes nobody would hear why nothing happens."""
UV = {
    "UV_NO_PROGRESS": "1",
    # The host's Python and no other: uWSGI has it built in.
    "UV_PYTHON_DOWNLOADS": "never",
    # The cache is the builder's; the environment becomes root's, and has files of its own.
    "UV_LINK_MODE": "copy",
    # Nobody who runs it may write there.
    "UV_COMPILE_BYTECODE": "1",
    "UV_SYSTEM_CERTS": "1",
    "UV_HTTP_RETRIES": "1",
    "UV_HTTP_TIMEOUT": "15",
}
"""uv's documentation, "Environment variables"."""
LEAST, LEAST_FILES = 128 * 1024 * 1024, 10_000
"""Bytes and files that a first environment is taken to need: twice Django, Celery and a driver."""
INSTALLING = 3600
"""Seconds: what has no wheel is compiled."""


@dataclass(frozen=True)
class Venv(Resource):
    """A virtual environment in which ``requirements`` have been installed.

    They are a file on the host, or a folder with a Python project, which is installed with what
    it needs. What is compared is ``digest``, which stands for all that gets installed, or else
    the file's own text. Without requirements, an empty environment. ``user`` owns it and runs
    pip, in ``folder``: relative paths in requirements (``./lib``) begin there, because pip takes
    them from where it was started. Without a ``pip`` of its own Debian's installs from outside:
    to put one in takes longer than one small package. With ``uv``, a program on the host, that
    installs, and reads uv.lock, pylock.toml and pyproject.toml too.

    With ``unit`` other people's build code runs in a transient unit of that name, as ``user``
    (``nodriza.host.transient``): it does not see what is ``hidden``, keeps what it downloads
    in ``cache``, and writes to a copy of ``folder``, ``scratch``, which it sees in its place.
    The environment is then made anew each time, and is root's own in the end.
    """

    path: str
    requirements: str = ""
    python: str = "python3"
    user: Optional[str] = None
    digest: str = ""
    folder: str = "/"
    pip: bool = True
    uv: str = ""
    unit: str = ""
    hidden: Tuple[str, ...] = ()
    cache: str = ""
    scratch: str = ""

    ALONE: ClassVar[bool] = True  # the file of requirements may arrive earlier in the run

    def wanted(self) -> State:
        """Complete, for the requirements and the Python that are on the host."""
        return {"installed": True}

    @classmethod
    def look(cls, host: Host, many: Sequence[Venv]) -> List[State]:
        """Compares the marker; asks each Python once which one it is."""
        tags = {python: tag(host, python) for python in {venv.python for venv in many}}
        return [venv._look(host, tags) for venv in many]

    def _look(self, host: Host, tags: Dict[str, str]) -> State:
        expected = self._expected(host, tags[self.python])
        if expected is None or host.stat(self.path) is None:
            return None
        return {"installed": host.read(f"{self.path}/{MARKER}") == expected}

    def vet(self, host: Host) -> None:
        """Room for twice what one beside it has: what is installed lies in the cache as well."""
        if not self.requirements:
            return
        size, files = self._largest(host)
        copied = tree.extent(host, self.folder) if self.scratch else (0, 0)
        size, files = max(LEAST, 2 * size), max(LEAST_FILES, 2 * files)
        refuse_full(host, self.path, size + copied[0], files + copied[1])

    def _largest(self, host: Host) -> Tuple[int, int]:
        """Bytes and files of the largest environment beside this one."""
        folder = os.path.dirname(self.path)
        there = [f"{folder}/{name}" for name in host.list(folder)]
        found = [tree.extent(host, each) for each in there if host.stat(f"{each}/{MARKER}")]
        return max(found, default=(0, 0))

    def fix(self, host: Host, now: State) -> None:
        """python -m venv, pip install, and the marker last.

        An environment that has no marker is one that was left half-way, and is made anew:
        pip takes a package whose files were only partly written for installed.
        """
        version = tag(host, self.python)
        expected = self._expected(host, version)
        if expected is None:
            missing = self.python if not version else self.requirements
            host.refuse(f"{self.path} can't be made: there is no {missing}")
        if self.unit:
            self._apart(host, expected)
            return
        marker = f"{self.path}/{MARKER}"
        before = (host.read(marker) or b"").split()
        if before[1:] == [version.encode()] and before[0] != b"-" and self.requirements:
            host.remove(marker)
        else:
            self._build(host)
        if self.requirements:
            folder = host.at(self.folder)
            done = host.run(
                self._install(host),
                user=self.user,
                cwd=folder,
                env=self._variables(host),
                timeout=INSTALLING,
                check=False,
            )
            refuse_failed(host, done)
        owner = self.user or "root"
        host.write(marker, expected, owner=owner, group=host.group_of(owner))

    def _install(self, host: Host) -> List[str]:
        """What installs the requirements; the name of their file says what they are."""
        python, what = f"{host.at(self.path)}/bin/python", host.at(self.requirements)
        folder, name = os.path.split(what)
        listed = [what] if os.path.isdir(what) else ["-r", what]
        if not self.uv:
            pip = [python, "-m", "pip"] if self.pip else [python, f"{_wheel(host)}/pip"]
            quiet = ["--no-input", "--disable-pip-version-check", *PATIENCE]
            return [*pip, *quiet, "install", "--quiet", *listed]
        uv = [host.at(self.uv), "--quiet", "--no-progress"]
        if name == "uv.lock":  # into UV_PROJECT_ENVIRONMENT; the lock is believed as it is
            frozen = ["--frozen", "--no-dev", "--no-editable"]
            return [*uv, "sync", "--project", folder, *frozen]
        if name.startswith("pylock.") or name == PINNED:
            return [*uv, "pip", "sync", "--python", python, what]
        return [*uv, "pip", "install", "--python", python, *listed]

    def _variables(self, host: Host) -> Dict[str, str]:
        if not self.uv:
            return RESOLVER
        own = {"UV_PROJECT_ENVIRONMENT": host.at(self.path), "UV_PYTHON": self.python}
        if self.cache:
            own["UV_CACHE_DIR"] = f"{host.at(self.cache)}/uv"
        return {**RESOLVER, **UV, **own}

    def _apart(self, host: Host, marker: bytes) -> None:
        """Built by ``user``, who has no rights; root's once nothing of it runs any more.

        It is made beside its place, and sees itself there: what is in the place may be in use,
        and somebody may have changed it.
        """
        user = self.user or host.refuse(f"{self.id} has a unit, and no user")
        transient.free(host, self.unit, patient=False)  # before its folder changes hands
        cache.bound(host, self.cache, user, self._largest(host)[0])
        is_new = host.stat(self.path) is None
        host.mkdirs(self.path)  # what its own folder is mounted on, for the unit alone
        try:
            # What is of a source serves in a release; a tool such as uv does not.
            used = self.path if self.scratch and not is_new else ""
            with tree.made_whole(host, self.path, used=used) as new:
                host.own(new, user, host.group_of(user), "0755")
                binds = [(new, self.path)]
                if self.scratch:
                    host.remove(self.scratch)
                    scratch = host.at(self.scratch)
                    host.run(["cp", "-R", "-T", "--", host.at(self.folder), scratch], timeout=None)
                    host.run(["chown", "-R", "-h", f"{user}:", scratch])
                    binds.append((self.scratch, self.folder))
                writable = tuple(filter(None, (self.cache, *(seen for _, seen in binds))))
                # What pip.conf says is for uv, and may have a password in it.
                index = pip_conf.environment_file(pip_conf.variables(host)) if self.uv else ""
                with transient.variables(host, "environment", index) as env_file:
                    names = tuple(pip_conf.WORDS.values())
                    more = (self.hidden, env_file, names, tuple(binds))
                    self._fill(host, transient.Unit(self.unit, user, writable, *more))
                # uv tells nobody of a module for whose bytecode there was no room.
                refuse_full(host, self.path, 0)
                tree.take(host, new)
                host.write(f"{new}/{MARKER}", marker)
        except BaseException:
            if is_new:
                host.remove(self.path)
            raise
        finally:
            if self.scratch:
                host.remove(self.scratch)

    def _fill(self, host: Host, unit: transient.Unit) -> None:
        def run(*argv: str) -> Result:
            return transient.run(
                host,
                unit,
                argv,
                cwd=self.folder,
                timeout=INSTALLING,
                env=self._variables(host),
                check=False,
            )

        argv = [self.python, "-m", "venv", *self._without_pip(), host.at(self.path)]
        refuse_failed(host, run(*argv))
        if self.requirements:
            refuse_failed(host, run(*self._install(host)))

    def _without_pip(self) -> Tuple[str, ...]:
        return () if self.requirements and self.pip and not self.uv else ("--without-pip",)

    def _refuse_other(self, host: Host) -> None:
        """What is there has to be an environment, or the beginning of one."""
        names = host.list(self.path)
        if "pyvenv.cfg" not in names and not FOLDERS.issuperset(names):
            host.refuse(f"{self.path} has files, and isn't a virtual environment: left alone")

    def _build(self, host: Host) -> None:
        if host.stat(self.path) is None:
            host.mkdir(self.path)
        self._refuse_other(host)
        owner = self.user or "root"
        host.own(self.path, owner, host.group_of(owner), "0755")
        options = ["--clear", *self._without_pip()]
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


def _wheel(host: Host) -> str:
    """The file with Debian's pip; Python runs what is in it without unpacking it."""
    names = [name for name in host.list(WHEELS) if re.fullmatch(r"pip-[\w.]+-\S+\.whl", name)]
    if not names:
        host.refuse(f"there is no pip in {WHEELS}: the package python3-pip-whl brings it")
    return f"{host.at(WHEELS)}/{names[0]}"


def made_for(host: Host, path: str) -> str:
    """Which Python the environment ``path`` was made for, as ``tag`` says it. Empty: not known."""
    words = (host.read(f"{path}/{MARKER}") or b"").decode("ascii", "replace").split()
    return words[1] if len(words) == 2 else ""


def tag(host: Host, python: str) -> str:
    """Which Python it is, up to the minor version: "cpython-311". Empty: there is none.

    The same file is asked once a run.
    """
    try:
        seen = os.stat(python)
    except OSError:  # a name that is looked for in PATH, or none
        return _asked(host, python)
    known = python, seen.st_ino, seen.st_mtime_ns
    if known not in host.pythons:
        host.pythons[known] = _asked(host, python)
    return host.pythons[known]


def _asked(host: Host, python: str) -> str:
    code = "import sys; print(sys.implementation.cache_tag)"
    result = host.run([python, "-c", code], check=False)
    return "" if result.exit else result.out.strip()
