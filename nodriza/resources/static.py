"""Static files of a release, for its own pages and for those that visitors have open."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Iterator, List, Sequence, Set, Tuple

from nodriza.host import inside, transient, tree
from nodriza.host.errors import CommandFailed
from nodriza.resources.base import Resource, State

if TYPE_CHECKING:
    from nodriza.host.host import Host

COLLECTING = 3600
"""Seconds: each file of a large site is read, hashed and written."""
LIST = "staticfiles.json"
"""Where Django's ManifestStaticFilesStorage writes down which name has which hash."""
MARKER = ".nodriza-collected"
"""A file in the release, beside the folder, written last."""
NOT_INSTALLED = "Unknown command: 'collectstatic'"
"""What manage.py says without django.contrib.staticfiles: there are no such files then."""
TO_TYPE = 'next: in the settings, STATIC_ROOT = os.environ["STATIC_ROOT"]'
_NO_PLACE = re.compile(r"STATIC_ROOT|Read-only file system|Permission denied")
_ELSEWHERE = re.compile(r"[1-9]\d* static files? copied to '(.+?)'|to '(.+?)', [1-9]\d* unmodif")
"""collectstatic's last line, where it found any files."""


@dataclass(frozen=True)
class Static(Resource):
    """The folder ``path`` of a release, filled by its ``manage.py collectstatic``.

    That runs as ``nodriza.host.inside`` says, and writes to ``scratch``, on this node's own
    disk. What is there in the end is copied, as root's own. A link among it is refused: nginx
    follows none.

    Files with a hash in their names are added from the releases beside this one: pages that
    visitors have open ask for them. Which ones they are is in each release's ``LIST``.
    """

    path: str
    scratch: str
    user: str
    unit: str
    env_file: str = ""
    writable: Tuple[str, ...] = ()
    hidden: Tuple[str, ...] = ()

    ALONE: ClassVar[bool] = True  # the release has to be there

    @property
    def _release(self) -> str:
        return os.path.dirname(self.path)

    def wanted(self) -> State:
        """All of it."""
        return {"collected": True}

    @classmethod
    def look(cls, host: Host, many: Sequence[Static]) -> List[State]:
        """Complete, or not there."""
        return [one._look(host) for one in many]

    def _look(self, host: Host) -> State:
        seen = host.stat(self.path)
        if seen is None:
            return None
        marked = host.stat(f"{self._release}/{MARKER}") is not None
        return {"collected": seen.type == "directory" and marked}

    def fix(self, host: Host, now: State) -> None:
        """Collected apart, taken over, copied, and the others' added."""
        transient.free(host, self.unit, patient=False)  # before its folder changes hands
        host.remove(self.scratch)
        try:
            host.mkdir(self.scratch)
            host.own(self.scratch, self.user, host.group_of(self.user), "0755")
            self._collect(host)
            tree.take(host, self.scratch)
            _, links = tree.names(host, self.scratch)
            if links:
                words = "is a link, and the web server follows none"
                host.refuse(f"{links[0]} among the static files {words}")
            with tree.made_whole(host, self.path, used=self._release) as new:
                copy = ["cp", "--recursive", "--preserve=mode,timestamps", "--no-target-directory"]
                host.run([*copy, host.at(self.scratch), host.at(new)], timeout=COLLECTING)
                for folder, name in self._of_others(host):
                    tree.share(host, f"{folder}/{name}", f"{new}/{name}")
            host.write(f"{self._release}/{MARKER}", "")
        finally:
            host.remove(self.scratch)

    def _collect(self, host: Host) -> None:
        argv = ("manage.py", "collectstatic", "--noinput")
        options: Any = {"timeout": COLLECTING, "static": self.scratch}
        done = inside.python(host, self, self._release, argv, **options)
        if done.exit and NOT_INSTALLED not in done.err:
            words = str(CommandFailed(done))
            host.refuse(f"{words}\n{TO_TYPE}" if _NO_PLACE.search(words) else words)
        elsewhere = _ELSEWHERE.search(done.out)
        if elsewhere and not host.list(self.scratch):
            place = elsewhere[1] or elsewhere[2]
            host.refuse(f"collectstatic wrote to {place}, which nobody serves\n{TO_TYPE}")

    def _of_others(self, host: Host) -> Iterator[Tuple[str, str]]:
        """Folder and name of each file with a hash. Only what is a file there counts, whatever
        a list says: it was written by others.
        """
        releases, own = os.path.split(self._release)
        for name in host.list(releases):
            static = f"{releases}/{name}/{os.path.basename(self.path)}"
            if name == own or name.startswith(".") or host.stat(static) is None:
                continue
            hashed = _hashed(host.read(f"{static}/{LIST}") or b"")
            files, _ = tree.names(host, static)
            yield from ((static, file) for file in files if file in hashed)


def _hashed(data: bytes) -> Set[str]:
    """The names with a hash in a list of Django's; none where it is not one."""
    try:
        paths = json.loads(data)["paths"]
        return {hashed for name, hashed in paths.items() if hashed != name}
    except (ValueError, TypeError, KeyError, AttributeError):
        return set()
