"""Files with known content."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, List, Optional, Sequence, Union

from nodriza.resources.base import CHANGED, Resource, State

if TYPE_CHECKING:
    from nodriza.agent.left import Left
    from nodriza.host.host import Host

COMPARED = 1024 * 1024
"""Bytes up to which two files are compared line by line: it takes time by their product."""


@dataclass(frozen=True)
class File(Resource):
    """A regular file, whole: its content, owner, group and mode (octal text, "0644").

    Replaced at once by rename, so that no reader ever sees half of it. The parent
    directory must exist.
    """

    path: str
    content: Union[str, bytes]
    owner: str = "root"
    group: str = "root"
    mode: str = "0644"

    @property
    def data(self) -> bytes:
        """The content as it lies on disk."""
        return self.content.encode() if isinstance(self.content, str) else self.content

    def wanted(self) -> State:
        """The content is compared by its SHA-256."""
        return {
            "type": "file",
            "sha256": self.mark(),
            "owner": self.owner,
            "group": self.group,
            "mode": self.mode,
        }

    def mark(self) -> str:
        """The SHA-256 of the content."""
        return hashlib.sha256(self.data).hexdigest()

    @classmethod
    def look(cls, host: Host, many: Sequence[File]) -> List[State]:
        """Reads a file only when its size is the wanted one."""
        return [file._look(host) for file in many]

    def _look(self, host: Host) -> State:
        seen = host.stat(self.path)
        if seen is None:
            return None
        digest = "another size"
        if seen.type == "file" and seen.size == len(self.data):
            digest = hashlib.sha256(host.read(self.path) or b"").hexdigest()
        return {
            "type": seen.type,
            "sha256": digest,
            "owner": seen.owner,
            "group": seen.group,
            "mode": seen.mode,
        }

    def fix(self, host: Host, now: State) -> None:
        """Refuses to replace a directory: that is never what was meant."""
        if now is not None and now["type"] == "directory":
            host.refuse(f"{self.path} is a directory, a file was to go there")
        host.write(self.path, self.data, owner=self.owner, group=self.group, mode=self.mode)

    @classmethod
    def remains(cls, host: Host, left: Left) -> Optional[str]:
        """It goes with the content that a plan gave it, whoever owns it by now."""
        seen = host.stat(left.name)
        if seen is None:
            return "" if host.begun(left.name) else None
        content = host.read(left.name) if seen.type == "file" else None
        known = content is not None and hashlib.sha256(content).hexdigest() in left.marks
        return "" if known else CHANGED

    @classmethod
    def take_away(cls, host: Host, left: Left) -> None:
        """Services that read it are told by the plan (``Left.followed``)."""
        host.remove(left.name)

    def diff(self, host: Host, now: State) -> str:
        """A unified diff of text; nothing for binary content."""
        old = b"" if now is None or now["type"] != "file" else host.read(self.path) or b""
        if old == self.data or b"\0" in old + self.data:
            return ""
        if len(old) + len(self.data) > COMPARED:
            return f"{self.path}: {len(old)} bytes become {len(self.data)}: too many to compare\n"
        import difflib  # noqa: PLC0415  most runs have no use for it

        return "\n".join(
            difflib.unified_diff(
                old.decode("utf-8", "replace").splitlines(),
                self.data.decode("utf-8", "replace").splitlines(),
                f"{self.path} (there)" if now else "/dev/null",
                f"{self.path} (wanted)",
                lineterm="",
            )
        )
