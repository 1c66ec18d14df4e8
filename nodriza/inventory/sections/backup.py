"""``backup``: where copies of the data go, when, and how long they are kept."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from nodriza.inventory import names, text
from nodriza.inventory.base import Section, whole
from nodriza.inventory.calendar import When
from nodriza.inventory.sections.app import AppSettings
from nodriza.inventory.sections.notify import Notify
from nodriza.inventory.shape import Shape

if TYPE_CHECKING:
    from nodriza.inventory.yaml.partial import Draft

_PATH = r"/[A-Za-z0-9._+-][A-Za-z0-9._/+-]*"
_SFTP = rf"sftp:([A-Za-z_][A-Za-z0-9_.-]{{0,31}})@({names.HOST}):({_PATH})"
Repository = Annotated[
    str,
    Shape(
        rf"(?!(.*/)?\.\.(/|$))({_PATH}|{_SFTP}|s3:https://{names.HOST}(:[0-9]{{1,5}})?{_PATH})",
        'must be a directory ("/mnt/backup"), "sftp:user@host:/path" or "s3:https://host/bucket"',
    ),
]
"""As restic(1) writes it."""
HostKey = Annotated[
    str,
    Shape(
        r"(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)) [A-Za-z0-9+/]{40,1000}={0,2}",
        'must be the public key of the host, such as "ssh-ed25519 AAAAC3..."',
    ),
]
NUMBER = whole(0, 10_000)


class Keep(Section):
    """How many backups of each age are kept."""

    hourly: Annotated[int, NUMBER] = Field(default=0, description="The last one of so many hours.")
    daily: Annotated[int, NUMBER] = Field(default=7, description="The last one of so many days.")
    weekly: Annotated[int, NUMBER] = Field(default=5, description="The last one of so many weeks.")
    monthly: Annotated[int, NUMBER] = Field(
        default=12, description="The last one of so many months."
    )

    @property
    def any(self) -> bool:
        """Whether anything is kept at all."""
        return bool(self.hourly or self.daily or self.weekly or self.monthly)


class Backup(Section):
    """Encrypted copies of the data, which are restored on trial."""

    STAND_INS: ClassVar[dict[str, Any]] = {"to": "/mnt/backup"}

    to: Repository = Field(
        description=(
            "Where restic puts the copies: a directory of the node, such as a mounted disk;"
            " sftp:user@host:/path; or s3:https://host/bucket."
        )
    )
    of: text.ClusterName | None = Field(
        default=None,
        description=(
            "The cluster whose backups these are, if not this one: they can be restored here."
            " This cluster makes none, and never writes where they are."
        ),
    )
    at: When = Field(
        default="*-*-* 03:00", description="When a backup begins, as systemd.time(7) writes it."
    )
    verify: When = Field(
        default="Sun *-*-* 05:00", description="When the newest backup is restored on trial."
    )
    keep: Keep = Field(default=Keep(), description="How many old backups are kept.")
    memory_mb: Annotated[int, whole(128, 1_000_000)] = Field(
        default=512, description="In MiB: what a backup or a trial restore may take."
    )
    upload_kb: Annotated[int, whole(0, 10_000_000)] = Field(
        default=0, description="KiB per second that a backup may send. 0 is no limit."
    )
    host_key: HostKey | None = Field(
        default=None, description="For sftp: the host's public key. No other one is accepted."
    )
    port: Annotated[int, whole(1, 65535)] = Field(
        default=22, description="For sftp: the port of the host's SSH server."
    )
    notify: Notify = Field(
        default=Notify(),
        description="Who is told of a backup, or a trial, that failed or is overdue.",
    )

    @property
    def remote(self) -> str:
        """``sftp``, ``s3``, or nothing for a directory."""
        return self.to.partition(":")[0] if not self.to.startswith("/") else ""

    def check_with(self, draft: Draft, inventory: Path) -> None:
        """The host of the copies is known, and they are not among the data."""
        complain = draft.document.complain
        sftp = (self.to or "").startswith("sftp:")
        if sftp and not self.host_key:
            complain(("backup", "to"), "sftp needs host_key, the public key of that host")
        if self.host_key and self.to and not sftp:
            complain(
                ("backup", "host_key"), "is for sftp, and the backup goes elsewhere", key=True
            )
        app = draft.part(AppSettings)
        inside = [f"/srv/{app.name}"] if app and app.name else []
        for folder in (*inside, "/var/lib", "/etc", "/tmp", "/run"):  # noqa: S108
            if f"{self.to}/".startswith(f"{folder}/"):
                complain(("backup", "to"), f"lies in {folder}, where what is copied lies too")
        if self.notify and bool(self.notify.mail) != bool(self.notify.smtp):
            complain(("backup", "notify"), "mail and smtp, the mail server, need each other")
        if self.keep and not self.keep.any:
            complain(("backup", "keep"), "keeps no backup at all")
